"""What saves memory in training: activations computed again, weights in 4 bits, freed memory given back."""
