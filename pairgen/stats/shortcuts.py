"""Shortcuts: rules that tell chosen from rejected without the calculation or the knowledge that a pair is about.

A model can lower its loss by following such a rule. To add one, write a function from a completion to a number, and
enter it in ``SHORTCUTS``: the rule picks the completion with the larger number.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import log10
from typing import Any, NamedTuple

from pairgen.pairs.dataset import Split

Pair = Mapping[str, Any]


class Side(NamedTuple):
    """One completion of a pair, as the rules see it."""

    prompt: str
    text: str
    value: str
    """What is in the place of the edit: the value as written, for a corruption; else the differing span."""
    after: str
    """The text after the edit."""
    elsewhere: int = 0
    """How many other groups have this text as a completion."""


class Shortcut(NamedTuple):
    """A rule.

    ``of`` gives a number for a completion, of which the rule picks the larger. ``numbers`` says that it is about a
    changed value, so that it applies to corruptions only; others apply to choices only.
    """

    summary: str
    of: Callable[[Side], float]
    numbers: bool


# ---------------------------------------------------------------- numbers

_NOT_DIGITS = re.compile(r"[^\d.]")


def _digits(side: Side) -> str:
    """The digits and the decimal point of the value: ``$1,500.50`` has ``1500.50``."""
    return _NOT_DIGITS.sub("", side.value).rstrip(".")


def _size(side: Side) -> float:
    digits = _digits(side)
    value = float(digits) if digits.replace(".", "", 1).isdigit() else 0.0
    return -value if side.value.startswith(("-", "\u2212")) else value


def stands_in(value: str, text: str) -> bool:
    """Whether a value occurs as a number of its own: ``5`` is not in ``15`` or ``5.5``."""
    at = text.find(value)
    while at >= 0:
        before, after = text[max(0, at - 2) : at], text[at + len(value) : at + len(value) + 2]
        if not (before[-1:] == "." or _ends_in_digit(before) or _begins_with_digit(after)):
            return True
        at = text.find(value, at + 1)
    return False


def _ends_in_digit(text: str) -> bool:
    """Whether a digit, or one and a comma, ends a text."""
    return text[-1:].isdecimal() or (text[-1:] == "," and text[-2:-1].isdecimal())


def _begins_with_digit(text: str) -> bool:
    """Whether a digit begins a text, or one after a point or comma."""
    return text[:1].isdecimal() or (text[:1] in (".", ",") and text[1:2].isdecimal())


def _trailing_zeros(side: Side) -> float:
    digits = _digits(side)
    return -float(len(digits.partition(".")[2])) if "." in digits else float(len(digits) - len(digits.rstrip("0")))


def _first_digit(side: Side) -> float:
    """The probability of the first digit under Benford's law."""
    digits = _digits(side).lstrip("0.")
    return log10(1 + 1 / int(digits[0])) if digits else 0.0


# ---------------------------------------------------------------- texts

_WORDS = re.compile(r"\w+")
_SWEEPING = re.compile(r"\b(?:not|no|never|none|nothing|cannot|always|all|only|every)\b|n't\b", re.IGNORECASE)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(text)}


def _shared_words(side: Side) -> float:
    words = _words(side.text)
    return len(words & _words(side.prompt)) / max(len(words), 1)


SHORTCUTS: dict[str, Shortcut] = {
    "used again": Shortcut(
        "the value occurs again after its place", lambda side: float(stands_in(side.value, side.after)), True
    ),
    "in the question": Shortcut(
        "the value occurs in the prompt", lambda side: float(stands_in(side.value, side.prompt)), True
    ),
    "rounder": Shortcut("the value has more trailing zeros, or fewer decimals", _trailing_zeros, True),
    "more digits": Shortcut("the value has more digits", lambda side: float(len(_digits(side))), True),
    "last digit 0": Shortcut("the value ends in 0", lambda side: float(_digits(side).endswith("0")), True),
    "larger": Shortcut("the value is larger", _size, True),
    "likelier first digit": Shortcut("the first digit is likelier under Benford's law", _first_digit, True),
    "longer": Shortcut("the completion is longer", lambda side: float(len(side.text)), False),
    "more words of the prompt": Shortcut("a larger share of its words is in the prompt", _shared_words, False),
    "full stop": Shortcut(
        "the completion ends with a full stop", lambda side: float(side.text.rstrip().endswith(".")), False
    ),
    "sweeping": Shortcut(
        "it has a negation, or a word such as always, all or only",
        lambda side: float(_SWEEPING.search(side.text) is not None),
        False,
    ),
    "common choice": Shortcut(
        "more other questions have this text as a choice", lambda side: float(side.elsewhere), False
    ),
}


