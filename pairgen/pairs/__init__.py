"""What a pair is, and datasets of pairs on disk: the row contract, edits, checks, the dataset folder, its card."""
