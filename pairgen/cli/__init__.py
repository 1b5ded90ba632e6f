"""The command line, a thin layer over the library. Results go to stdout, everything else to stderr.

Exit codes: 0 success, 1 failure, 2 invalid usage, 3 validation failed (`validate`), 130 interrupted.
"""

from pairgen.cli import dataset_commands, training_commands  # importing them adds their commands to the app
from pairgen.cli.app import app, main

__all__ = ["app", "dataset_commands", "main", "training_commands"]
