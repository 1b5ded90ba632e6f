"""What the whole terminal shows: a function of the state."""

from collections.abc import Iterable

from rich.text import Text

from pairgen.report.tables import facts
from pairgen.report.text import HIT, safe_text
from pairgen.report.viewer.actions import HELP
from pairgen.report.viewer.body import Line, body_lines, rendered, view_height
from pairgen.report.viewer.line_input import KINDS, join_conditions
from pairgen.report.viewer.marks import GOOD
from pairgen.report.viewer.view_state import Input, State

MAX_QUERY = 20
"""Cells of a query in the first line."""


def screen(state: State) -> list[Line]:
    """The lines of the terminal from its top, at most as many as it has and at most as wide."""
    width, height = state.size
    body, scroll = body_lines(state), state.scroll
    if state.help is not None:
        body, scroll = rendered(facts(HELP), width), state.help
    foot = _foot(state)[: max(1, height - 2)]
    room = max(0, height - 1 - len(foot))
    scroll = max(0, min(scroll, len(body) - view_height(state.size)))
    shown = body[scroll : scroll + room]
    head = rendered(_cropped(_head(state), width), width)[:1]
    return [*head, *shown, *([[]] * (room - len(shown))), *foot][-height:]


def plain(lines: Iterable[Line]) -> list[str]:
    """The characters of the lines."""
    return ["".join(part.text for part in line) for line in lines]


# ---------------------------------------------------------------- the first line


def _head(state: State) -> Text:
    """Where the reader is, from the most to the least important: a narrow terminal cuts the end."""
    parts = [*_place(state), *_search(state), *_filter(state)]
    if state.marks:
        parts.append(Text(f"{len(state.marks):,} marked"))
    if len(state.order):
        parts.append(Text(f"{state.book.name}/{state.book.split_of(state.number)}"))
    return Text("  ").join(parts)


def _place(state: State) -> list[Text]:
    if not len(state.order):
        return []
    parts = [Text(f"{state.at + 1:,} of {len(state.order):,}", style="bold")]
    mark = state.mark
    if mark.mark:
        parts.append(Text(mark.mark, style="bold green" if mark.mark == GOOD else "bold red"))
    if mark.note:
        parts.append(Text("note", style="bold"))
    return parts


def _search(state: State) -> list[Text]:
    search = state.search
    if not search.query:
        return []
    query = _one_line(search.query)
    query.truncate(MAX_QUERY, overflow="ellipsis")
    found = f"{len(search.hits):,}{'' if search.share >= 1 else '+'}"
    here = search.hits.searchsorted(state.at)
    if here < len(search.hits) and search.hits[here] == state.at and search.share >= 1:
        found = f"{here + 1:,} of {found}"
    going = "" if search.is_complete else f", searching {search.share:.0%}"
    return [Text.assemble(Text("search "), (query.plain, HIT), f" {found}{going}")]


def _filter(state: State) -> list[Text]:
    if state.filtering is not None:
        return [Text(f"filtering {state.filtering:.0%}")]
    return [_one_line(f"filter {join_conditions(state.filter)}")] if state.filter else []


def _one_line(text: str) -> Text:
    return safe_text(" ".join(text.split()))


def _cropped(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text


# ---------------------------------------------------------------- the last lines


def _foot(state: State) -> list[Line]:
    """A message, the line that is typed, or else the keys."""
    width, lines = state.size.width, []
    if state.message:
        lines = rendered(safe_text(state.message), width)
    if state.input is not None:
        return [*lines, *rendered(_input_line(state.input, width), width)[:1]]
    return lines or rendered(_hints(state), width)[:1]


def _input_line(line: Input, width: int) -> Text:
    """What is typed, around the cursor if it is longer than the line."""
    label = f"{KINDS[line.kind].label}: "
    before, at, after = line.text[: line.cursor], line.text[line.cursor : line.cursor + 1], line.text[line.cursor + 1 :]
    text = Text.assemble(safe_text(before), (safe_text(at or " ").plain, HIT), safe_text(after))
    room = max(2, width - len(label) - 1)
    while safe_text(before).cell_len > room:
        before = before[1:]
    text = text[len(safe_text(line.text[: line.cursor])) - len(safe_text(before)) :]
    return _cropped(Text.assemble((label, "bold"), text), width)


def _hints(state: State) -> Text:
    """The keys that matter most now, as many as fit."""
    if state.help is not None:
        return _cropped(Text("↑ ↓ scroll  any other key: back", style="dim"), state.size.width)
    hints = [
        (0, "?", "help"),
        (0, "q", "quit"),
        *([(1, "n N", "match")] if state.search.query else []),
        *([(1, "Esc", "stop")] if not state.search.is_complete or state.filtering is not None else []),
        (2, "← →", "pair"),
        *([(3, "+ -", "good, bad"), (4, "m", "note")] if state.marks is not None else []),
        (5, "/", "search"),
        (6, "f", "filter"),
        (7, "Space", "down"),
        (8, "o", "in full"),
    ]
    shown: list[tuple[int, str, str]] = []
    for hint in sorted(hints):
        line = _hint_line([*shown, hint])
        if line.cell_len <= state.size.width:
            shown.append(hint)
    return _cropped(_hint_line(shown), state.size.width)


def _hint_line(hints: Iterable[tuple[int, str, str]]) -> Text:
    ordered = sorted(hints, key=lambda hint: (hint[0] == 0, hint))  # help and quit at the end
    return Text("  ").join(Text.assemble((keys, "bold"), (f" {about}", "dim")) for _, keys, about in ordered)
