"""Shared by several tests: rows, runs, token groups, small tokenizers, slow reference implementations."""
