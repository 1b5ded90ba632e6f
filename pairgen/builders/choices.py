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
