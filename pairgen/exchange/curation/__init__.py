"""Datasets made of others: samples, splits and mixes, without duplicates, without the questions of evaluation sets."""
