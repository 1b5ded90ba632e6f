"""What a training run takes, on paper: memory by part, rows that fit, hours, and the smallest machine that would do.

Everything is computed from a ``Shape``, the dimensions of a model: without its weights, and without torch.
"""
