"""What studies share: scales, datasets, training runs that are skipped once finished, and what they measured."""
