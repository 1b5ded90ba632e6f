"""Log-probs of pairs, the objective and the metrics computed from them."""
