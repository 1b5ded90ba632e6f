"""Wrong values, and what in a solution they replace."""
