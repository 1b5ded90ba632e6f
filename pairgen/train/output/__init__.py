"""What a run writes besides metrics: checkpoints, the model card, experiment trackers."""
