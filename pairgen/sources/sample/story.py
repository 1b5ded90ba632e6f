"""Word problems as data: what a story says, what it asks, and the calculations that answer it.

The stories are tables of text in ``tables/``, one line a part::

    story
    word item/one: pencils/pencil, mugs/mug     words that fill {item} and {one}, chosen together
    draw boxes (boxes): 3..14                   a given number, its unit and its values: 3..14, 1.5..4/0.5 (the step),
    draw off (%): 10%, 25%                      a list, or "= boxes * 6"; the unit "-" marks a helper that no text shows
    fact {name} buys {boxes} boxes. | ...       a sentence; | separates wordings everywhere
    ask How many are left? | ...
    state {name} has {answer} left              the answer, in mid-sentence case and without the full stop
    step left ({item}): all - gave; the number of pencils left; {name} keeps | ...; at home
                                                expression; what it is; what may stand before it; what follows
    hide boxes: the number of boxes             a number that a backward question may ask for

Units are nouns ("boxes"), rates ("pencils/box", "$/box"), "$", "%" or "fraction".
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pairgen.sources.sample.numbers import Value, divide, tidy

TABLES = Path(__file__).parent / "tables"
FILES = ("counts.txt", "more_counts.txt", "money.txt", "more_money.txt")

# A parsed expression: a key into the values, a number, or (operator, left, right).
Node = str | Value | tuple[str, "Node", "Node"]


class Expression(NamedTuple):
    """A calculation, as written and as parsed."""

    tokens: tuple[str, ...]
    tree: Node


class Step(NamedTuple):
    """One calculation of a solution."""

    key: str
    unit: str
    expression: Expression
    goal: str  # a noun phrase: "the number of jars"
    leads: tuple[str, ...]  # what may stand before the number, in mid-sentence case: "{they} packs"
    tail: str  # what follows the unit


class Story(NamedTuple):
    """A kind of word problem."""

    number: int
    words: tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...]  # slots, and what may fill them together
    draws: tuple[tuple[str, tuple[Value, ...] | Expression], ...]
    givens: tuple[str, ...]
    units: dict[str, str]  # of givens and results
    facts: tuple[tuple[str, ...], ...]
    asks: tuple[str, ...]
    state: str
    steps: tuple[Step, ...]
    hidden: dict[str, str]


@cache
def stories() -> tuple[Story, ...]:
    """All the stories, read once."""
    text = "\n".join((TABLES / name).read_text(encoding="utf-8") for name in FILES)
    blocks = re.sub(r"^#.*$", "", text, flags=re.MULTILINE).split("\nstory\n")[1:]
    return tuple(_story(number, block) for number, block in enumerate(blocks))


def _story(number: int, block: str) -> Story:
    """One story from its lines."""
    parts: dict[str, list[str]] = {kind: [] for kind in ("word", "draw", "fact", "ask", "state", "step", "hide")}
    for line in filter(None, block.split("\n")):
        kind, _, rest = line.partition(" ")
        parts[kind].append(rest)
    draws = [_unit_and_rest(line) for line in parts["draw"]]
    steps = tuple(_step(line) for line in parts["step"])
    return Story(
        number,
        tuple(_words(line) for line in parts["word"]),
        tuple((key, _choices(text)) for key, _, text in draws),
        tuple(key for key, unit, _ in draws if unit != "-"),
        {key: unit for key, unit, _ in draws} | {step.key: step.unit for step in steps},
        tuple(tuple(fact.split(" | ")) for fact in parts["fact"]),
        tuple(parts["ask"][0].split(" | ")),
        parts["state"][0],
        steps,
        {key: meaning for key, _, meaning in (line.partition(": ") for line in parts["hide"])},
    )


def _words(line: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    slots, _, options = line.partition(": ")
    return tuple(slots.split("/")), tuple(tuple(option.split("/")) for option in options.split(", "))


def _unit_and_rest(line: str) -> tuple[str, str, str]:
    """``boxes (unit): rest``."""
    head, _, rest = line.partition("): ")
    key, _, unit = head.partition(" (")
    return key, unit, rest


def _step(line: str) -> Step:
    key, unit, rest = _unit_and_rest(line)
    expression, goal, leads, tail = [*rest.split("; "), ""][:4]
    return Step(key, unit, parse(expression), goal, tuple(leads.split(" | ")), tail)


def _choices(text: str) -> tuple[Value, ...] | Expression:
    """The values a number may take, or the expression that gives it."""
    if text.startswith("= "):
        return parse(text[2:])
    if ".." not in text:
        return tuple(_number(item) for item in text.split(", "))
    low, high, step = (Fraction(item) for item in re.split(r"\.\.|/", text if "/" in text else text + "/1"))
    return tuple(tidy(low + step * i) for i in range(int((high - low) / step) + 1))


def _number(text: str) -> Value:
    return tidy(Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text))


def parse(text: str) -> Expression:
    """An expression of keys, numbers, ``+ - * /`` and parentheses."""
    tokens = re.findall(r"[\w.]+|[-+*/()]", text)
    return Expression(tuple(tokens), _sum(tokens[::-1]))


def _sum(left: list[str]) -> Node:
    """A sum of products; the tokens still to read are ``left``, the next one last."""
    node = _product(left)
    while left and left[-1] in "+-":
        node = (left.pop(), node, _product(left))
    return node


def _product(left: list[str]) -> Node:
    node = _factor(left)
    while left and left[-1] in "*/":
        node = (left.pop(), node, _factor(left))
    return node


def _factor(left: list[str]) -> Node:
    token = left.pop()
    if token != "(":
        return _number(token) if token[0].isdigit() else token
    node = _sum(left)
    left.pop()
    return node


def evaluate(node: Node, values: Mapping[str, Value]) -> Value:
    """What an expression comes to, exactly."""
    if isinstance(node, str):
        return values[node]
    if not isinstance(node, tuple):
        return node
    op, left, right = node
    a, b = evaluate(left, values), evaluate(right, values)
    if op == "*":
        return tidy(a * b)
    if op == "/":
        return divide(a, b)
    return tidy(a + b) if op == "+" else tidy(a - b)


def spread(node: Node) -> list[tuple[str, Node]]:
    """The members of a chain of one precedence, each with the operator before it: a + b * c -> a, + (b * c)."""
    if not isinstance(node, tuple):
        return [("", node)]
    family = "+-" if node[0] in "+-" else "*/"
    members: list[tuple[str, Node]] = []
    while isinstance(node, tuple) and node[0] in family:
        members.append((node[0], node[2]))
        node = node[1]
    return [("", node), *reversed(members)]
