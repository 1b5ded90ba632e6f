"""Datasets in and out: other people's layouts, derived datasets (mix, split, dedup, decontaminate), cards, the Hub."""
