"""What a run writes: checkpoints, metrics and the model card."""
