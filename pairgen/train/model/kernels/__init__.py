"""Attention over token trees: the rule as blocks and masks, the kernels for a CPU, and the parts of torch they need."""