# ---------------------------------------------------------------- measuring


class Strength(NamedTuple):
    """How far a rule gets on the pairs of one split that it applies to."""

    summary: str
    pairs: int
    decided: int
    """Pairs for which it picks one of the completions."""
    right: int
    """Decided pairs for which it picks chosen."""

    @property
    def accuracy(self) -> float:
        """How often chosen is picked, with a coin where the rule does not decide."""
        return (self.right + (self.pairs - self.decided) / 2) / self.pairs if self.pairs else 0.5

    @property
    def strength(self) -> float:
        """The same for the rule or its opposite, whichever is more often right."""
        return max(self.accuracy, 1 - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values; shares are null where they are shares of nothing."""
        return {
            "definition": self.summary,
            "pairs": self.pairs,
            "decided": self.decided / self.pairs if self.pairs else None,
            "right": self.right / self.decided if self.decided else None,
            "with_coin": self.accuracy,
        }


COLUMNS = (
    *("prompt", "chosen", "rejected", "group_id", "edit_start", "chosen_edit_stop", "rejected_edit_stop"),
    *("correct", "corrupted"),
)


def measure(split: Split, limit: int | None = None) -> dict[str, Strength]:
    """The strength of each rule that applies to some pair, strongest first.

    Args:
        limit: measure on the first pairs only, as many as this.

    Raises:
        InvalidDataset: a damaged file.
    """
    elsewhere = _choices(split, limit)
    counts: dict[str, list[int]] = {name: [0, 0, 0] for name in SHORTCUTS}
    for pair in _pairs(split, limit):
        sides = _sides(pair, elsewhere)
        is_corruption = pair["corrupted"] is not None
        for name, rule in SHORTCUTS.items():
            if rule.numbers == is_corruption:
                chosen, rejected = map(rule.of, sides)
                count = counts[name]
                count[0] += 1
                count[1] += chosen != rejected
                count[2] += chosen > rejected
    found = {name: Strength(SHORTCUTS[name].summary, *count) for name, count in counts.items() if count[0]}
    return dict(sorted(found.items(), key=lambda item: -item[1].strength))


def _pairs(split: Split, limit: int | None) -> Iterator[Pair]:
    return islice((pair for batch in split.batches(COLUMNS) for pair in batch.to_pylist()), limit)


def _choices(split: Split, limit: int | None) -> Counter[str]:
    """In how many groups each completion occurs, of pairs without a corruption."""
    found: Counter[str] = Counter()
    group, texts = None, set[str]()
    for pair in _pairs(split, limit):
        if pair["corrupted"] is not None:
            continue
        if pair["group_id"] != group:
            found.update(texts)
            group, texts = pair["group_id"], set()
        texts |= {pair["chosen"].strip().lower(), pair["rejected"].strip().lower()}
    found.update(texts)
    return found


def _sides(pair: Pair, elsewhere: Counter[str]) -> tuple[Side, Side]:
    start = pair["edit_start"]
    sides = []
    for name, value, stop in (
        ("chosen", pair["correct"], pair["chosen_edit_stop"]),
        ("rejected", pair["corrupted"], pair["rejected_edit_stop"]),
    ):
        text = pair[name]
        written = text[start:stop] if value is None else value
        others = elsewhere[text.strip().lower()] - 1
        sides.append(Side(pair["prompt"], text, written, text[stop:], others))
    return sides[0], sides[1]
