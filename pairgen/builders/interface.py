"""What a builder is: where its dataset lives, and two pure functions, ``read`` and ``reject``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.prompts import STYLES, Style
from pairgen.pairs.edits import span
from pairgen.pairs.record import Drop, Rejection
from pairgen.sources.locate import Hub

MAX_LENGTH = 100_000
"""Code points of a question or an answer; longer ones are dropped, so that no row makes a build slow."""


class Example(NamedTuple):
    """One usable source row.

    ``key`` is the row's text that tells it from every other row: ids and draws are derived from it. ``topic`` is the
    question that rows may share (other answers to it, other wordings of it): splits are made by it. ``detail`` is
    whatever ``reject`` needs besides.
    """

    question: str
    answer: str
    source: str
    key: str
    topic: str
    row: Mapping[str, Any]
    detail: Any = None


class Wanted(NamedTuple):
    """What is asked of a corruption builder: how wrong values are drawn, and how many pairs of one row at most."""

    corruption: str = "near"
    corruptions: int = 1


@dataclass(frozen=True)
class Builder:
    """A dataset: where it lives, how its rows are read, and how wrong completions are made for them."""

    name: str
    """As in ``pairgen build NAME``."""
    summary: str
    """One line for help texts."""
    hub: Hub
    license: str
    """SPDX-like identifier of the source, as hub cards write it; carried over to the pairs."""
    columns: frozenset[str]
    """Columns every source row must have."""
    read: Callable[[Mapping[str, Any]], Example | Drop]
    """Take a source row apart, or say why it makes no pair."""
    reject: Callable[[Example, RowRng, Wanted], list[Rejection] | Drop]
    """The wrong completions of an example, at least one, or why there is none."""
    optional: frozenset[str] = frozenset()
    """Columns that are read where they are there."""
    style: str = "lm-eval"
    """Prompt style unless another is asked for."""
    styles: Mapping[str, Style] = field(default_factory=lambda: STYLES)
    corrupts: bool = False
    """Whether it makes wrong completions itself, so that ``Wanted`` says something to it."""
    eval_size: int = 0
    """Rows taken off for evaluation when the dataset comes from the hub, which has no such split."""


def clean_text(value: Any, what: str) -> str | Drop:
    """A text without white space around it, or why it cannot be used: not text, empty, or over ``MAX_LENGTH``."""
    if type(value) is not str:
        return Drop(f"{what} is null" if value is None else f"{what} is no text")
    text = value.strip()
    if not text:
        return Drop(f"{what} is empty")
    if len(text) > MAX_LENGTH:
        return Drop(f"{what} is over {MAX_LENGTH:,} characters")
    return text


def reject_choices(example: Example, draws: RowRng, wanted: Wanted) -> list[Rejection] | Drop:
    """One rejection per wrong choice; ``example.detail`` holds the wrong texts in the order of the source."""
    del draws, wanted
    if example.answer in example.detail:
        return Drop("a wrong choice equals the right one")
    return [Rejection(text, span(example.answer, text)) for text in example.detail]
