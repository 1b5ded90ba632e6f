"""Recipes: datasets, training stages and evaluations in order, as TOML files, with one report at the end.

``smaug.toml`` is the paper's. A recipe of one's own is a file like it, and needs no code: ``recipe_file`` says what is
in one, ``stage_kinds`` what a stage may do, ``arrangement`` what becomes of both with the options of a run.
"""

from pathlib import Path

RECIPES = {file.stem: file for file in sorted(Path(__file__).parent.glob("*.toml"))}
"""The recipes of the package by name."""
