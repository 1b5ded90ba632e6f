"""The model: loading, attention over trees, log-probs, timing."""
