"""Multiple-choice questions: the correct choice is chosen, and each wrong choice gives one pair."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.interface import MAX_LENGTH, CorruptionOptions, Example
from pairgen.pairs.edits import span
from pairgen.pairs.record import DropRow, Rejection

_PYTHON_TEXT = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(\s+(?=['"]))?|\barray\(|,\s*dtype=\w+|\)""", re.DOTALL
)
"""A string with the space before the next one, or a word around an array."""


def structured(value: Any) -> Any:
    """The list or dictionary that a text stands for, or ``value`` itself.

    CSV files hold lists as text: as JSON, or as Python or numpy print them, ``['a' 'b']`` or
    ``{'text': array(['a', 'b'], dtype=object)}``.
    """
    if type(value) is not str or not value.lstrip().startswith(("[", "{")) or len(value) > MAX_LENGTH:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    text = _PYTHON_TEXT.sub(lambda part: part[1] + ("," if part[2] else "") if part[1] else "", value)
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


_FLOAT = re.compile(r"(?<=\d)\.0+\Z")
"""End of an integer in a column that once had a null: ``3.0``."""


def label_text(value: Any) -> str | None:
    """A label or an index as text, ``3`` also for 3.0; None if it is null, NaN or blank, which never matches."""
    if value is None or value != value:
        return None
    return _FLOAT.sub("", str(value).strip()) or None


def labelled(choices: Any) -> tuple[list[Any], list[Any]]:
    """Texts and labels of ``{text: [...], label: [...]}`` or ``[{text, label}, ...]``. Raises DropRow."""
    if isinstance(choices, Mapping):
        texts, labels = choices.get("text"), choices.get("label")
    elif isinstance(choices, list) and all(isinstance(choice, Mapping) for choice in choices):
        texts, labels = [choice.get("text") for choice in choices], [choice.get("label") for choice in choices]
    else:
        raise DropRow("malformed choices")
    if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
        raise DropRow("malformed choices")
    return texts, labels


def choice_example(source: str, question: str, choices: Sequence[str], correct: int, row: Mapping[str, Any]) -> Example:
    """An example for ``reject_choices``.

    Args:
        choices: clean texts; ``correct`` is the index of the answer.

    Raises:
        DropRow: there is no wrong choice.
    """
    if len(choices) < 2:
        raise DropRow("no wrong choice")
    answer = choices[correct]
    others = [*choices[:correct], *choices[correct + 1 :]]
    return Example(question, answer, source, "\0".join((question, answer, *others)), question, row, others)


def reject_choices(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """One rejection per wrong choice, in the order of the source."""
    del rng, options
    if example.answer in example.detail:
        raise DropRow("a wrong choice is identical to the correct one")
    return [Rejection(text, span(example.answer, text)) for text in example.detail]
