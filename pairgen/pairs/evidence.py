"""Verification of corruptions from their columns alone, by exact arithmetic."""

import re

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
