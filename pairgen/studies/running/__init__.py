"""What studies have in common: scales, datasets, training runs that are skipped once finished, and what they measured."""
