"""Calculations in plain text, read backwards from their equals sign: ``She pays 3 boxes * $1,500 = ``.

The end of a calculation is known, its start is not. So the text is reversed, and patterns anchored at its first
character match the calculation. They are the fast path: ``sentence`` reads what they cannot.
"""

import re
from functools import lru_cache

from pairgen.arithmetic.reading import border

WINDOW = 200
"""Maximum length, in code points, of the text read before an equals sign; one-line calculations are shorter."""

CURRENCY = r"[$€£¥¢]"
OPERATOR = r"[-+*/×÷·−–]"

# Every part of the grammar is written backwards. Quantifiers are possessive where possible: they never backtrack, so no
# text makes matching slow.
# Examples, most common first: `42` (24), `05.1` (1.50), `005,1` (1,500).
_REVERSED_NUMBER = r"(?:\d++(?![.,])|\d+\.(?!\d)|(?:\d+\.)?(?:(?:\d{3},)+\d{1,3}(?!\d)|\d+))"
_REVERSED_VALUE = rf"%? ?(?:{CURRENCY} ?)?{_REVERSED_NUMBER}{CURRENCY}?-?\(*+"
_JUXTAPOSED = r"(?<=\()(?=[\d)])|(?=\))"  # 13(2), (3)(4): multiplied
_BARE = rf"\)*+{_REVERSED_VALUE}"
_BARE_JOINT = rf"(?: *(?:{OPERATOR}|x) *|{_JUXTAPOSED})"
_BARE_START = (  # the start of such a calculation; fast path for two bare numbers, `3 * 4`
    rf"(?: ?\d++\$? ?[-+*/x] ?\d| *{_BARE}{_BARE_JOINT}\)*+%? ?(?:{CURRENCY} ?)?\d)"
)

# Lookaheads for the first letter avoid trying each word, which is slow when case is ignored.
_JOINING_WORD = r"(?=[fsy])(?:fo|semit|yb dedivid|sulp|sunim)"  # of, times, divided by, plus, minus
CONNECTIVES = "because since so then thus hence therefore means if which"
"""Words that begin another statement: none of them is the unit of a number before it."""
_NOT_A_UNIT = (
    rf"(?=[defhnorstxy])(?:{_JOINING_WORD}|yb|dna|ro|si|era|ot|x|tnec ?rep"
    rf"|{'|'.join(word[::-1] for word in CONNECTIVES.split())})(?![a-z])"
)
_UNIT = rf"(?:(?:(?!{_NOT_A_UNIT})[a-z]{{2,20}}+|[ghlm])(?![a-z])(?: ?/ ?|-| )?){{1,4}}+"  # `pens/box`, `-ounce`, `g`
_OPERAND = rf"\)*+(?:{_UNIT})?{_REVERSED_VALUE}"
_JOINT = rf"(?: *(?:{OPERATOR}|x| {_JOINING_WORD} ) *|{_JUXTAPOSED})"
_CALCULATION = rf" *{_OPERAND}(?:{_JOINT}{_OPERAND})+"

_CONTINUES_LEFT = (  # to the left, with something outside these grammars: `2x + 5 + 3`, `a third of 4 * 6`
    rf"(?i:[\d.,)\]}}^_:]| *+(?:(?!-(?:\n|$)|[*+](?:\n\s*[^\d\s]|\n\n|$)){OPERATOR}"  # not a bullet
    r"|\^|\d|(?=[efsxy])(?:x|semit|sulp|sunim|eciwt"
    r"|yb (?:dedivid|deilpitlum)|fo (?:[\d%]|s?ht[a-z]+|s?driht|s?retrauq|flah))(?![a-z]))|[a-z](?![a-z'’]))"
)

starts_bare = re.compile(_BARE_START, re.ASCII).match
"""Whether a reversed text begins with a calculation of only numbers and operators: ``4 * 3``."""
starts = re.compile(_CALCULATION, re.ASCII | re.IGNORECASE).match
"""Whether a reversed text begins with a calculation; units and words may follow its numbers: ``snep 4 * sexob 3``."""

