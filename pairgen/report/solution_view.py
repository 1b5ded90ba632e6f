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
"""Label of a corrupted value that is not one of the results."""


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
    return Constrain(Group(*parts, _corruption(found), Text()), width)


def _marked(found: Mapping[str, Any]) -> Text:
    """The solution, each result in brackets after its number; and the corrupted value, if it is none of them."""
    places = [(step["start"], step["stop"], str(number), step["check"]) for number, step in _numbered(found["steps"])]
    corruption = found["corruption"]
    if corruption and corruption["step"] is None:
        places.append((corruption["start"], corruption["stop"], OUTSIDE, corruption["check"]))
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
    heads = ("value", "check", "calculation / reason unchecked")
    table = FittedTable(Column("#"), *(Column(head, numeric=False) for head in heads))
    for number, step in _numbered(steps):
        check = Text(safe_text(step["check"]).plain, style=_STYLES.get(step["check"], ""))
        table.add_row(str(number), step["text"], check, step["expression"] or step["reason"])
    return table


def _corruption(found: Mapping[str, Any]) -> Text:
    """The corruption a build would make: ``#3  24 -> 22  (result, verified)``."""
    corruption = found["corruption"]
    if corruption is None:
        return Text.assemble(("no corruption possible: ", "bold"), shorten(found["dropped"]))
    number = f"#{corruption['step']}" if corruption["step"] else OUTSIDE
    checked = corruption["check"] if corruption["reason"] is None else f"{corruption['check']}: {corruption['reason']}"
    return Text.assemble(
        ("would be corrupted: ", "bold"),
        f"{number}  ",
        shorten(corruption["correct"]),
        " -> ",
        shorten(corruption["corrupted"]),
        "  (",
        shorten(f"{corruption['strategy']}, {checked}"),
        ")",
    )
