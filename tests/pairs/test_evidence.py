"""Verified pairs are verified again from their columns, and every false row among them is found."""

import random
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.evidence import has_value, is_confirmed
from pairgen.pairs.invariants import violated_rows
from pairgen.pairs.record import SCHEMA

Row = dict[str, Any]


@pytest.mark.parametrize(
    ("expression", "correct", "corrupted", "confirmed"),
    [
        ("1+1", "2", "3", True),
        ("1+1", "3", "2", False),
        ("1+1", "2", "2.0", False),
        ("10/3", "3.33", "3.34", True),
        ("10/3", "3.33", "3.333", False),  # both state 10/3
        ("10/3", "3", "4", False),  # an integer does not state a rounded value
        ("100*(1/4)", "25", "40", True),  # of 25%
        ("sqrt(16)", "4", "5", True),
        ("3*1500", "4,500", "4,600", True),
        ("1/2+1/4", r"\frac{3}{4}", r"\frac{5}{4}", True),
        ("1/0", "2", "3", False),
        ("one", "2", "3", False),
        (None, "2", "3", False),
        ("1+1", "two", "3", False),
        ("1+1", "2", None, False),
    ],
)
def test_is_confirmed(expression: str | None, correct: str, corrupted: str | None, confirmed: bool) -> None:
    assert is_confirmed(expression, correct, corrupted) is confirmed


@pytest.mark.parametrize(
    ("literal", "value", "same"),
    [
        ("3.50", "7/2", True),
        ("2", "2", True),
        ("2", "2/1", True),
        ("-2", "-4/2", True),
        ("1 1/2", "3/2", True),
        ("2", "3/1", False),
        ("2", None, False),
        (None, "2/1", False),
        ("2", "1" * 5000, False),
    ],
)
def test_has_value(literal: str | None, value: str | None, same: bool) -> None:
    assert has_value(literal, value) is same


# ---------------------------------------------------------------- mutations of built pairs


def value_of(expression: str) -> Fraction | None:
    """The value of an expression without roots, computed by Python."""
    if re.search("sqrt|pi", expression):
        return None
    exact = re.sub(r"\d*\.?\d+", lambda number: f"Fraction('{number[0]}')", expression)
    try:
        return Fraction(eval(exact, {"Fraction": Fraction}))  # noqa: S307
    except (ZeroDivisionError, SyntaxError, OverflowError, TypeError):
        return None


def other_expression(row: Row, rng: random.Random) -> str | None:
    """The expression with a digit or operator changed, if that changes its value by more than rounding could hide."""
    text = str(row["expression"])
    at = rng.choice([at for at, letter in enumerate(text) if letter in "0123456789+-*/"])
    letters = "0123456789" if text[at].isdigit() else "+-*/"
    changed = text[:at] + rng.choice(letters.replace(text[at], "")) + text[at + 1 :]
    before, after = value_of(text), value_of(changed)
    if before is None or (after is not None and abs(before - after) <= 1):
        return None
    return changed


def other_value(row: Row, name: str, rng: random.Random) -> str:
    value = Fraction(row[name])
    others = {value + 1, -value, value * 10, 1 / value if value else value - 3} - {value}
    other = rng.choice(sorted(others))
    return f"{other.numerator}/{other.denominator}"


def other_literal(row: Row, name: str, rng: random.Random) -> str:
    text = str(row[name])
    at = rng.choice([at for at, letter in enumerate(text) if letter.isdigit()])
    return text[:at] + rng.choice("0123456789".replace(text[at], "")) + text[at + 1 :]


MUTATED = (
    *("expression", "correct_value", "corrupted_value", "correct", "corrupted"),
    *("edit_start", "chosen_edit_stop", "rejected_edit_stop", "edits"),
)


def with_edits(row: Row) -> Row:
    """The row with its edited span as the first of two changes; the second is empty, where the first ends."""
    start, stop, other = row["edit_start"], row["chosen_edit_stop"], row["rejected_edit_stop"]
    first = {"start": start, "chosen_stop": stop, "rejected_start": start, "rejected_stop": other}
    rest = {"start": stop, "chosen_stop": stop, "rejected_start": other, "rejected_stop": other}
    return {**row, "edits": [first, rest]}


def other_edits(row: Row, rng: random.Random) -> list[dict[str, int]]:
    """The changes of the row with one number changed."""
    changes = [dict(change) for change in row["edits"]]
    change = rng.choice(changes)
    change[rng.choice(list(change))] += rng.choice([-3, -2, -1, 1, 2, 3])
    return changes


def mutation(row: Row, rng: random.Random) -> Row | None:
    """The row with one column changed so that it is no longer true; None if this attempt left it true."""
    name = rng.choice(MUTATED)
    if name == "expression":
        value: Any = other_expression(row, rng)
    elif name.endswith("value"):
        value = other_value(row, name, rng)
    elif name in ("correct", "corrupted"):
        value = other_literal(row, name, rng)
    elif name == "edits":
        value = other_edits(row, rng)
    else:
        value = row[name] + rng.choice([-3, -2, -1, 1, 2, 3])
    return None if value is None else {**row, name: value}


@pytest.mark.parametrize("name", ["metamath", "gsm8k"])
def test_each_of_1000_false_rows_is_found(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path / "out", BuildOptions(("sample:400",), pairs_per_row=2))
    rows = [with_edits(row) for row in dataset.splits["train"].table().to_pylist() if row["check"] == "verified"]
    found = violated_rows(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert not any(mask.any() for mask in found.values())
    rng = random.Random(0)
    mutations: list[Row] = []
    while len(mutations) < 1000:
        mutated = mutation(rng.choice(rows), rng)
        if mutated is not None:
            mutations.append(mutated)
    found = violated_rows(pa.RecordBatch.from_pylist(mutations, schema=SCHEMA))
    missed = ~np.logical_or.reduce(list(found.values()))
    assert [mutations[at] for at in np.flatnonzero(missed)] == []
