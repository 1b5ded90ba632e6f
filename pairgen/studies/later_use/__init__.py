"""Whether a model learns to calculate, or to look which number is used again later."""
