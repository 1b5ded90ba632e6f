"""Evaluation of models: lm-evaluation-harness, a fast path for multiple choice, and paired tests of two models."""
