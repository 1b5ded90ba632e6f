"""The tokens of a sentence: numbers, operators, words and signs."""

import re
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.reading.plain import without_leading_zeros

_COUNTING = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
NUMBER_WORDS = {word: str(number) for number, word in enumerate(_COUNTING.split(), 1)} | {"half": "(1/2)"}
_OPERAND_AHEAD = rf"(?=\ (?:[$(\d]|(?:{'|'.join(NUMBER_WORDS)})\b))"
_TOKEN = re.compile(
    rf"""
    (?P<label>\d*1?\d(?:st|nd|rd|th)\b|[A-Za-z]+&[A-Za-z]+)  # 3rd, M&Ms
    |(?P<mixed>(?<![\d.,/])\d+(?:\ |\ and\ )\d+/\d+(?![\d/.])|\d+\ ?[½¼¾⅓⅔⅛])  # 1 1/2, 2 and 3/4, 2½
    |(?P<number>(?<![\d.])\d{{1,3}}(?:\ \d{{3}})+(?![\d.,])|{NUMBER})  # 100 000, 1,500
        (?:(?:\ ?%|\ per\ ?cent\b)(?P<percent>))?
    |(?P<fraction>[½¼¾⅓⅔⅛])
    |(?P<hyphen>(?<=\d)-(?=[A-Za-z]{{2}}))  # of 12-ounce
    |(?P<sign>\*\*|//|\^|[-+*/×÷·−–—()\[\]]
        |\b(?:times|plus|minus|over)\b{_OPERAND_AHEAD}|\b(?:divided|multiplied)\ (?:by|into)\b
        |\bof\b(?=\ (?:the\ )?\$?[\d(]))  # *, times 4, divided by, of 50
    |(?P<word>(?:[A-Za-z]+(?:['’-][A-Za-z]{{2,}})+|[A-Za-z]+(?:['’][A-Za-z])*)['’]?(?:\.(?=\ ?(?:[a-z/*+=–-]|\Z)))?)
    |(?P<power>(?:(?<=[\d)])|(?<=\b[A-Za-z]))[⁰¹²³⁴-⁹]+)
    |(?P<ignored>(?:[^\S\n]|\\?[$€£¥¢]|[\xa0"“”²³°™])+)
    |(?P<punctuation>\n|[.,;:?!=<>|~&{{}}\\_])
    |(?P<other>.)
    """,
    re.ASCII | re.VERBOSE | re.DOTALL,
)
_FRACTIONS = {"½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)", "⅓": "(1/3)", "⅔": "(2/3)", "⅛": "(1/8)"}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
NUMBERS = frozenset({"number", "percent", "mixed", "fraction"})


class Token(NamedTuple):
    kind: str
    text: str
    spaced: bool
    """Whether a space follows."""
    start: int


@lru_cache(1 << 14)
def tokens_of(window: str) -> tuple[Token, ...]:
    """The tokens of a text; cached, since a text is read both with and without values for its variables."""
    tokens = []
    for match in _TOKEN.finditer(window):
        kind = match.lastgroup
        if kind != "ignored" and kind != "hyphen":
            spaced = window.startswith(" ", match.end())
            tokens.append(Token("word" if kind == "label" else str(kind), match.group(), spaced, match.start()))
    return tuple(tokens)


def value(kind: str, text: str) -> str:
    """A token that is a number, as ASCII arithmetic."""
    if kind == "fraction":
        return _FRACTIONS[text]
    if kind == "mixed":
        if text[-1] in _FRACTIONS:
            return f"({text[:-1].strip()} + {_FRACTIONS[text[-1]][1:-1]})"
        integer, _, fraction = text.replace(" and ", " ").partition(" ")
        return f"({integer} + {fraction})"
    plain = without_leading_zeros(text.replace(",", "").replace(" ", ""))
    return f"({plain.rstrip(' %percnt')}/100)" if kind == "percent" else plain
