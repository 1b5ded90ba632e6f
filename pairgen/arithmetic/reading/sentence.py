"""A calculation in a sentence, read from its end to its start, with units, remarks and variables between numbers.

``There are 52 weeks in a year - 2 weeks of holidays = `` reads ``52 - 2``; ``we get 5x + 3 = `` reads ``5*x + 3``.
This is the slow path: it reads, token by token, what the patterns of ``plain`` cannot.
"""

import re
from collections.abc import Collection, Container
from functools import lru_cache

from pairgen.arithmetic.exact.expression import MAX_LENGTH, Expr, parse
from pairgen.arithmetic.labels import NO_CALCULATION, NO_VALUE, NOT_EXACT, TOO_LARGE, UNCLEAR, UNSUPPORTED, Unverified
from pairgen.arithmetic.reading import border
from pairgen.arithmetic.reading.plain import CONNECTIVES
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS, NUMBERS, SUPERSCRIPTS, Token, tokens_of, value

WINDOW = 300
"""Maximum length, in code points, of the text read before an equals sign."""
MAX_WORDS = 12
"""Words that may follow a number as its unit."""

_REMARK = re.compile(r" ?\((?!\w\))[^()\d]{2,60}\)")  # ` (before)`, ` (taken out)`; not `(x)`
_OPERATORS = {
    **dict.fromkeys("*×·", "*"),
    **dict.fromkeys(("/", "//", "÷"), "/"),
    **dict.fromkeys("-−–—", "-"),
    "+": "+",
    "^": "**",
    "**": "**",
    "times": "*",
    "plus": "+",
    "minus": "-",
    "over": "/",
    "of": "*",
    "divided by": "/",
    "divided into": "/",
    "multiplied by": "*",
}
UNIT_LETTERS = frozenset("ghklmsCFKLM")
"""Single letters that are a unit after a number if they are not a variable: ``5 g``; not the x of ``15x``."""
_LETTERS = frozenset("bcdefghijklmnopqrstuvwxyzBCDEFGHJKLMNOPQRSTUVWXYZ")
"""Single letters that are always variables; a and I are words, and A often is."""
FUNCTIONS = frozenset("fghFGHPQ")
"""Letters that are a function if a bracket follows: ``f(x)``."""
_CONNECTIVES = frozenset(CONNECTIVES.split())
_JOINERS = frozenset("+-–−*×÷/")  # at the end or start of a line, the sum continues
_OPEN, _CLOSE = frozenset("(["), frozenset(")]")


def window_before(text: str, sign: int) -> str:
    """The text that a calculation ending at ``sign`` may use: its line, or all lines over which a sum continues."""
    start = max(0, sign - WINDOW)
    start = max(start, text.rfind("=", start, sign))  # the sign itself shows that no sentence begins there
    line = text.rfind("\n", start, sign)
    while line > start and (text[start:line].rstrip()[-1:] in _JOINERS or text[line:sign].lstrip()[:1] in _JOINERS):
        line = text.rfind("\n", start, line)
    return text[max(start, line) : sign]


@lru_cache(1 << 12)
def read(window: str, known: frozenset[str] | None, *, whole_side: bool = False) -> Expr:
    """The calculation at the end of a text.

    Args:
        known: variables with a known value; None if any letter except a, A and I may be a variable.
        whole_side: the text is one side of an equation: it may be a single number or variable, and a leading dash is a
            minus, not a list bullet.

    Raises:
        Unverified: with the reason.
    """
    text = transcribe(window, known, whole_side=whole_side)
    expr = parse(text)
    if expr is None:
        raise Unverified(TOO_LARGE if len(text) > MAX_LENGTH else NOT_EXACT)
    return expr


def transcribe(window: str, known: Collection[str] | None, *, whole_side: bool = False) -> str:
    """The calculation at the end of a text, as ASCII arithmetic; same arguments and errors as ``read``."""
    letters = None if known is None else frozenset(letter for letter in known if letter in window)
    text, reason = _transcription(window, letters, whole_side)
    if reason is not None:
        raise Unverified(reason)
    return text


@lru_cache(1 << 14)
def _transcription(window: str, known: frozenset[str] | None, whole_side: bool) -> tuple[str, str | None]:
    """The ASCII text, or the reason why there is none; cached, since each step rereads the equations above it."""
    if "(" in window:
        window = _REMARK.sub("", window)
    start = max(window.rfind(", "), window.rfind(": "), window.rfind("; "), 0)  # never read past these
    tokens = tokens_of(window[start:])
    reader = _Reader(list(tokens), known, whole_side)
    try:
        text = reader.read()
    except Unverified as error:
        return "", error.reason
    start += tokens[len(reader.tokens)].start
    return text, UNCLEAR if border.continues(window[:start][::-1], 0, window[start:], text) else None


