r"""The notation of the tables: blocks of lines, variables with random values, and texts with slots.

Blocks are separated by blank lines, and ``#`` starts a comment line. The first line of a block is its title; each other
line is a keyword and a text::

    exercise
    word item/one: pencils/pencil, mugs/mug     words for the slots <item> and <one>, chosen together
    number boxes (boxes): 3..14; the meaning    a number with its unit (optional) and its meaning (optional). Values are
                                                a range (1.5..4/0.5: in steps of 0.5), a list (10%, 25%, 3/4), or
                                                "= boxes * 6"; "not 0" leaves out zero; several names share a line
    need all - 20                               sample again unless this is positive
    ask Find <a>. | What is <a + 1>?            " | " separates wordings, of which a row shows one

A slot is an expression over the variables, evaluated exactly, and a format: ``<a*x:+>`` is written ``+ 12``.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isqrt
from operator import add, itemgetter, mul, pow, sub
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.sources.sample.rng import SampleRng

Value = int | Fraction
Slots = Mapping[str, Any]
Evaluate = Callable[[Slots], Any]


# ---------------------------------------------------------------- expressions


def divide(a: Any, b: Any) -> Any:
    """``a / b`` without rounding."""
    if isinstance(a, int) and isinstance(b, int):
        return Fraction(a, b) if a % b else a // b
    return a / b


_OPERATORS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", add),
    ast.Sub: ("-", sub),
    ast.Mult: ("*", mul),
    ast.Div: ("/", divide),
    ast.Pow: ("**", pow),
}


class Expression(NamedTuple):
    """A calculation. ``5 * (a + b) - c`` has the tokens 5 * ( a + b ) - c and the terms 5 * (a + b) and c."""

    tokens: tuple[str, ...]
    evaluate: Evaluate
    terms: tuple[tuple[str, Evaluate], ...]  # each with the operator before it; () where no term is a calculation


@cache
def parse(text: str) -> Expression:
    """Parse an expression in Python's notation: names, integers, ``+ - * / **`` and parentheses."""
    tree = node = ast.parse(text, mode="eval").body
    additive = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)
    operands = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub if additive else ast.Mult | ast.Div):
        operands.append((_OPERATORS[type(node.op)][0], node.right))
        node = node.left
    operands.append(("", node))
    nested = any(isinstance(operand, ast.BinOp) for _, operand in operands)
    terms = tuple((symbol, _compile(operand)) for symbol, operand in reversed(operands) if nested)
    return Expression(tuple(re.findall(r"\w+|[-+*/()]", text)), _compile(tree), terms)


def _compile(node: ast.expr) -> Evaluate:
    """A function from the variables to the exact value."""
    match node:
        case ast.Name(name):
            return itemgetter(name)
        case ast.Constant(value):
            return lambda _: value
        case ast.UnaryOp(ast.USub(), negated):
            operand = _compile(negated)
            return lambda slots: -operand(slots)
        case ast.BinOp(left_node, op, right_node):
            operator, left, right = _OPERATORS[type(op)][1], _compile(left_node), _compile(right_node)
            return lambda slots: operator(left(slots), right(slots))
    raise ValueError(f"unsupported expression: {ast.unparse(node)}")


# ---------------------------------------------------------------- numbers in texts


def plain(value: Value, commas: bool = False, cents: bool = False) -> str:
    """``1500`` or ``1,500``; ``2.5`` (``2.50`` with cents) where two decimals are enough, else ``2/3``."""
    if value.denominator == 1:
        return f"{value.numerator:,}" if commas else str(value.numerator)
    if 100 % value.denominator:
        return f"{value.numerator}/{value.denominator}"
    written = f"{float(value):,.2f}" if commas else f"{float(value):.2f}"
    return written if cents else written.rstrip("0")


def latex(value: Value) -> str:
    r"""``7``, ``-\frac{3}{4}``."""
    if value.denominator == 1:
        return str(value.numerator)
    return rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _factor(value: int) -> str:
    """A factor before a letter: nothing for 1, ``-`` for -1."""
    return str(value)[:-1] if value in (1, -1) else str(value)


def _signed(text: str) -> str:
    """``+ 3`` or ``- 3``."""
    return f"- {text[1:]}" if text[:1] == "-" else f"+ {text}"


def _root(value: int) -> str:
    r"""The square root in simplest form: ``2\sqrt{3}`` for 12, ``6`` for 36."""
    outer = next(k for k in range(isqrt(value), 0, -1) if value % (k * k) == 0)
    inner = value // (outer * outer)
    return str(outer) if inner == 1 else rf"{outer if outer > 1 else ''}\sqrt{{{inner}}}"


_FORMATS: dict[str, Callable[[Any], str]] = {
    "": str,
    "dec": plain,
    "tex": latex,
    "+": lambda value: _signed(str(value)),
    "()": lambda value: f"({value})" if value < 0 else str(value),
    "x": _factor,
    "+x": lambda value: _signed(_factor(value)),
    "root": _root,
}


