"""From pairs on disk to token groups in training order."""
