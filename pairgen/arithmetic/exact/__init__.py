"""Exact values: numbers, roots, evaluation and proof."""
