"""Reference log-probs: computed once, cached by pair."""