class _Reader:
    """Reads tokens from right to left; ``pieces`` holds the expression, last piece first."""

    def __init__(self, tokens: list[Token], known: Container[str] | None, whole_side: bool) -> None:
        self.tokens = tokens
        self.known = _LETTERS if known is None else known
        self.any_letter = known is None
        self.whole_side = whole_side
        self.pieces: list[str] = []
        self.depth = 0
        self.operators = 0
        self.after_variable = False  # the last operand read is a variable: a number before it is a factor

    def read(self) -> str:
        self.operand()
        while self.join():
            self.operand()
        if self.depth:
            raise Unverified(UNSUPPORTED)
        if not self.operators and not self.whole_side:
            raise Unverified(NO_CALCULATION)
        return "".join(reversed(self.pieces)).strip()

    def operand(self) -> None:
        """Skip the words after a number, then read the number, variable or closing bracket."""
        words = 0
        self.after_variable = False
        if self.tokens and self.tokens[-1].kind == "power":
            self.pieces.append(f"**{self.tokens.pop().text.translate(SUPERSCRIPTS)}")
            if self.tokens and self.tokens[-1].kind == "word" and not self.is_variable(self.tokens[-1]):
                self.pieces.pop()  # of a unit: 3 m²
        while self.tokens:
            token = self.tokens.pop()
            kind, text = token.kind, token.text
            if kind in NUMBERS:
                self.pieces.append(value(kind, text))
                return
            if kind == "word" and not words and text.lower() in NUMBER_WORDS:
                self.pieces.append(NUMBER_WORDS[text.lower()])
                return
            if text in _CLOSE:
                self.depth += 1
                self.pieces.append(")")
                words = 0
            elif kind == "word":
                if not words and self.is_variable(token):
                    if text not in self.known and not self.any_letter:
                        raise Unverified(NO_VALUE)
                    self.pieces.append(text)
                    self.after_variable = True
                    return
                if len(text) == 1 and self.follows_number() and text not in UNIT_LETTERS and text not in "aAI":
                    raise Unverified(NO_VALUE)  # 15x is no 15
                words += 1
                if words > MAX_WORDS or text.lower() in _CONNECTIVES:
                    break
            elif not (
                (text == "/" and words)  # pens/box
                or (text == "\n" and self.pieces and not words)  # a sum over several lines
            ):
                break
        raise Unverified(UNSUPPORTED if self.operators else NO_CALCULATION)

    def is_variable(self, token: Token) -> bool:
        """Whether a word is a variable: a letter that is known, or not after a number or word (5 g, room B)."""
        if len(token.text) != 1:
            return False
        if token.text in self.known:
            return True
        before = self.tokens[-1].kind if self.tokens else ""
        return before not in NUMBERS and before != "word" and token.text not in "aAI"

    def follows_number(self) -> bool:
        """Whether the token just read stands behind a number."""
        return bool(self.tokens) and self.tokens[-1].kind in NUMBERS

    def join(self) -> bool:
        """Read the operator between the last operand and the one on its left; False at the start of the calculation."""
        while self.tokens:
            token = self.tokens[-1]
            kind, text = token.kind, token.text
            if text in _OPEN:
                if not self.depth:
                    return False  # a bracket of the sentence
                self.tokens.pop()
                self.depth -= 1
                self.pieces.append("(")
                self.after_variable = False
            elif (self.after_variable or self.pieces[-1][0] == "(") and (
                kind in NUMBERS or text in _CLOSE or (text in self.known and text not in FUNCTIONS)
            ):  # 5x, (2)(3), x(4)
                if kind == "word" and text in "xX" and self.is_times() and (token.spaced or self.tokens[-2].spaced):
                    self.tokens.pop()
                return self.joined("*")
            elif kind == "word" and text in "xX" and self.is_times():
                self.tokens.pop()
                return self.joined("*")
            elif kind == "word":
                if self.pieces[-1] == "(" and not token.spaced and not self.after_variable:
                    raise Unverified(UNSUPPORTED)  # f(x) is a function of x, not a product
                if not self.skip_to_operator():
                    return False
            elif text == "\n" and len(self.tokens) > 1 and self.tokens[-2].text in _OPERATORS:
                self.tokens.pop()  # a sum over several lines
            elif kind != "sign":
                return False
            elif text[0].isalpha() and not self.has_left_operand(text):
                if not self.skip_to_operator():
                    return False
            else:
                operator = _OPERATORS.get(text)
                if operator is None:
                    return False
                self.tokens.pop()
                if operator != "-" or not self.is_unary():
                    return self.joined(operator)
                if self.is_bullet(token):
                    return False
                self.pieces.append("-")
        return False

    def joined(self, operator: str) -> bool:
        self.operators += 1
        self.pieces.append(operator if operator in ("*", "/", "**") else f" {operator} ")
        return True

    def is_times(self) -> bool:
        """Whether the last token, an x, has an operand on its left."""
        before = self.tokens[-2] if len(self.tokens) > 1 else None
        return before is not None and (before.kind in NUMBERS or before.kind == "word" or before.text in _CLOSE)

    def has_left_operand(self, operator: str) -> bool:
        """Whether an operator written as a word has a number on its left: adjacent for ``of``, nearby for others."""
        reach = 2 if operator == "of" else 7
        return any(
            token.kind in NUMBERS
            or token.text in _CLOSE
            or token.text.lower() in NUMBER_WORDS
            or token.text in self.known
            for token in self.tokens[-reach:-1]
        )

    def is_unary(self) -> bool:
        """Whether the minus just read has no operand on its left."""
        before = self.tokens[-1] if self.tokens else None
        return before is None or before.kind == "punctuation" or before.text in _OPEN or before.text in _OPERATORS

    def is_bullet(self, token: Token) -> bool:
        """Whether a unary minus is a list bullet: first in its line, with a space after it."""
        return not self.whole_side and token.spaced and (not self.tokens or self.tokens[-1].text == "\n")

    def skip_to_operator(self) -> bool:
        """Drop words between an operator and its number (``2 * the 10 marbles``); False if there is no operator."""
        for words in range(1, 5):
            if len(self.tokens) <= words:
                return False
            before = self.tokens[-1 - words]
            left = self.tokens[-2 - words].kind if len(self.tokens) > words + 1 else ""
            if (before.text in _OPERATORS and before.kind == "sign") or (before.text == "x" and left in NUMBERS):
                del self.tokens[-words:]
                return True
            if before.kind != "word":
                return False
        return False
