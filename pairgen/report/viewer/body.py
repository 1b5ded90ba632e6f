"""The lines of the pair that is shown: folded, highlighted and as wide as the terminal."""

import io
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from pairgen.report.pair_view import pair_view
from pairgen.report.text import MAX_TEXT, safe_text, shorten
from pairgen.report.viewer.book import Book
from pairgen.report.viewer.line_input import join_conditions
from pairgen.report.viewer.scan import hits
from pairgen.report.viewer.view_state import Size, State

Line = list[Segment]
"""What one line of the terminal shows."""

SAME_PROMPT = Text("(the prompt of the pair before; o shows it)", style="dim")

FIRST_LINES, LAST_LINES = 2, 4
"""Lines of a longer prompt that are shown, so that the completions are on the screen as well."""


def view_height(size: Size) -> int:
    """Lines of a pair that fit between the first and the last line of the terminal."""
    return max(1, size.height - 2)


def rendered(view: RenderableType, width: int) -> list[Line]:
    """A view as lines of at most ``width`` cells."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    return [
        Segment.adjust_line_length(line, width, pad=False)
        for line in console.render_lines(view, console.options.update(width=width, height=None), pad=False)
    ]


def body_lines(state: State) -> list[Line]:
    """All lines of the pair, also those that do not fit on the screen."""
    if not len(state.order):
        return rendered(_nothing(state), state.size.width)
    full = state.full != state.unfolded
    repeats = not full and _repeats_prompt(state)
    mark = None if state.marks is None else tuple(state.mark.columns().items())
    return _pair_lines(state.book, state.number, state.size.width, (full, repeats), (state.search.query, mark))


def _repeats_prompt(state: State) -> bool:
    return state.at > 0 and bool(state.book.row(int(state.order[state.at - 1]))["prompt"] == state.row["prompt"])


@lru_cache(maxsize=64)
def _pair_lines(book: Book, number: int, width: int, folds: tuple[bool, bool], extra: tuple[str, Any]) -> list[Line]:
    (full, repeats), (query, mark) = folds, extra
    row = book.row(number) | dict(mark or ())
    find = partial(hits, query=query)
    prompt = (
        None
        if full
        else SAME_PROMPT
        if repeats
        else _folded(shorten(row["prompt"], MAX_TEXT, find(row["prompt"])), width)
    )
    return rendered(pair_view(row, width, full, find, prompt), width)


def _folded(prompt: Text, width: int) -> Text:
    """The first and the last lines of a prompt, if it has many."""
    lines = prompt.wrap(Console(width=width), max(1, width - 2))
    if len(lines) <= FIRST_LINES + 1 + LAST_LINES:
        return prompt
    note = Text("[... o shows it in full ...]", style="dim")
    return Text("\n").join([*lines[:FIRST_LINES], note, *lines[-LAST_LINES:]])


def _nothing(state: State) -> Text:
    if state.filtering is not None:
        return Text("Reading the pairs ...", style="dim")
    if not len(state.book):
        return Text("\nThe dataset has no pairs.\n\nq quits.")
    words = f"No pair matches the filter {join_conditions(state.filter)}." if state.filter else "No pairs are shown."
    return safe_text(f"\n{words}\n\nf changes the filter, q quits.")


def revealed(state: State) -> State:
    """Scroll to the first match in the pair that a search went to; unfold the pair if the match is in a folded part."""
    if not state.reveal or not len(state.order):
        return state
    state = replace(state, reveal=False)
    line = _first_hit(body_lines(state))
    if line is None and not state.full:
        unfolded = replace(state, unfolded=True)
        line = _first_hit(body_lines(unfolded))
        state = unfolded if line is not None else state
    height = view_height(state.size)
    if line is None or state.scroll <= line < state.scroll + height:
        return state
    return replace(state, scroll=max(0, line - height // 3))


def _first_hit(lines: list[Line]) -> int | None:
    highlighted = (at for at, line in enumerate(lines) if any(part.style and part.style.reverse for part in line))
    return next(highlighted, None)
