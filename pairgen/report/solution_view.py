"""The terminal view of ``explain``: a solution with its results numbered in place, then what was found of each."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from pairgen.report.tables import Column, FittedTable
from pairgen.report.text import safe_text, shorten

OUTSIDE = "*"
"""What stands for the number of a drawn place that is no result."""


def explained_view(found: Mapping[str, Any], width: int, where: str = "") -> RenderableType:
    """What ``explain`` found in one solution. Results are marked as ``[3: 24]``, which survives without colour.

    Args:
        found: what ``explain`` returned.
        width: cells of the view.
        where: file and line that the solution is from.
    """
    parts: list[RenderableType] = [Rule(shorten(where), style="dim")] if where else []
    parts += [Text("solution", style="bold"), Padding(_marked(found), (0, 0, 0, 2)), Text()]
    parts += [_table(found["steps"]) if found["steps"] else Text("no results found", style="dim"), Text()]
    return Constrain(Group(*parts, _drawn(found), Text()), width)


def _marked(found: Mapping[str, Any]) -> Text:
    """The solution, each result in brackets behind its number; and the drawn place, if it is none of them."""
    places = [(step["start"], step["stop"], str(number), step["check"]) for number, step in _numbered(found["steps"])]
    drawn = found["drawn"]
    if drawn and drawn["step"] is None:
        places.append((drawn["start"], drawn["stop"], OUTSIDE, drawn["check"]))
    solution, marked, done = found["solution"], Text(), 0
    for start, stop, number, check in sorted(places):
        if start < done:  # inside another result
            continue
        style = _STYLES.get(check, "")
        marked.append_text(safe_text(solution[done:start]))
        marked.append(f"[{number}: {safe_text(solution[start:stop])}]", style)
        done = stop
    return marked.append_text(safe_text(solution[done:]))


_STYLES = {"verified": "bold green", "unchecked": "bold yellow"}


def _numbered(steps: list[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(steps, 1))


def _table(steps: list[Mapping[str, Any]]) -> FittedTable:
    """One line per result: its number, its text, and the calculation that verifies it or why there is none."""
    heads = ("as written", "check", "calculation, or why it is unchecked")
    table = FittedTable(Column("#"), *(Column(head, numeric=False) for head in heads))
    for number, step in _numbered(steps):
        check = Text(safe_text(step["check"]).plain, style=_STYLES.get(step["check"], ""))
        table.add_row(str(number), step["text"], check, step["expression"] or step["reason"])
    return table


def _drawn(found: Mapping[str, Any]) -> Text:
    """What a build would make wrong: ``#3  24 -> 22  (result, verified)``."""
    drawn = found["drawn"]
    if drawn is None:
        return Text.assemble(("nothing to make wrong: ", "bold"), shorten(found["dropped"]))
    number = f"#{drawn['step']}" if drawn["step"] else OUTSIDE
    checked = drawn["check"] if drawn["reason"] is None else f"{drawn['check']}: {drawn['reason']}"
    return Text.assemble(
        ("would be drawn: ", "bold"),
        f"{number}  ",
        shorten(drawn["correct"]),
        " -> ",
        shorten(drawn["corrupted"]),
        "  (",
        shorten(f"{drawn['strategy']}, {checked}"),
        ")",
    )
