"""The loop that connects keys, state and screen, and does in between what takes longer."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from pairgen.errors import PairgenError
from pairgen.pairs.dataset import PairDataset
from pairgen.report.filter import chosen_splits, parse_condition
from pairgen.report.viewer.actions import press
from pairgen.report.viewer.body import Line, revealed
from pairgen.report.viewer.book import Book
from pairgen.report.viewer.full_screen import FullScreen
from pairgen.report.viewer.marks import Marks, read_marks, save_mark
from pairgen.report.viewer.scan import Numbers, matching, search, shuffled
from pairgen.report.viewer.screen import screen
from pairgen.report.viewer.view_state import NOTHING, Request, Size, State, filtered, searched

PIECE = 0.05
"""Seconds of work between two looks at the keyboard."""

Update = Callable[[State], State]


class Terminal(Protocol):
    """What the loop needs of ``full_screen.FullScreen``."""

    @property
    def size(self) -> Size: ...
    def draw(self, lines: Sequence[Line], size: Size) -> None: ...
    def keys(self, timeout: float | None) -> list[str] | None: ...
    def forget(self) -> None: ...
    def suspend(self) -> None: ...


class Options(NamedTuple):
    """What the pager begins with: options of `pairgen show`."""

    where: tuple[str, ...] = ()
    split: str | None = None
    limit: int | None = None
    seed: int | None = None
    full: bool = False
    marks: Path | None = None


def read(dataset: PairDataset, options: Options) -> Marks | None:
    """Show the pairs of a dataset on the terminal until the reader quits.

    Returns:
        the marks in the file now; None without a file.

    Raises:
        UsageError: an invalid condition, or an unknown split.
        InvalidMarks: the file of marks cannot be read.
        InvalidDataset: a damaged shard.
        KeyboardInterrupt: the reader pressed Ctrl-C.
    """
    state = opened(dataset, options)
    with FullScreen() as terminal:
        return Reader(state.book, options, terminal).run(state).marks


def opened(dataset: PairDataset, options: Options) -> State:
    """What the reader sees at first. Raises what ``read`` does."""
    marks = read_marks(options.marks) if options.marks else None
    for condition in options.where:
        parse_condition(condition, marks is not None)
    book = Book(dataset, chosen_splits(dataset, options.split))
    state = State(book, NOTHING, full=options.full, marks=marks)
    if options.where:
        return replace(state, filtering=0.0, request=Request("filter", filter=options.where))
    return replace(state, order=_arranged(np.arange(len(book)), options))


def _arranged(numbers: Numbers, options: Options) -> Numbers:
    return (numbers if options.seed is None else shuffled(numbers, options.seed))[: options.limit]


class Reader:
    """What goes on beside the state: the terminal, and a search or a filter that is not complete."""

    def __init__(self, book: Book, options: Options, terminal: Terminal) -> None:
        self._book, self._options, self._terminal = book, options, terminal
        self._work: Iterator[Update] = iter(())
        self._works = False

    def run(self, state: State) -> State:
        """Answer to keys until the reader quits, or until the terminal is gone."""
        while True:
            state = self._do(replace(state, size=self._terminal.size))
            if state.request and state.request.kind == "quit":
                return state
            self._terminal.draw(screen(state), state.size)
            keys = self._terminal.keys(0 if self._works else None)
            if keys is None:
                return state
            for key in keys:
                if key == "ctrl-l":
                    self._terminal.forget()
                state = self._do(press(state, key))
                if state.request and state.request.kind == "quit":
                    return state
            if not keys and self._works:
                state = self._proceed(state)

    def _proceed(self, state: State) -> State:
        update = next(self._work, None)
        if update is None:
            self._works = False
            return state
        return revealed(update(state))

    def _do(self, state: State) -> State:
        """What the state requests, except to quit."""
        request = state.request
        if request is None or request.kind == "quit":
            return state
        state = replace(state, request=None)
        match request.kind:
            case "interrupt":
                raise KeyboardInterrupt
            case "suspend":
                self._terminal.suspend()
            case "stop":
                self._works = False
            case "search":
                self._begin(search_updates(state))
            case "filter":
                self._begin(self._filter_updates(request.filter, state.marks))
            case "mark":
                return self._save(state, request)
        return state

    def _begin(self, work: Iterator[Update]) -> None:
        self._work, self._works = work, True

    def _save(self, state: State, request: Request) -> State:
        assert self._options.marks
        assert request.mark is not None
        try:
            return replace(state, marks=save_mark(self._options.marks, state.row["pair_id"], request.mark))
        except PairgenError as error:
            return replace(state, message=str(error))

    def _filter_updates(self, conditions: tuple[str, ...], marks: Marks | None) -> Iterator[Update]:
        return filter_updates(self._book, conditions, marks, lambda numbers: _arranged(numbers, self._options))


def search_updates(state: State) -> Iterator[Update]:
    """Search for the query of a state: yields, every ``PIECE``, what to do with the state of that moment."""
    order, begun = state.order, time.monotonic()
    ascending = bool((np.diff(order) > 0).all())
    found: list[Numbers] = []
    for step in search(state.book, order, state.search.query, state.at):
        found.append(step.found)
        if step.share >= 1 or time.monotonic() - begun > PIECE:
            last = int(np.searchsorted(order, step.stop)) - 1 if ascending else state.search.last
            yield _search_update(np.concatenate(found), step.share, last)
            found, begun = [], time.monotonic()


def _search_update(found: Numbers, share: float, last: int) -> Update:
    return lambda state: searched(state, found, share, last)


def filter_updates(
    book: Book, conditions: Sequence[str], marks: Marks | None, arrange: Callable[[Numbers], Numbers]
) -> Iterator[Update]:
    """Filter all pairs: yields, every ``PIECE``, what to do with the state of that moment."""
    parsed = [parse_condition(text, marks is not None) for text in conditions]
    found, begun = [NOTHING], time.monotonic()
    for step in matching(book, parsed, marks):
        found.append(step.found)
        if time.monotonic() - begun > PIECE:
            yield _filter_progress(step.share)
            begun = time.monotonic()
    order = arrange(np.concatenate(found))
    yield lambda state: filtered(state, order, tuple(conditions))


def _filter_progress(share: float) -> Update:
    return lambda state: replace(state, filtering=share)
