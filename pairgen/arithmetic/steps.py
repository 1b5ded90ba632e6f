"""Where a worked solution states the result of a calculation: ``4 * 6 = 24``, ``$25 + $6.80 = $31.80``.

An equals sign tells where a result is. Where the calculation ends is known then, but not where it starts, so it is
read backwards from there, by a pattern that matches the reversed text and is anchored at its first character. Every
equality of a chain ``a = b = c`` is a place of its own.
"""

import re
from typing import NamedTuple

from pairgen.arithmetic.numbers import NUMBER

WINDOW = 200
"""Code points read backwards from an equals sign: no calculation people write in a line is longer."""


class Step(NamedTuple):
    """One stated result: the literal ``text[start:stop]``, and the calculation it is the result of, as written.

    ``percent`` says that a percent sign follows the literal. ``calculation`` is empty where it could not be read whole
    (it goes on to the left with something that is no plain arithmetic), so that it proves nothing.
    """

    start: int
    stop: int
    calculation: str
    percent: bool = False


_CURRENCY = r"[$€£¥]"
_OPERATOR = r"[-+*/×÷·−–]"

_RESULT = re.compile(
    rf"= *{_CURRENCY}? ?(-?{NUMBER}(?:/\d+)?)(?: ?{_CURRENCY})?( ?%)?"
    # not a result if the expression goes on: `= 16 * $47`, `= 75/x`, `= 3 x 4`, `= 2(5)`, `= 8x`, `= 3^2`, `= 1,5`
    rf"(?!(?: *{_OPERATOR}| *x(?= *[\d$])) *(?:[\d$€£(.]|[a-zA-Z]\b)|\(|\^|[a-fijknp-zA-KN-Z]\b|[.,]?\d| +of +[\d$])",
    re.ASCII,
)

# The same grammar read from right to left, so every part of it is spelt backwards. Possessive where it can be: what a
# part has taken it never gives back, so no text makes the matching slow.
_REVERSED_NUMBER = r"(?:\d+\.(?!\d)|(?:\d+\.)?(?:(?:\d{3},)+\d{1,3}(?!\d)|\d+))"
_REVERSED_VALUE = rf"%? ?(?:{_CURRENCY} ?)?{_REVERSED_NUMBER}{_CURRENCY}?-?\(*+"
_SIDE_BY_SIDE = r"(?<=\()(?=[\d)])|(?=\))"  # 13(2), (3)(4): multiplied
_BARE = rf"\)*+{_REVERSED_VALUE}"
_BARE_CALCULATION = re.compile(rf" *{_BARE}(?:(?: *(?:{_OPERATOR}|x) *|{_SIDE_BY_SIDE}){_BARE})+", re.ASCII)

_JOINING_WORD = r"(?:fo|semit|yb dedivid|sulp|sunim)"  # of, times, divided by, plus, minus
_NO_UNIT = rf"(?:{_JOINING_WORD}|yb|dna|ro|si|era|ot|x)(?![a-z])"
_UNIT = rf"(?:(?:(?!{_NO_UNIT})[a-z]{{2,20}}+|[ghlm])(?![a-z])(?: ?[/-] ?| )?){{1,4}}+"  # `pens/box`, `-ounce`, `g`
_OPERAND = rf"\)*+(?:{_UNIT})?{_REVERSED_VALUE}"
_JOINT = rf"(?: *(?:{_OPERATOR}|x| {_JOINING_WORD} ) *|{_SIDE_BY_SIDE})"
_CALCULATION = re.compile(rf" *{_OPERAND}(?:{_JOINT}{_OPERAND})+", re.ASCII | re.IGNORECASE)

_GOES_ON = re.compile(  # to the left, with something these grammars do not know: `2x + 5 + 3`, `a third of 4 * 6`
    rf"[\d.,)\]}}^_]| *(?:(?!-\s){_OPERATOR}|\^|\d|(?:x|semit|sulp|sunim|yb (?:dedivid|deilpitlum)|eciwt"
    rf"|fo (?:[\d%]|s?ht[a-z]+|s?driht|s?retrauq|flah))(?![a-z]))|[xyzn](?![a-z])",
    re.ASCII | re.IGNORECASE,
)


def find_steps(text: str, stop: int | None = None) -> list[Step]:
    """All places before ``stop`` where the result of a calculation is stated, in order.

    Worked example: in ``"He pays 3 * $1,500 = $4,500."`` the result is ``4,500``. Read backwards from the equals sign,
    `` 005,1$ * 3 syap eH`` begins with two operands joined by ``*``; turned round, the calculation is ``3 * $1,500``.
    """
    steps = []
    for result in _RESULT.finditer(text, 0, len(text) if stop is None else stop):
        sign = result.start()
        window = text[sign - WINDOW if sign > WINDOW else 0 : sign][::-1]
        # The bare grammar is the other without units and words: five times faster, and enough four times in five.
        calculation = _BARE_CALCULATION.match(window)
        whole = calculation is not None and _GOES_ON.match(window, calculation.end()) is None
        if not whole:
            calculation = _CALCULATION.match(window)
            if calculation is None:
                continue
            whole = _GOES_ON.match(window, calculation.end()) is None
        end = calculation.end()  # type: ignore[union-attr]
        whole = whole and (end < WINDOW or sign == WINDOW)
        start, stop_ = result.span(1)
        steps.append(Step(start, stop_, window[end - 1 :: -1] if whole else "", result.group(2) is not None))
    return steps


_ASCII = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", **dict.fromkeys("$€£¥,")})
_PLAIN = re.compile(r"[\d.+*/() -]*", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?%", re.ASCII)
_WORDS = {"x": "*", "of": "*", "times": "*", "divided by": "/", "plus": "+", "minus": "-"}
_WORD = re.compile(r"(?<![a-z])(x|of|times|divided by|plus|minus)(?![a-z])", re.ASCII | re.IGNORECASE)
_UNIT_FORWARDS = re.compile(r"(?: ?[/-] ?| )?[a-z]+", re.ASCII | re.IGNORECASE)
_NO_OPERATOR = re.compile(r"(?<=[\d)])(?=\()|(?<=\))(?=\d)", re.ASCII)


def plain(calculation: str) -> str:
    """A calculation as plain ASCII arithmetic: no currency, thousands separators or units, percent as ``(30/100)``."""
    if _PLAIN.fullmatch(calculation) and "(" not in calculation:
        return calculation.strip()
    text = calculation.translate(_ASCII).strip()
    if not _PLAIN.fullmatch(text):
        text = _WORD.sub(lambda word: _WORDS[word.group().lower()], text)
        text = _UNIT_FORWARDS.sub("", _PERCENT.sub(r"(\1/100)", text))
    if "(" in text:
        text = _NO_OPERATOR.sub("*", text)
    return " ".join(text.split())
