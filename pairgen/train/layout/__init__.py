"""How token groups are laid out as model inputs: padded rows, or packed token trees."""
