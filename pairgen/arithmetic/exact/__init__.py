"""Exact arithmetic: literals, expressions, evaluation with roots and pi, and verification."""
