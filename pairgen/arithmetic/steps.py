"""Where a worked solution states the result of a calculation: ``4 * 6 = 24``, ``$25 + $6.80 = $31.80``.

An equals sign tells where a result is. Where the calculation ends is known then, but not where it starts, so it is
read backwards from there, by a pattern that matches the reversed text and is anchored at its first character. Every
equality of a chain ``a = b = c`` is a place of its own.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, overload

from pairgen.arithmetic.numbers import NUMBER

WINDOW = 200
"""Code points read backwards from an equals sign: no calculation people write in a line is longer."""


class Step(NamedTuple):
    """One stated result: the literal ``text[start:stop]``; ``percent`` says that a percent sign follows it.

    ``sign`` is the code point of the equals sign in front, where the calculation ends. A source that marks its
    calculations gives the calculation itself, and no sign.
    """

    start: int
    stop: int
    percent: bool
    sign: int = -1
    marked: str = ""


_CURRENCY = r"[$€£¥]"
_OPERATOR = r"[-+*/×÷·−–]"

_RESULT = re.compile(
    rf"= *{_CURRENCY}? ?(-?{NUMBER}(?:/\d+)?)(?: ?{_CURRENCY})?( ?%)?"
    # nothing but a word or the end of the line: the usual case, seen at once
    r"(?:(?=\.?(?:\n|$)| (?!of )[a-zA-Z]{2})|"
    # not a result if the expression goes on: `= 16 * $47`, `= 75/x`, `= 3 x 4`, `= 2(5)`, `= 8x`, `= 3^2`, `= 1,5`
    rf"(?!(?: *{_OPERATOR}| *x(?= *[\d$])) *(?:[\d$€£(.]|[a-zA-Z]\b)|\(|\^|[a-fijknp-zA-KN-Z]\b|[.,]?\d| +of +[\d$]))",
    re.ASCII,
)

# The same grammar read from right to left, so every part of it is spelt backwards. Possessive where it can be: what a
# part has taken it never gives back, so no text makes the matching slow.
_REVERSED_NUMBER = r"(?:\d+\.(?!\d)|(?:\d+\.)?(?:(?:\d{3},)+\d{1,3}(?!\d)|\d+))"
_REVERSED_VALUE = rf"%? ?(?:{_CURRENCY} ?)?{_REVERSED_NUMBER}{_CURRENCY}?-?\(*+"
_SIDE_BY_SIDE = r"(?<=\()(?=[\d)])|(?=\))"  # 13(2), (3)(4): multiplied
_BARE = rf"\)*+{_REVERSED_VALUE}"
_BARE_JOINT = rf"(?: *(?:{_OPERATOR}|x) *|{_SIDE_BY_SIDE})"
_BARE_START = re.compile(rf" *{_BARE}{_BARE_JOINT}\)*+%? ?(?:{_CURRENCY} ?)?\d", re.ASCII)  # of such a calculation

_JOINING_WORD = r"(?:fo|semit|yb dedivid|sulp|sunim)"  # of, times, divided by, plus, minus
_NO_UNIT = rf"(?:{_JOINING_WORD}|yb|dna|ro|si|era|ot|x)(?![a-z])"
_UNIT = rf"(?:(?:(?!{_NO_UNIT})[a-z]{{2,20}}+|[ghlm])(?![a-z])(?: ?[/-] ?| )?){{1,4}}+"  # `pens/box`, `-ounce`, `g`
_OPERAND = rf"\)*+(?:{_UNIT})?{_REVERSED_VALUE}"
_JOINT = rf"(?: *(?:{_OPERATOR}|x| {_JOINING_WORD} ) *|{_SIDE_BY_SIDE})"
_CALCULATION = rf" *{_OPERAND}(?:{_JOINT}{_OPERAND})+"
_CALCULATION_START = re.compile(_CALCULATION, re.ASCII | re.IGNORECASE)

_GOES_ON = (  # to the left, with something these grammars do not know: `2x + 5 + 3`, `a third of 4 * 6`
    rf"(?i:[\d.,)\]}}^_]| *(?:(?!-(?:\n|$)){_OPERATOR}|\^|\d|(?:x|semit|sulp|sunim|yb (?:dedivid|deilpitlum)|eciwt"
    rf"|fo (?:[\d%]|s?ht[a-z]+|s?driht|s?retrauq|flah))(?![a-z]))|[xyzn](?![a-z]))"
)
_WHOLE_BARE_CALCULATION = re.compile(rf"(?> *{_BARE}(?:{_BARE_JOINT}{_BARE})+)(?!{_GOES_ON})", re.ASCII)
_WHOLE_CALCULATION = re.compile(rf"(?>{_CALCULATION})(?!{_GOES_ON})", re.ASCII | re.IGNORECASE)


class Steps(Sequence[Step]):
    """The results found in a text, in order. Each becomes a ``Step`` when it is asked for: few ever are."""

    __slots__ = ("_found",)

    def __init__(self, found: list[re.Match[str]]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [_step(result) for result in self._found[index]]
        return _step(self._found[index])


def _step(result: re.Match[str]) -> Step:
    start, stop = result.span(1)
    return Step(start, stop, result.group(2) is not None, result.start())


def _backwards(text: str, stop: int, length: int) -> str:
    """The ``length`` code points before ``stop``, from right to left; ``stop`` is not 0."""
    return text[stop - 1 : stop - length - 1 if stop > length else None : -1]


def find_steps(text: str, stop: int | None = None) -> Steps:
    """All places before ``stop`` where the result of a calculation is stated, in order.

    Worked example: in ``"He pays 3 * $1,500 = $4,500."`` the result is ``4,500``. Read backwards from the equals sign,
    `` 005,1$ * 3 syap eH`` begins with two operands joined by ``*``.
    """
    found = []
    bare, full = _BARE_START.match, _CALCULATION_START.match
    for result in _RESULT.finditer(text, 0, len(text) if stop is None else stop):
        sign = result.start()
        if not sign:
            continue
        near = text[sign - 1 : sign - 65 if sign > 64 else None : -1]  # `_backwards`, without the price of a call
        if bare(near) or full(_backwards(text, sign, WINDOW)):
            found.append(result)
    return Steps(found)


def calculation_of(text: str, step: Step) -> str | None:
    """The calculation a step states the result of, as written; None if it cannot be read whole.

    It cannot where it goes on to the left with something that is no plain arithmetic (``2x + 5 + 3 = 18``), so that
    what was read proves nothing.
    """
    if step.sign < 0:
        return step.marked
    window = _backwards(text, step.sign, WINDOW)
    # The bare grammar is the other without units and words: twice as fast, and enough four times in five.
    for grammar in (_WHOLE_BARE_CALCULATION, _WHOLE_CALCULATION):
        calculation = grammar.match(window)
        if calculation is not None:
            end = calculation.end()
            if end < WINDOW or step.sign == WINDOW:
                return _without_open_brackets(window[end - 1 :: -1])
    return None


def _without_open_brackets(calculation: str) -> str:
    """Brackets that open in front and close behind the result belong to the sentence: ``(2 + 3 = 5)``."""
    while calculation.startswith("(") and calculation.count("(") > calculation.count(")"):
        calculation = calculation[1:]
    return calculation


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
