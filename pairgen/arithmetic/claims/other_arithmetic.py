"""Claims that hold in another arithmetic that the text is about: modulo a number, or in another base."""

import re

from pairgen.arithmetic.claims.closed import Claim
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.ratios import equal, subtract

_MODULAR = re.compile(
    r"\bmod(?:ulo|ular)?\b|mod\b|\bcongruent|\\equiv|≡|\bclock\b|\bo'clock|\bF_\{?\d"
    r"|\bremainders? (?:on|after|upon) division",
    re.IGNORECASE,
)
_MODULUS = re.compile(
    r"(?:mod(?:ulo)?|by|\bF_)[ {}()$\\]*(\d{1,6})|[ {(](\d{1,6})[)}]*[ $]*-?(?:hour|clock)", re.IGNORECASE
)
_BASE = re.compile(
    r"\bbases\b|\b(?:in|what|which) base\b|\bbase[- ](?:\$|\d|\\|[a-z]\b)|\bbinary\b|\boctal\b|\bhexadecimal\b"
    r"|\d_\{?\d",
    re.IGNORECASE,
)
_INTEGER = re.compile(r"(?<![\w.])\d+(?![\w.])", re.ASCII)
_CLOCK = re.compile(r"\bclock\b|o'clock", re.IGNORECASE)


# An operation that the problem defines: `Let a * b = 2a + 3b`.
_DEFINED = re.compile(
    r"\bdefin(?:e|ed|es|ition)\b|\\(?:ast|star|oplus|otimes|circ(?!\}))\b|\boperation\b"
    r"|\bLet ([a-z]) ?(?:\*|\\ast) ?[a-z] = [^.=\n]{0,20}\1",
    re.IGNORECASE,
)
_REDEFINED = re.compile(r"['\"“‘`][-+*×÷/−]['\"”’`] means\b|\b[a-z] ?[-+*×÷/−] ?[a-z] means\b")  # `'+' means '×'`
_BOOLEAN = re.compile(r"\bboolean\b|\bXOR\b", re.IGNORECASE)


_OWN_SIGN = re.compile(r"\*|\\ast")


def holds(claim: Claim, text: str) -> bool:
    """Whether a claim holds modulo a number that the text names, in any base if it is about bases, or by a definition.

    ``text`` is the question and the solution.
    """
    if "*" in claim.expression and _DEFINED.search(text) is not None and _OWN_SIGN.search(claim.written):
        return True
    if _REDEFINED.search(text) or (_BOOLEAN.search(text) and set(_INTEGER.findall(claim.expression)) <= {"0", "1"}):
        return True
    return (_MODULAR.search(text) is not None and _holds_modulo(claim, text)) or (
        _BASE.search(text) is not None and any(_in_base(claim, base) for base in range(2, 17))
    )


def _holds_modulo(claim: Claim, text: str) -> bool:
    top, bottom = subtract(claim.value, claim.literal.value)
    named = {int(one or other) for one, other in _MODULUS.findall(text)} - {0, 1}
    if bottom != 1 and top % bottom:  # an inverse: 1/50 is 24 modulo 1199
        return True
    named |= {12, 24} if _CLOCK.search(text) else set()
    return any(top // bottom % modulus == 0 for modulus in named)


def _in_base(claim: Claim, base: int) -> bool:
    """Whether the claim holds if all its integers are in this base."""
    stated = str(claim.literal.numerator)
    try:
        expression = _INTEGER.sub(lambda found: str(int(found[0], base)), claim.expression)
        value = evaluate_text(expression)
        return value is not None and equal(value, (int(stated, base), 1))
    except ValueError:  # a digit that the base does not have
        return False
