"""School science with choices, in the manner of ARC-Challenge.

Half of the questions come from tables of facts in ``tables/``, a block of lines each::

    kinds                                   things sorted by kind; no thing is of two kinds of one block
    ask Which of these is {kind}? | ...     the right choice is of the kind, the wrong ones are of others
    not Which of these is not {kind}? | ...
    kind a mammal: a bat, a whale
    pairs                                   each left side fits its own right side alone
    ask Which tool shows {right}? | ...
    back What can one find out with {left}? | ...
    pair a balance = the mass of a stone | ...
    orders                                  things from least to most, and how the two ends are asked for
    order planets: closest to the Sun; farthest from the Sun; Mercury, Venus

The others are worked out from numbers and situations: ``quantities.py``, ``situations.py``.
"""

from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.draw import Draw, belongs
from pairgen.sources.sample.problem import PEOPLE
from pairgen.sources.sample.quantities import QUANTITIES, Question
from pairgen.sources.sample.situations import SITUATIONS
from pairgen.sources.sample.story import TABLES

FILES = ("kinds.txt", "pairs.txt")

# What may come before any question. It has no part in what is asked.
LEADS = (
    "In a science quiz, {name} is asked this: ",
    "{name}'s class is preparing for a test. ",
    "On a field trip, a guide turns to {name}. ",
    "{name} is making a poster for the science fair. ",
    "This question is on a card that {name} draws. ",
    "{name} explains a topic to a younger child. ",
)
COUNTS = (4,) * 18 + (3, 5)
WORKED_OUT = (*QUANTITIES, *SITUATIONS)


class Kinds(NamedTuple):
    """Things by kind."""

    asks: tuple[str, ...]
    negatives: tuple[str, ...]
    kinds: tuple[tuple[str, tuple[str, ...]], ...]


class Pairs(NamedTuple):
    """Things and what goes with each alone; the right sides in one or two wordings."""

    asks: tuple[str, ...]
    backs: tuple[str, ...]
    pairs: tuple[tuple[str, tuple[str, ...]], ...]


class Order(NamedTuple):
    """Things from least to most."""

    what: str
    ends: tuple[str, str]
    things: tuple[str, ...]


@cache
def facts() -> tuple[list[Kinds], list[Pairs], list[Order]]:
    """The tables, read once."""
    kinds: list[Kinds] = []
    pairs: list[Pairs] = []
    orders: list[Order] = []
    text = "".join((TABLES / name).read_text(encoding="utf-8") + "\n" for name in FILES)
    for block in text.split("\n\n"):
        lines = [line.partition(" ")[::2] for line in block.split("\n") if line and not line.startswith("#")]
        if not lines:
            continue
        title, rest = lines[0][0], [line for _, line in lines[1:]]
        if title == "orders":
            orders += map(_read_order, rest)
            continue
        asks, others = (tuple(line.split(" | ")) for line in rest[:2])
        if title == "kinds":
            kinds.append(Kinds(asks, others, _read_entries(rest[2:], ": ", ", ")))
        else:
            pairs.append(Pairs(asks, others, _read_entries(rest[2:], " = ", " | ")))
    return kinds, pairs, orders


def _read_entries(lines: list[str], mark: str, cut: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What stands left of the mark, and the parts of what stands right of it."""
    return tuple((line.split(mark, 1)[0], tuple(line.split(mark, 1)[1].split(cut))) for line in lines)


def _read_order(line: str) -> Order:
    what, _, rest = line.partition(": ")
    least, most, things = rest.split("; ")
    return Order(what, (least, most), tuple(things.split(", ")))


def _ask_kind(fact: Kinds, d: Draw) -> Question:
    """A thing of a kind among others, or a thing of another kind among those of one."""
    kind, things = d.pick(fact.kinds)
    others = [thing for name, group in fact.kinds if name != kind for thing in group]
    if len(things) >= 3 and d.chance(0.3):
        return Question(d.pick(fact.negatives).format_map({"kind": kind, "name": "{name}"}), d.pick(others), things)
    return Question(d.pick(fact.asks).format_map({"kind": kind, "name": "{name}"}), d.pick(things), tuple(others))


def _ask_pair(fact: Pairs, d: Draw) -> Question:
    """What goes with a thing, asked from either side."""
    left, rights = d.pick(fact.pairs)
    slots = {"left": left, "right": d.pick(rights), "name": "{name}"}
    if d.chance(0.35):
        wrong = tuple(options[0] for other, options in fact.pairs if other != left)
        return Question(d.pick(fact.backs).format_map(slots), rights[0], wrong)
    wrong = tuple(other for other, _ in fact.pairs if other != left)
    return Question(d.pick(fact.asks).format_map(slots), left, wrong)


def _ask_order(fact: Order, d: Draw) -> Question:
    """The first or the last of some things that have an order."""
    most = d.chance(0.5)
    places = sorted(d.some(range(len(fact.things)), min(len(fact.things), d.whole(4, 5))), reverse=most)
    right, *wrong = (fact.things[place] for place in places)
    listed = ", ".join([right, *wrong][i] for i in d.some(range(len(places)), len(places)))
    asked = d.pick(
        (
            f"Which of these {fact.what} is {{}}?",
            f"Of these {fact.what}, which one is {{}}?",
            f"{{name}} compares some {fact.what}: {listed}. Which of them is {{}}?",
        )
    )
    return Question(asked.replace("{}", fact.ends[most]), right, tuple(wrong))


def draw_question(split: str, d: Draw) -> Question:
    """Draw questions until one belongs to the split: by its wording, whatever the name in it and its choices."""
    kinds, pairs, orders = facts()
    while True:
        point = d.random()
        if point < 0.27:
            asked = _ask_kind(d.pick(kinds), d)
        elif point < 0.6:
            asked = _ask_pair(d.pick(pairs), d)
        elif point < 0.66:
            asked = _ask_order(d.pick(orders), d)
        else:
            asked = d.pick(WORKED_OUT)(d)
        if belongs(split, asked.stem):
            return asked


def question(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the hub's layout of ARC."""
    d = Draw("arc", split, seed, index)
    asked = draw_question(split, d)
    lead = d.pick(LEADS) if "{name}" not in asked.stem and d.chance(0.4) else ""
    count = min(d.pick(COUNTS), len(asked.wrong) + 1)
    texts = [asked.right, *d.some(asked.wrong, count - 1)]
    order = d.some(range(count), count)
    labels = list("12345" if d.chance(0.05) else "ABCDE")[:count]
    return {
        "id": f"Sample_{split}_{seed}_{index}",
        "question": (lead + asked.stem).replace("{name}", d.pick(PEOPLE)[0]),
        "choices": {"text": [texts[place] for place in order], "label": labels},
        "answerKey": labels[order.index(0)],
    }
