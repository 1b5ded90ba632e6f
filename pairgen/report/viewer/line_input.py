"""The line at the bottom in which a reader types a pair's number, a search, a filter or a note."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pairgen.errors import UsageError
from pairgen.report.filter import parse_condition
from pairgen.report.viewer.view_state import Input, Request, State, moved, searching, seek

AND = " & "
"""Between the conditions of a filter. In a value it is written with a backslash: `` \\\\& ``."""


class Kind(NamedTuple):
    """What is typed, and what Enter does with it."""

    label: str
    enter: Callable[[State, str], State]


def ask(state: State, kind: str, text: str = "") -> State:
    """Let the reader type, beginning with this text."""
    return replace(state, input=Input(kind, text, len(text)), message="")


def ask_filter(state: State) -> State:
    """Let the reader change the filter."""
    marks = ", mark=good, mark=none" if state.marks is not None else ""
    hint = (
        f"such as check=verified, source!=arc, edit_distance<0.1, chosen~text{marks}; several with &, empty: all pairs"
    )
    return replace(ask(state, "filter", join_conditions(state.filter)), message=hint)


def typed(state: State, key: str) -> State:
    """The state after a key that is pressed while typing."""
    line = state.input
    assert line is not None
    if key == "enter":
        return KINDS[line.kind].enter(replace(state, input=None, message=""), line.text)
    if key in ("escape", "ctrl-c") or (key == "backspace" and not line.text):
        return replace(state, input=None, message="")
    return replace(state, input=edited(line, key))


def edited(line: Input, key: str) -> Input:
    """The line after a key; one that does not edit it leaves it as it is."""
    before, after = line.text[: line.cursor], line.text[line.cursor :]
    match key:
        case "left" | "right":
            at = line.cursor + (1 if key == "right" else -1)
            return replace(line, cursor=max(0, min(at, len(line.text))))
        case "home":
            return replace(line, cursor=0)
        case "end":
            return replace(line, cursor=len(line.text))
        case "backspace":
            before = before[:-1]
        case "delete":
            after = after[1:]
        case "ctrl-u":
            before = ""
        case "ctrl-w":
            before = re.sub(r"\S*\s*\Z", "", before)
        case "space":
            before += " "
        case _ if len(key) == 1:
            before += key
    return replace(line, text=before + after, cursor=len(before))


# ---------------------------------------------------------------- what Enter does


def _go_to(state: State, text: str) -> State:
    """Go to a pair by its position in the list, counted from 1, or by its id."""
    word = text.strip().replace(",", "")
    if not word:
        return state
    if word.isdecimal() and len(word) < 16:
        total = len(state.order)
        if 1 <= int(word) <= total:
            return moved(state, int(word) - 1)
        return replace(moved(state, int(word) - 1), message=f"there are {total:,} pairs")
    for number in state.book.find(text.strip()):
        found = np.flatnonzero(state.order == number)
        if len(found):
            return moved(state, int(found[0]))
        return replace(state, message=f"the filter leaves out the pair {text.strip()}")
    return replace(state, message=f"no pair has the number or id {text.strip()}")


def _search(state: State, text: str) -> State:
    """Search for a text; for an empty one, go to the next match of the last search."""
    return searching(state, text) if text else seek(state, 1)


def _filter(state: State, text: str) -> State:
    """Filter by the conditions; none shows all pairs."""
    conditions = split_conditions(text)
    try:
        for condition in conditions:
            parse_condition(condition, state.marks is not None)
    except UsageError as error:
        return replace(ask(state, "filter", text), message=str(error).removeprefix("--where "))
    return replace(state, filtering=0.0, request=Request("filter", filter=conditions))


def _note(state: State, text: str) -> State:
    """Change the note of the pair; an empty one removes it."""
    return replace(state, request=Request("mark", mark=state.mark._replace(note=text.strip() or None)))


def split_conditions(text: str) -> tuple[str, ...]:
    """The conditions of a filter as it is typed."""
    parts = [part.replace(" \\& ", AND).strip() for part in text.split(AND)]
    return tuple(part for part in parts if part)


def join_conditions(conditions: tuple[str, ...]) -> str:
    """Conditions as a filter is typed; ``split_conditions`` reads it."""
    return AND.join(condition.replace(AND, " \\& ") for condition in conditions)


KINDS = {
    "pair": Kind("go to pair (number or id)", _go_to),
    "search": Kind("search", _search),
    "filter": Kind("filter", _filter),
    "note": Kind("note", _note),
}
"""What can be typed."""
