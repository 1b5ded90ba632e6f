"""The model: loading, attention, log-probs, timing; ``kernels`` computes attention over trees."""
