"""What a run writes: checkpoints, the model card, metrics, experiment trackers."""
