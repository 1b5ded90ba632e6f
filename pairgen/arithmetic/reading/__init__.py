"""Find the results stated in a text, and read the calculation of each."""
