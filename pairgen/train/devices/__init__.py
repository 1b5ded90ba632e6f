"""The devices of a run: where its models are, and in how many parts."""
