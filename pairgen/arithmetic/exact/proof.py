"""A stated result proved by recomputing the calculation in front of it, or the reason why it is not."""

import re
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact.evaluate import evaluate, states
from pairgen.arithmetic.exact.numbers import Literal, Ratio, lowest_terms, parse
from pairgen.arithmetic.reading.plain import plain
from pairgen.arithmetic.reasons import NO_CALCULATION, NOT_EXACT, NOT_TRUE, TOO_LARGE

ONE_NUMBER = re.compile(r"\(*-?[\d.]+\)*", re.ASCII)
"""An operand alone, which is no calculation."""


class Proof(NamedTuple):
    """What exact arithmetic says of a stated result.

    ``expression`` is in ASCII, ``value`` its exact value in the literal's unit, ``stated`` that of the literal as p/q
    (the two differ where the result is rounded). ``substituted`` says that unknowns were replaced by their values.
    """

    expression: str
    value: Ratio
    stated: str
    substituted: bool = False


@lru_cache(1 << 16)
def prove(calculation: str, literal: str, percent: bool) -> Proof | None:
    """Recompute a calculation in plain text; None unless ``literal`` states its result rightly.

    Answers are kept: MetaMath asks each question some 26 times, so most calculations come again and again.
    """
    result = parse(literal)
    if result is None:
        return None
    proof = judge(plain(calculation), result, percent)
    return proof if isinstance(proof, Proof) else None


def judge(expression: str, result: Literal, percent: bool, substituted: bool = False) -> Proof | str:
    """Whether ``result`` states the value of an expression; the reason if not.

    A result with a percent sign is read first as hundredths (``1/4 = 25%``: ``100*(1/4)`` is 25), then as the bare
    number (``1/4 * 100 = 25%``), so that ``expression`` always has the value of the literal as it is written.
    """
    if ONE_NUMBER.fullmatch(expression):
        return NO_CALCULATION
    value = evaluate(expression)
    if value is None:
        return TOO_LARGE if len(expression) > 300 else NOT_EXACT
    stated = lowest_terms(result.value)
    hundredfold = (value[0] * 100, value[1])
    if percent and states(result, hundredfold):
        return Proof(f"100*({expression})", hundredfold, stated, substituted)
    return Proof(expression, value, stated, substituted) if states(result, value) else NOT_TRUE