# ---------------------------------------------------------------- texts


def fill(text: str, slots: Slots) -> str:
    """The text with a value in each slot."""
    return _compile_text(text)(slots)


@cache
def _compile_text(text: str) -> Callable[[Slots], str]:
    parts = re.split(r"<([^<>]+)>", text)
    literals, sources = [part.replace("%", "%%") for part in parts[::2]], parts[1::2]
    if all(source.isidentifier() for source in sources):  # the most frequent case: one formatting operation by name
        named = [f"%({source})s{literal}" for source, literal in zip(sources, literals[1:], strict=True)]
        return "".join([literals[0], *named]).__mod__
    layout, values = "%s".join(literals), [_compile_slot(source) for source in sources]
    return lambda slots: layout % tuple([value(slots) for value in values])


def _compile_slot(source: str) -> Callable[[Slots], str]:
    expression, _, form = source.partition(":")
    evaluate, write = parse(expression).evaluate, _FORMATS[form]
    return lambda slots: write(evaluate(slots))


def split_wordings(text: str) -> tuple[str, ...]:
    """The wordings in a line; "-" is an empty one."""
    return tuple("" if wording == "-" else wording for wording in text.split(" | "))


def capitalized(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


# ---------------------------------------------------------------- tables


class Number(NamedTuple):
    """A variable that holds a number."""

    name: str
    unit: str | None  # None where the line has no parentheses
    meaning: str
    values: tuple[Value, ...] | Evaluate  # the values to choose from, or the calculation


@dataclass(frozen=True, eq=False)
class Block:
    """A block of a table."""

    group: str  # the first line up to the colon, if it has one
    title: str  # the rest of the first line
    lines: dict[str, list[str]]  # the texts of the lines by keyword
    wordings: dict[str, list[tuple[str, ...]]]  # the same, split into wordings
    words: list[tuple[list[str], list[list[str]]]]  # names, and the options for all of them
    numbers: list[Number]
    needs: list[Evaluate]

    def sample(self, rng: SampleRng) -> dict[str, Any]:
        """A word or a value for each variable, such that all needs are met."""
        while True:
            slots: dict[str, Any] = {}
            for name, _, _, values in self.numbers:
                slots[name] = values(slots) if callable(values) else rng.choice(values)
            if all(need(slots) > 0 for need in self.needs):
                break
        for names, options in self.words:
            slots.update(zip(names, rng.choice(options), strict=True))
        return slots

    def choice(self, keyword: str, rng: SampleRng) -> str:
        """A wording of the first line with this keyword."""
        return rng.choice(self.wordings[keyword][0])


@cache
def read_blocks(*names: str) -> tuple[Block, ...]:
    """The blocks of some tables, in order."""
    tables = [(Path(__file__).parent / "tables" / name).read_text(encoding="utf-8") for name in names]
    text = re.sub(r"^#.*\n", "", "\n\n".join(tables), flags=re.MULTILINE)
    return tuple(_read_block(block) for block in re.split(r"\n{2,}", text.strip()))


@cache
def phrases(group: str) -> Block:
    """A block of phrases that rows have in common."""
    return next(block for block in read_blocks("phrases.txt") if block.group == group)


def _read_block(text: str) -> Block:
    header, *rest = text.split("\n")
    group, _, title = header.partition(": ")
    lines: dict[str, list[str]] = {}
    for line in rest:
        keyword, _, content = line.partition(" ")
        lines.setdefault(keyword, []).append(content)
    words = [line.split(": ") for line in lines.get("word", ())]
    return Block(
        group,
        title,
        lines,
        {keyword: [split_wordings(content) for content in contents] for keyword, contents in lines.items()},
        [(names.split("/"), [option.split("/") for option in options.split(", ")]) for names, options in words],
        [number for line in lines.get("number", ()) for number in _read_numbers(line)],
        [parse(line).evaluate for line in lines.get("need", ())],
    )


def _read_numbers(line: str) -> list[Number]:
    """The numbers that share a line."""
    match = re.fullmatch(r"([\w, ]+?)(?: \((.*?)\))?: (.*?)(?:; (.*))?", line)
    assert match is not None, line
    names, unit, values, meaning = match.groups()
    return [Number(name, unit, meaning or "", _read_values(values)) for name in names.split(", ")]


def _read_values(text: str) -> tuple[Value, ...] | Evaluate:
    """The values of a number, or the function that computes it."""
    if text.startswith("= "):
        return parse(text.removeprefix("= ")).evaluate
    text, nonzero, _ = text.partition(" not 0")
    if ".." in text:
        low, high, step = map(Fraction, re.split(r"\.\.|/", text if "/" in text else f"{text}/1"))
        values = [low + step * i for i in range(int((high - low) / step) + 1)]
    else:
        values = [Fraction(item.removesuffix("%")) / (100 if "%" in item else 1) for item in text.split(", ")]
    return tuple(value.numerator if value.denominator == 1 else value for value in values if value or not nonzero)
