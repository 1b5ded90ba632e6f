"""Calculations in plain text, read backwards from the sign that ends them: ``She pays 3 boxes * $1,500 = ``.

Where a calculation ends is known; where it starts is not. So it is read backwards from there, by patterns that match
the reversed text and are anchored at its first character. They are the fast path: what they cannot read goes to
``sentence``.
"""

import re

WINDOW = 200
"""Code points read backwards from a sign: no calculation people write in a line is longer."""

CURRENCY = r"[$€£¥¢]"
OPERATOR = r"[-+*/×÷·−–]"

# Every part of the grammar is spelt backwards. Possessive where it can be: what a part has taken it never gives back,
# so no text makes the matching slow.
_REVERSED_NUMBER = r"(?:\d++(?![.,])|\d+\.(?!\d)|(?:\d+\.)?(?:(?:\d{3},)+\d{1,3}(?!\d)|\d+))"  # the usual one first
_REVERSED_VALUE = rf"%? ?(?:{CURRENCY} ?)?{_REVERSED_NUMBER}{CURRENCY}?-?\(*+"
_SIDE_BY_SIDE = r"(?<=\()(?=[\d)])|(?=\))"  # 13(2), (3)(4): multiplied
_BARE = rf"\)*+{_REVERSED_VALUE}"
_BARE_JOINT = rf"(?: *(?:{OPERATOR}|x) *|{_SIDE_BY_SIDE})"
_BARE_START = (  # of such a calculation; most are two bare numbers, which is seen at once
    rf"(?: ?\d++\$? ?[-+*/x] ?\d| *{_BARE}{_BARE_JOINT}\)*+%? ?(?:{CURRENCY} ?)?\d)"
)

# Lookaheads of first letters spare trying each word, which is slow where case does not count.
_JOINING_WORD = r"(?=[fsy])(?:fo|semit|yb dedivid|sulp|sunim)"  # of, times, divided by, plus, minus
_NO_UNIT = rf"(?=[deforsxy])(?:{_JOINING_WORD}|yb|dna|ro|si|era|ot|x)(?![a-z])"
_UNIT = rf"(?:(?:(?!{_NO_UNIT})[a-z]{{2,20}}+|[ghlm])(?![a-z])(?: ?[/-] ?| )?){{1,4}}+"  # `pens/box`, `-ounce`, `g`
_OPERAND = rf"\)*+(?:{_UNIT})?{_REVERSED_VALUE}"
_JOINT = rf"(?: *(?:{OPERATOR}|x| {_JOINING_WORD} ) *|{_SIDE_BY_SIDE})"
_CALCULATION = rf" *{_OPERAND}(?:{_JOINT}{_OPERAND})+"

_GOES_ON = (  # to the left, with something these grammars do not know: `2x + 5 + 3`, `a third of 4 * 6`
    rf"(?i:[\d.,)\]}}^_:]| *+(?:(?!-(?:\n|$)){OPERATOR}|\^|\d|(?=[efsxy])(?:x|semit|sulp|sunim|eciwt"
    rf"|yb (?:dedivid|deilpitlum)|fo (?:[\d%]|s?ht[a-z]+|s?driht|s?retrauq|flah))(?![a-z]))|[a-z](?![a-z'’]))"
)

starts_bare = re.compile(_BARE_START, re.ASCII).match
"""Whether a reversed text begins with a calculation of numbers and operators alone."""
starts = re.compile(_CALCULATION, re.ASCII | re.IGNORECASE).match
"""The same with units and words between the numbers."""

# The bare grammar is the other without units and words: twice as fast, and enough four times in five. Each with the
# code points it is shown, and how many of them a calculation may take, so that what it goes on with can be seen.
_WHOLE = (
    (re.compile(rf"(?> *{_BARE}(?:{_BARE_JOINT}{_BARE})+)(?!{_GOES_ON})", re.ASCII).match, 64, 44),
    (re.compile(rf"(?>{_CALCULATION})(?!{_GOES_ON})", re.ASCII | re.IGNORECASE).match, WINDOW, WINDOW - 20),
)


def backwards(text: str, stop: int, length: int = WINDOW) -> str:
    """The ``length`` code points before ``stop``, from right to left; ``stop`` is not 0."""
    return text[stop - 1 : stop - length - 1 if stop > length else None : -1]


def calculation_before(text: str, sign: int) -> str | None:
    """The calculation that ends at ``sign``, as written; None if it cannot be read whole.

    It cannot where it goes on to the left with something that is no plain arithmetic (``2x + 5 + 3 = 18``), so that
    what was read proves nothing.
    """
    for grammar, window, most in _WHOLE:
        calculation = grammar(text[sign - 1 : sign - window - 1 if sign > window else None : -1])
        if calculation is not None:
            length = calculation.end()
            if length < most or sign <= window:
                written = text[sign - length : sign]
                return _without_open_brackets(written) if "(" in written else written
    return None


def _without_open_brackets(calculation: str) -> str:
    """Brackets that open in front and close behind the result belong to the sentence: ``(2 + 3 = 5)``."""
    while calculation.startswith("(") and calculation.count("(") > calculation.count(")"):
        calculation = calculation[1:]
    return calculation


_ASCII = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", **dict.fromkeys("$€£¥¢,")})
_PLAIN = re.compile(r"[\d.+*/() -]*", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?%", re.ASCII)
_WORDS = {"x": "*", "of": "*", "times": "*", "divided by": "/", "plus": "+", "minus": "-"}
_WORD = re.compile(r"(?<![a-z])(x|of|times|divided by|plus|minus)(?![a-z])", re.ASCII | re.IGNORECASE)
_UNIT_FORWARDS = re.compile(r"(?: ?[/-] ?| )?[a-z]+", re.ASCII | re.IGNORECASE)
_NO_OPERATOR = re.compile(r"(?<=[\d)])(?=\()|(?<=\))(?=\d)", re.ASCII)


def plain(calculation: str) -> str:
    """A calculation as plain ASCII arithmetic: no currency, thousands separators or units, percent as ``(30/100)``."""
    if _PLAIN.fullmatch(calculation) and "(" not in calculation and "//" not in calculation:
        return calculation.strip()
    text = calculation.translate(_ASCII).strip().replace("//", "/")
    if not _PLAIN.fullmatch(text):
        text = _WORD.sub(lambda word: _WORDS[word.group().lower()], text)
        text = _UNIT_FORWARDS.sub("", _PERCENT.sub(r"(\1/100)", text))
    if "(" in text:
        text = _NO_OPERATOR.sub("*", text)
    return " ".join(text.split())
