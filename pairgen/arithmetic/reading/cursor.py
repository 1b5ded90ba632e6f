"""A position in a text of LaTeX, which moves from token to token."""

import re
from functools import lru_cache
from typing import NoReturn

from pairgen.arithmetic.exact.expression import Number, decimal
from pairgen.arithmetic.exact.literals import LATEX_NUMBER
from pairgen.arithmetic.labels import UNSUPPORTED, Unverified
from pairgen.arithmetic.reading.plain import without_leading_zeros

# A command or a character, after white space and sizes. Examples of those: `\,`, `\left`, `\hspace{1cm}`.
_TOKEN = re.compile(
    r"(?:\s|\\[,;:!> ]|~|&|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|quad|limits)(?![a-zA-Z])"
    r"|\\(?:hspace|hskip|phantom|vphantom)\*?\{[^{}]*\})*+(\\(?:[a-zA-Z]+|[%$#&{}|])|[^\\]|\Z)"
)
_NUMBER = re.compile(LATEX_NUMBER, re.ASCII)
_NUMBER_START = frozenset(".0123456789")
_SEPARATORS = re.compile(r"\{,\}|,\\!|,\\ |\\,|,")


class Cursor:
    """A position in a text."""

    __slots__ = ("peeked", "position", "text", "token")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.peeked = -1
        """Where ``token`` begins, the last one that was looked at; parsers look at each one several times."""
        self.token = ""

    def fail(self, reason: str = UNSUPPORTED) -> NoReturn:
        raise Unverified(reason)

    def peek(self) -> str:
        """The next token after white space and sizes: a command with its backslash, a character, or an empty string."""
        if self.position != self.peeked:
            match = _TOKEN.match(self.text, self.position)
            if match is None:
                self.fail()
            self.token = match.group(1)
            self.position = self.peeked = match.start(1)
        return self.token

    def skip(self, token: str) -> str:
        self.position += len(token)
        return token

    def expect(self, token: str) -> None:
        if self.peek() != token:
            self.fail()
        self.skip(token)

    def number(self) -> str:
        """Skip a number and return it as written; an empty string if there is none."""
        if self.peek() not in _NUMBER_START:
            return ""
        match = _NUMBER.match(self.text, self.position)
        return self.skip(match.group()) if match else ""


@lru_cache(1 << 12)
def number_of(written: str) -> Number:
    """A number in LaTeX: ``1{,}500`` is 1500."""
    text = without_leading_zeros(_SEPARATORS.sub("", written))
    return Number(text, decimal(text))
