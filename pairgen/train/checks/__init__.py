"""Checks before a run spends time: whether a model can be trained, and with which layout its log-probs are exact."""
