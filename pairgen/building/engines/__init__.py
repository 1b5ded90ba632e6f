"""What applies a function to all rows of a build: worker processes of this machine, or Ray Data on one or many."""
