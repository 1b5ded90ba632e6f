"""Versions of the same rows that differ in how far rejected is from chosen, and what predicts the fall of chosen."""
