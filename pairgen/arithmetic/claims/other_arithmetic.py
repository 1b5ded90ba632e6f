"""Claims that hold in another arithmetic that the text is about: modulo a number, or in another base."""

import re

from pairgen.arithmetic.claims.closed import Claim
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.ratios import equal, subtract

_MODULAR = re.compile(
    r"\bmod(?:ulo|ular)?\b|mod\b|\bcongruent|\\equiv|≡|\bclock\b|\bremainder|\bo'clock", re.IGNORECASE
)
_MODULUS = re.compile(r"(?:mod(?:ulo)?|by)[ {}()$\\]*(\d{1,6})|[ {(](\d{1,6})[)}]*[ $]*-?(?:hour|clock)", re.IGNORECASE)
_BASE = re.compile(r"\bbases?\b|\bbinary\b|\boctal\b|\bhexadecimal\b|\d_\{?\d", re.IGNORECASE)
_INTEGER = re.compile(r"(?<![\w.])\d+(?![\w.])", re.ASCII)
_DAY = (12, 24)


def is_mentioned(text: str) -> bool:
    """Whether a text is about numbers modulo another or in another base, or about a clock."""
    return _MODULAR.search(text) is not None or _BASE.search(text) is not None


def holds(claim: Claim, text: str) -> bool:
    """Whether a claim holds modulo a number that the text names, or in any base if it is about bases."""
    return (_MODULAR.search(text) is not None and _holds_modulo(claim, text)) or (
        _BASE.search(text) is not None and any(_in_base(claim, base) for base in range(2, 17))
    )


def _holds_modulo(claim: Claim, text: str) -> bool:
    top, bottom = subtract(claim.value, claim.literal.value)
    named = {int(one or other) for one, other in _MODULUS.findall(text)} - {0, 1}
    if bottom != 1 and top % bottom:  # an inverse: 1/50 is 24 modulo 1199
        return True
    return any(top // bottom % modulus == 0 for modulus in (*named, *_DAY))


def _in_base(claim: Claim, base: int) -> bool:
    """Whether the claim holds if all its integers are in this base."""
    stated = str(claim.literal.numerator)
    try:
        expression = _INTEGER.sub(lambda found: str(int(found[0], base)), claim.expression)
        value = evaluate_text(expression)
        return value is not None and equal(value, (int(stated, base), 1))
    except ValueError:  # a digit that the base does not have
        return False
