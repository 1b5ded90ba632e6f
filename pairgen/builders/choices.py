"""Multiple-choice questions: the correct choice is chosen, and each wrong choice gives one pair."""

from collections.abc import Mapping, Sequence
from typing import Any

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.pairs.edits import span
from pairgen.pairs.record import DropRow, Rejection


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
