"""Pairs as files for other trainers: layouts to write, solutions as steps."""
