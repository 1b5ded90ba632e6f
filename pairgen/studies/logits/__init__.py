"""Gradients of losses with respect to a model's logits, and what steps down them do to log-probs."""
