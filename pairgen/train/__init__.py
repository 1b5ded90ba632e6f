"""The trainer: pairs -> token groups -> batches -> log-probs -> loss -> checkpoints and metrics."""
