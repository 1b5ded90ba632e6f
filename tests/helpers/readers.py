"""A terminal without a terminal: keys from a list, and screens as text."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from rich.cells import cell_len

from helpers.rows import CORRUPTION, make_folder, pair
from pairgen.pairs.dataset import PairDataset
from pairgen.report.viewer.body import Line
from pairgen.report.viewer.reading import Options, Reader, opened
from pairgen.report.viewer.screen import plain
from pairgen.report.viewer.view_state import Size, State

STOP = "stop"
"""Among keys: look at the screen only when all work is done."""


class Keyboard:
    """Gives each key as soon as it is asked for one; work goes on only before ``STOP``."""

    def __init__(self, keys: Iterable[str], size: Size) -> None:
        self.size = size
        self.shown: list[str] = []
        self.screens: list[list[str]] = []
        self._keys: Iterator[str] = chain(keys, [STOP])
        self._waits = False

    def draw(self, lines: Sequence[Line], size: Size) -> None:
        self.shown = plain(lines)
        assert len(self.shown) == size.height
        assert all(cell_len(line) <= size.width for line in self.shown), self.shown
        self.shown = [line.rstrip() for line in self.shown]
        self.screens.append(self.shown)

    def keys(self, timeout: float | None) -> list[str] | None:
        if self._waits and timeout is not None:
            return []
        self._waits = False
        key = next(self._keys, None)
        if key == STOP:
            self._waits = True
            return []
        return None if key is None else [key]

    def forget(self) -> None:
        self.shown = []

    def suspend(self) -> None:
        self.forget()


def read(
    dataset: PairDataset, keys: Iterable[str], options: Options = Options(), size: Size = Size(80, 24)
) -> tuple[State, Keyboard]:
    """Press keys; the state and the terminal after them."""
    keyboard = Keyboard(keys, size)
    state = opened(dataset, options)
    return Reader(state.book, options, keyboard).run(state), keyboard


def small_dataset(path: Path) -> PairDataset:
    """Groups with one prompt, a long and a wide text, and control characters; 14 pairs in two splits."""
    long = "Once there was a very long story about pens. " * 40
    sums = [
        pair(f" {n} + 1 = {n + 1}.", f" {n} + 1 = {n + 9}.", f"sum-{n}", f"How many pens, {n}?", **CORRUPTION)
        for n in range(6)
    ]
    group = [pair(" the SUN", f" a lamp {n}", f"lamp-{n}", "What shines?") for n in range(3)]
    odd = [
        pair(f"\n{long}The end is 7.", f"\n{long}The end is 8.", "long-1", f"{long}How long?"),
        pair(" 漢字かな交じり文 🦊🏽", " 漢字かな交じり文 🐻🏽", "wide-1", "どこですか?" * 30),
        pair(" \x1b[31mred\x07\ttab\r", " \x1b[32mred\x07\ttab\r", "control-1", "\u202eWhy\u200b?"),
    ]
    held_out = [pair(" a whale", " a shark", "eval-1", "Which?"), pair(" a whale", " a cod", "eval-2", "Which?")]
    return make_folder(path, {"train": [*sums, *group, *odd], "eval": held_out})
