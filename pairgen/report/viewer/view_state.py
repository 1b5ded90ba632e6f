"""What the reader sees, as plain data. Every change of it is a function that returns a new state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from pairgen.report.viewer.book import Book
from pairgen.report.viewer.marks import Mark
from pairgen.report.viewer.scan import Numbers

NOTHING: Numbers = np.empty(0, np.int64)


class Size(NamedTuple):
    """The cells of the terminal."""

    width: int
    height: int


DEFAULT_SIZE = Size(80, 24)


@dataclass(frozen=True)
class Input:
    """A line that the reader types."""

    kind: str
    """A key of ``line_input.KINDS``."""
    text: str = ""
    cursor: int = 0
    """Characters before it."""


@dataclass(frozen=True, eq=False)
class Search:
    """A text that is searched for, and what has been found so far."""

    query: str = ""
    hits: Numbers = field(default_factory=lambda: NOTHING)
    """Positions of matching pairs, ascending."""
    share: float = 1.0
    """Of all pairs that were searched, 0 to 1."""
    stopped: bool = False
    """Whether the reader ended it before it was complete."""
    first: int = 0
    last: int = -1
    """Between these positions all pairs were searched."""
    pending: int = 0
    """Go to the next match, 1, or to the previous one, -1, as soon as it is known; 0: stay."""
    include: bool = False
    """Whether the pair on the screen counts as the next match: it does right after the query was typed."""

    @property
    def is_complete(self) -> bool:
        """Whether there are no more matches to find."""
        return self.share >= 1 or self.stopped


@dataclass(frozen=True)
class Request:
    """What the terminal has to do for a key."""

    kind: str
    """``quit``, ``interrupt``, ``suspend``, ``search``, ``filter``, ``stop`` (the search or the filter) or ``mark``."""
    filter: tuple[str, ...] = ()
    mark: Mark | None = None


@dataclass(frozen=True, eq=False)
class State:
    """What the reader sees."""

    book: Book
    order: Numbers
    """The pairs of the filter, by number, in the order in which they are shown."""
    size: Size = DEFAULT_SIZE
    at: int = 0
    """The position in ``order`` of the pair that is shown."""
    scroll: int = 0
    """Lines of it above the screen."""
    unfolded: bool = False
    """Whether this pair is shown in full."""
    full: bool = False
    """Whether all pairs are."""
    filter: tuple[str, ...] = ()
    search: Search = field(default_factory=Search)
    filtering: float | None = None
    """The share of the pairs that a new filter has seen."""
    marks: Mapping[str, Mark] | None = None
    """Marks by pair id; None if they are not kept."""
    input: Input | None = None
    help: int | None = None
    """Lines of the help above the screen; None if it is not shown."""
    message: str = ""
    reveal: bool = False
    """Whether to scroll to the match in this pair."""
    request: Request | None = None

    @property
    def number(self) -> int:
        """The number in the dataset of the pair that is shown; there must be one."""
        return int(self.order[self.at])

    @property
    def row(self) -> dict[str, Any]:
        """The columns of that pair."""
        return self.book.row(self.number)

    @property
    def mark(self) -> Mark:
        """What the reader thinks of that pair."""
        return (self.marks or {}).get(self.row["pair_id"], Mark())


def moved(state: State, at: int) -> State:
    """Another pair, or the nearest that there is, from its top."""
    at = max(0, min(at, len(state.order) - 1))
    return state if at == state.at else replace(state, at=at, scroll=0, unfolded=False)


# ---------------------------------------------------------------- search


def searching(state: State, query: str) -> State:
    """Start a search, which goes to the first pair that matches from this one on; it waits for a filter to be done."""
    search = Search(query, share=0.0, first=state.at, last=state.at - 1, pending=1, include=True)
    if state.filtering is not None:
        return replace(state, search=search)
    return replace(state, search=search, request=Request("search")) if len(state.order) else state


def searched(state: State, found: Numbers, share: float, last: int) -> State:
    """Add to what the search has found.

    Args:
        state: with a search.
        found: positions of further matches.
        share: of all pairs that it has seen now.
        last: up to this position it has seen all pairs from ``search.first`` on.
    """
    hits = np.sort(np.append(state.search.hits, found)) if len(found) else state.search.hits
    return seek(replace(state, search=replace(state.search, hits=hits, share=share, last=last)))


def seek(state: State, direction: int = 0) -> State:
    """Go to the next match, 1, or to the previous one, -1, or, with 0, on with what was asked for.

    Beyond the last match the first one follows. What is not known yet is pending.
    """
    search = state.search
    direction = direction or search.pending
    if not direction or not search.query:
        return state
    origin = state.at - direction if search.include else state.at
    target = _nearest(search, origin, direction)
    if target is None and not search.is_complete:
        return replace(state, search=replace(search, pending=direction))
    state = replace(state, search=replace(search, pending=0, include=False))
    if not len(search.hits):
        rest = f" in the {search.share:.0%} of pairs that were searched" if search.stopped else ""
        return replace(state, message=f"no match for {search.query!r}{rest}")
    if target is None:
        target = int(search.hits[0 if direction > 0 else -1])
        where = "from the first pair" if direction > 0 else "from the last pair"
        state = replace(state, message=f"search continued {where}")
    return replace(moved(state, target), reveal=True)


def _nearest(search: Search, origin: int, direction: int) -> int | None:
    """The next match in this direction; None if there is none, or if it is not known to be the next one."""
    side = np.searchsorted(search.hits, origin, "right" if direction > 0 else "left")
    index = int(side) if direction > 0 else int(side) - 1
    if not 0 <= index < len(search.hits):
        return None
    target = int(search.hits[index])
    low, high = sorted((origin + direction, target))
    return target if search.is_complete or search.first <= low <= high <= search.last else None


def stopped(state: State) -> State:
    """End the search, or the filter, that is going on. What was found is kept."""
    message = "filter canceled" if state.filtering is not None else f"search stopped at {state.search.share:.0%}"
    search = state.search if state.search.is_complete else replace(state.search, stopped=True, pending=0, include=False)
    return replace(state, search=search, filtering=None, message=message, request=Request("stop"))


# ---------------------------------------------------------------- filter


def filtered(state: State, order: Numbers, conditions: tuple[str, ...]) -> State:
    """Show these pairs only: the same pair as before, or the first one if it is not among them.

    A search begins anew among them. It goes nowhere, unless it waited for this.
    """
    same = np.flatnonzero(order == state.number) if len(state.order) else NOTHING
    at = int(same[0]) if len(same) else 0
    state = replace(state, order=order, filter=conditions, filtering=None, at=at)
    if not len(same):
        state = replace(state, scroll=0, unfolded=False)
    if not state.search.query or not len(order):
        return replace(state, search=Search())
    search = replace(state.search, hits=NOTHING, share=0.0, stopped=False, first=at, last=at - 1)
    return replace(state, search=search, request=Request("search"))
