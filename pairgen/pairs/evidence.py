"""Verification of corruptions from their columns alone, by exact arithmetic."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import equal
from pairgen.arithmetic.exact.verification import matches

_VALUE = re.compile(r"(-?[0-9]{1,100})(?:/([0-9]{1,100}))?")
"""Longer ones are the value of no literal that ``parse_literal`` accepts."""


def has_value(literal: str | None, value: str | None) -> bool:
    """Whether a literal has the exact value ``p/q`` (or ``p``): ``3.50`` has ``7/2``."""
    parsed = parse_literal(literal) if literal else None
    match = _VALUE.fullmatch(value) if value else None
    if parsed is None or match is None:
        return False
    denominator = int(match[2] or 1)
    return denominator > 0 and equal(parsed.value, (int(match[1]), denominator))


def gives(expression: str, literal: str | None) -> bool:
    """Whether a literal states the value of an expression."""
    written, value = parse_literal(literal) if literal else None, evaluate_text(expression)
    return written is not None and value is not None and matches(written, value)


def is_confirmed(expression: str | None, correct: str | None, corrupted: str | None) -> bool:
    """Whether the value of an expression is what ``correct`` states, and not what ``corrupted`` states.

    A literal with decimals states every value that rounds to it. The expression of a percentage is already multiplied
    by 100 (``1/4 = 25%`` has ``100*(1/4)``), so its value is that of the literal without the percent sign.
    """
    right, wrong = (parse_literal(text) if text else None for text in (correct, corrupted))
    value = evaluate_text(expression) if expression else None
    if right is None or wrong is None or value is None:
        return False
    return matches(right, value) and not matches(wrong, value)


# ---------------------------------------------------------------- several edits

RESULT = "result"
"""The kind of error that leaves the calculation as it is."""

Edits = Sequence[Mapping[str, Any] | None]


def place_of_result(error: str | None, edits: Edits) -> int:
    """Which edit is that of the result: the first with an expression if the calculation is wrong, else the first.

    The edits before it change its calculation, those behind it follow from it.
    """
    if error in (None, RESULT):
        return 0
    return next((at for at, edit in enumerate(edits) if edit and edit["expression"] is not None), 0)


def are_edited_texts(
    correct: str | None, corrupted: str | None, error: str | None, edits: Edits | None, *pair: Any
) -> bool:
    """Whether ``correct`` and ``corrupted`` are the texts of the wrong result in both completions.

    Args:
        pair: ``edit_start``, both stops, ``chosen`` and ``rejected``.
    """
    start, stop, other_stop, chosen, rejected = pair
    other = start
    if edits and (edit := edits[place_of_result(error, edits)]):
        start, stop, other, other_stop = list(edit.values())[:4]
    return bool(chosen[start:stop] == correct and rejected[other:other_stop] == corrupted)


def follows(error: str | None, edits: Edits, chosen: str, rejected: str) -> bool:
    """Whether edits say what they are, and calculations after the wrong result give what is written in rejected."""
    result = place_of_result(error, edits)
    for at, edit in enumerate(edits):
        if edit is None:
            continue
        start, stop, other_start, other_stop = list(edit.values())[:4]
        texts = chosen[start:stop], rejected[other_start:other_stop]
        if edit["correct"] is not None and texts != (edit["correct"], edit["corrupted"]):
            return False
        if at > result and edit["expression"] is not None and not gives(edit["expression"], edit["corrupted"]):
            return False
    return True


def is_step_of(error: str, expression: str | None, corrupted: str | None, edits: Edits | None) -> bool:
    """Whether the step in rejected is wrong in the way that ``error`` says.

    A wrong result is that of the right calculation, ``expression``. Otherwise the calculation is changed by edits
    before that of the result; its new expression has exactly the value of ``corrupted``, and another one than before.
    """
    at = place_of_result(error, edits or ())
    edit = edits[at] if edits else None
    new = edit["expression"] if edit else None
    if error == RESULT:
        return at == 0 and new in (None, expression)
    literal = parse_literal(corrupted or "")
    value, right = evaluate_text(new or ""), evaluate_text(expression or "")
    if not at or literal is None or value is None or right is None:
        return False
    return equal(literal.value, value) and not equal(value, right)
