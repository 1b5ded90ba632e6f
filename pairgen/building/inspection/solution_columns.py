"""Which columns of a row hold worked solutions, and their texts; for commands that look at solutions.

A solution may be a text, chat messages of which the last is the solution, or a list of steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairgen.builders.interface import clean_text
from pairgen.errors import SourceError
from pairgen.pairs.record import DropRow

ANSWERS = ("response", "solution", "answer")
"""Fields of a row that may hold the solution; the first one present is used."""

QUESTIONS = ("query", "question")
"""Fields of a row that may hold the question; the first one present is used."""

PAIRS = ("chosen", "rejected")
"""Fields that hold the solutions of a preference pair; both are used."""

STEPS = ("steps", "completions")
"""Fields that may hold a solution as a list of its steps: of ProcessBench, and of stepwise labels such as PRM800K's."""

SOURCES = ("source", "type", "generator")
"""Fields that say where a row comes from; the first one present is used."""


class Texts(NamedTuple):
    """A column of a row: the text of a solution, or its steps."""

    column: str
    parts: list[str]
    is_steps: bool


def columns_of(row: Mapping[str, Any], steps: bool) -> list[str]:
    """The columns with solutions: those of a pair, else of a solution, else of steps; ``steps``: only those.

    Raises:
        SourceError: there is none.
    """
    if not steps:
        if found := [name for name in PAIRS if row.get(name)]:  # data for fine-tuning has no rejected completions
            return found
        if found := [name for name in ANSWERS if row.get(name) is not None][:1]:
            return found
    if found := [name for name in STEPS if row.get(name) is not None][:1]:
        return found
    wanted = STEPS if steps else (*ANSWERS, *STEPS, *PAIRS)
    raise SourceError(f"has no solution in {', '.join(wanted[:-1])} or {wanted[-1]}")


def texts_of(row: Mapping[str, Any], column: str) -> Texts:
    """The solution in a column, as it is. Raises SourceError if it is not a text, messages or a list of steps."""
    value = row[column]
    if not isinstance(value, Sequence) or isinstance(value, str):
        checked_text(value, column)
        return Texts(column, [value], False)
    parts = [part for item in value if (part := _part(item)) is not None]
    if not parts or len(parts) < len(value):
        raise SourceError(f"{column} is not a text or a list of steps")
    if all(isinstance(item, Mapping) and ("role" in item or "from" in item) for item in value):
        checked_text(parts[-1], column)
        return Texts(column, parts[-1:], False)
    checked_text("\n".join(parts), column)
    return Texts(column, parts, True)


def _part(item: Any) -> str | None:
    """The text of a step or message: itself, or under one of the names that datasets give it."""
    if isinstance(item, Mapping):
        if item.get("completions"):  # PRM800K: several versions of a step, of which the first is read
            return _part(item["completions"][0])
        item = next((item[name] for name in ("text", "content", "value", "step") if name in item), None)
    return item if isinstance(item, str) else None


def checked_text(text: Any, what: str, where: str = "") -> str:
    """The stripped text; raises ``SourceError`` if it is empty, too long or not valid Unicode."""
    start = f"{where}: " if where else ""
    try:
        clean = clean_text(text, what)
    except DropRow as drop:
        expected = "one worked solution at a time" if isinstance(text, str) and text.strip() else "a worked solution"
        raise SourceError(f"{start}{drop.reason}; give the text of {expected}") from None
    try:
        clean.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"{start}{what} is not valid Unicode; save it as UTF-8") from error
    return clean
