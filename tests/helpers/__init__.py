"""What several tests share: rows, runs, token groups, small tokenizers, slow reference implementations."""
