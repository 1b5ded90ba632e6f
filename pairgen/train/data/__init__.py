"""From pairs to token groups in training order."""
