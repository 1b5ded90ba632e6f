"""What a batch is worth: the log-probs of its pairs, the objective computed from them, and metrics."""
