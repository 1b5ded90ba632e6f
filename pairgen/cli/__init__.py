"""The command line: parses, calls one function of the library, prints. Results on stdout, everything else on stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a promise is broken (`validate`), 130 interrupted.
"""

from pairgen.cli import datasets as data
from pairgen.cli import training
from pairgen.cli.app import app, main

__all__ = ["app", "data", "main", "training"]  # importing the two adds their commands to the app
