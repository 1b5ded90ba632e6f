"""Builds in parts: what is counted, what a build that is resumed or merged must agree on, shards and merging them."""
