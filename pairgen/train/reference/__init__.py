"""Reference log-probs: computed once and cached by pair, or for every batch."""
