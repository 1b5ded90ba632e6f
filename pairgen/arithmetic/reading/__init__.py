"""From text to results: where they stand and which calculation they state."""
