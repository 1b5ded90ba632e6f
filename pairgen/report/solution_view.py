"""The terminal view of ``explain``: a solution with its results numbered in place, then a table of the results."""

from collections.abc import Iterator, Mapping
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
    return Constrain(Group(*parts, _answer(explanation), _corruption(explanation), Text()), width)


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
    """One row per result: number, text, check, where it is used, and its calculation or why it is unchecked."""
    headings = ("value", "check", "used in", "calculation / reason unchecked")
    table = FittedTable(Column("#"), *(Column(heading, numeric=False) for heading in headings))
    for number, step in _numbered(steps):
        check = Text(safe_text(step["check"]).plain, style=_STYLES.get(step["check"], ""))
        table.add_row(str(number), step["text"], check, _arrow(step["used_by"]), step["expression"] or step["reason"])
    return table


def _arrow(used_by: list[int] | None) -> str:
    """The results that use one, ``-> 3, 4``; a question mark where that is uncertain."""
    if used_by is None:
        return "?"
    return f"-> {', '.join(map(str, used_by))}" if used_by else ""


def _answer(explanation: Mapping[str, Any]) -> Text:
    answer = explanation["answer"]
    return Text.assemble(("final answer: ", "bold"), shorten(answer["text"]) if answer else "none found")


def _corruption(explanation: Mapping[str, Any]) -> Text:
    """The corruption a build would make: ``#3  24 -> 22  (result, verified)``, and what would follow from it."""
    corruption = explanation["corruption"]
    if corruption is None:
        return Text.assemble(("no corruption possible: ", "bold"), shorten(explanation["dropped"]))
    number = f"#{corruption['step']}" if corruption["step"] else OUTSIDE
    checked = corruption["check"] if corruption["reason"] is None else f"{corruption['check']}: {corruption['reason']}"
    return Text.assemble(
        ("would be corrupted: ", "bold"),
        f"{number}  ",
        *_replacement(corruption),
        "  (",
        shorten(f"{corruption['strategy']}, {checked}"),
        ")",
        *_followers(explanation),
    )


def _replacement(corruption: Mapping[str, Any]) -> list[str | Text]:
    """The result and the wrong one, with their calculations if that is changed: ``4 * 6 = 24 -> 4 + 6 = 10``."""
    edits = [edit for edit in corruption["edits"] if edit["start"] <= corruption["start"]]
    if len(edits) < 2:
        return [shorten(corruption["correct"]), " -> ", shorten(corruption["corrupted"])]
    sides = ((corruption["expression"], corruption["correct"]), (edits[-1]["expression"], corruption["corrupted"]))
    right, wrong = (shorten(f"{expression} = {result}") for expression, result in sides)
    return [right, " -> ", wrong]


def _followers(explanation: Mapping[str, Any]) -> Iterator[str | Text]:
    """What follows from the error: ``then #4 36 -> 30, 36 -> 30``; numbers without # are repeated ones."""
    corruption = explanation["corruption"]
    numbers = {step["start"]: number for number, step in _numbered(explanation["steps"])}
    before = "\nthen "
    for edit in corruption["edits"]:
        if edit["start"] > corruption["start"]:
            number = f"#{numbers[edit['start']]}  " if edit["start"] in numbers else ""
            yield f"{before}{number}"
            yield shorten(f"{edit['original']} -> {edit['corrupted']}")
            before = ", "