# The first grammar has no units and words: it is twice as fast, and reads four calculations in five. Each grammar comes
# with the number of code points it is given, and the maximum length of a calculation, so that the text before the
# calculation is in view.
_GRAMMARS = (
    (re.compile(rf"(?> *{_BARE}(?:{_BARE_JOINT}{_BARE})+)(?!{_CONTINUES_LEFT})", re.ASCII).match, 96, 44),
    (re.compile(rf"(?>{_CALCULATION})(?!{_CONTINUES_LEFT})", re.ASCII | re.IGNORECASE).match, WINDOW + 40, WINDOW - 20),
)


def backwards(text: str, stop: int, length: int = WINDOW) -> str:
    """The ``length`` code points before ``stop``, from right to left; ``stop`` is not 0."""
    return text[stop - 1 : stop - length - 1 if stop > length else None : -1]


def calculation_before(text: str, sign: int) -> str | None:
    """The calculation that ends at ``sign`` (the position of the equals sign), as written; None if it cannot be read.

    It cannot be read if it continues to the left with something other than plain arithmetic (``2x + 5 + 3 = 18``):
    ``5 + 3`` alone would verify nothing.
    """
    found = _matched_before(text, sign)
    if found is None:
        return None
    written, before = found
    return None if border.continues(before, len(written), written) else _without_open_brackets(written)


def supposed_calculation_before(text: str, sign: int) -> str | None:
    """The same, not knowing whether the calculation continues to the left: enough to see that its result is right."""
    found = _matched_before(text, sign)
    return None if found is None else _without_open_brackets(found[0])


@lru_cache(1 << 8)
def _matched_before(text: str, sign: int) -> tuple[str, str] | None:
    """What the first grammar matches before ``sign``, and the text it was given, from right to left."""
    for grammar, window, max_length in _GRAMMARS:
        before = text[sign - 1 : sign - window - 1 if sign > window else None : -1]
        calculation = grammar(before)
        if calculation is not None:
            length = calculation.end()
            if length < max_length or sign <= window:
                return text[sign - length : sign], before
    return None


def _without_open_brackets(calculation: str) -> str:
    """Remove brackets of the sentence, which close after the result: ``(2 + 3 = 5)``."""
    while calculation[:1] == "(" and calculation.count("(") > calculation.count(")"):
        calculation = calculation[1:]
    return calculation


_ASCII = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", **dict.fromkeys("$€£¥¢,")})
_PLAIN = re.compile(r"[\d.+*/() -]*", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?%", re.ASCII)
_OPERATOR_WORDS = {"x": "*", "of": "*", "times": "*", "divided by": "/", "plus": "+", "minus": "-"}
_WORD = re.compile(r"(?<![a-z])(x|of|times|divided by|plus|minus)(?![a-z])", re.ASCII | re.IGNORECASE)
_UNIT_FORWARDS = re.compile(r"(?: ?[/-] ?| )?[a-z]+", re.ASCII | re.IGNORECASE)
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)", re.ASCII)
_IMPLICIT_PRODUCT = re.compile(r"(?<=[\d)])(?=\()|(?<=\))(?=\d)", re.ASCII)


def without_leading_zeros(expression: str) -> str:
    """An expression that any parser reads: ``5 + 3`` for ``05 + 3``."""
    return _LEADING_ZEROS.sub("", expression) if "0" in expression else expression


@lru_cache(1 << 14)
def to_ascii(calculation: str) -> str:
    """A calculation as ASCII arithmetic: no currency, thousands separators or units; ``30%`` becomes ``(30/100)``."""
    if _PLAIN.fullmatch(calculation) and "(" not in calculation and "//" not in calculation:
        return without_leading_zeros(calculation.strip())
    text = calculation.translate(_ASCII).strip().replace("//", "/")
    if not _PLAIN.fullmatch(text):
        text = _WORD.sub(lambda word: _OPERATOR_WORDS[word.group().lower()], text)
        if "%" in text:
            text = _PERCENT.sub(r"(\1/100)", text)
        text = _UNIT_FORWARDS.sub("", text)
    if "(" in text:
        text = _IMPLICIT_PRODUCT.sub("*", text)
    return without_leading_zeros(" ".join(text.split()))
