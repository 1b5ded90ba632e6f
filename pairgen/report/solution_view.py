"""The terminal view of ``explain``: a solution with its results numbered in place, then a table of the results."""

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


def explained_view(explanation: Mapping[str, Any], width: int, where: str = "") -> RenderableType:
    """Render what ``explain`` found in one solution. Results are marked as ``[3: 24]``, so color is not needed.

    Args:
        explanation: the dict returned by ``explain``.
        width: width of the view, in terminal cells.
        where: file and line of the solution.
    """
    parts: list[RenderableType] = [Rule(shorten(where), style="dim")] if where else []
    parts += [Text("solution", style="bold"), Padding(_marked(explanation), (0, 0, 0, 2)), Text()]
    parts += [
        _table(explanation["steps"]) if explanation["steps"] else Text("no results found", style="dim"),
        Text(),
    ]
    return Constrain(Group(*parts, _corruption(explanation), Text()), width)


def _marked(explanation: Mapping[str, Any]) -> Text:
    """The solution with each result, and a corrupted value that is not a result, in brackets after its number."""
    spans = [
        (step["start"], step["stop"], str(number), step["check"]) for number, step in _numbered(explanation["steps"])
    ]
    corruption = explanation["corruption"]
    if corruption and corruption["step"] is None:
        spans.append((corruption["start"], corruption["stop"], OUTSIDE, corruption["check"]))
    solution, marked, position = explanation["solution"], Text(), 0
    for start, stop, number, check in sorted(spans):
        if start < position:  # inside another result
            continue
        style = _STYLES.get(check, "")
        marked.append_text(safe_text(solution[position:start]))
        marked.append(f"[{number}: {safe_text(solution[start:stop])}]", style)
        position = stop
    return marked.append_text(safe_text(solution[position:]))


_STYLES = {"verified": "bold green", "unchecked": "bold yellow"}


def _numbered(steps: list[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(steps, 1))


def _table(steps: list[Mapping[str, Any]]) -> FittedTable:
    """One row per result: number, text, check, and its calculation or the reason why it is unchecked."""
    headings = ("value", "check", "calculation / reason unchecked")
    table = FittedTable(Column("#"), *(Column(heading, numeric=False) for heading in headings))
    for number, step in _numbered(steps):
        check = Text(safe_text(step["check"]).plain, style=_STYLES.get(step["check"], ""))
        table.add_row(str(number), step["text"], check, step["expression"] or step["reason"])
    return table


def _corruption(explanation: Mapping[str, Any]) -> Text:
    """The corruption a build would make: ``#3  24 -> 22  (result, verified)``."""
    corruption = explanation["corruption"]
    if corruption is None:
        return Text.assemble(("no corruption possible: ", "bold"), shorten(explanation["dropped"]))
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
