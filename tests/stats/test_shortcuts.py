"""Rules that tell chosen from rejected without the calculation or the fact."""

import random
import re
from pathlib import Path

import pytest
from helpers.rows import CORRUPTION, make_folder, pair
from hypothesis import given
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.record import Pair
from pairgen.stats.shortcuts import SHORTCUTS, Side, Strength, measure, stands_in

NUMBERS = [name for name, rule in SHORTCUTS.items() if rule.numbers]
CHOICES = [name for name, rule in SHORTCUTS.items() if not rule.numbers]


def corrupted_pair(chosen: str, rejected: str, correct: str, corrupted: str, at: int = 0) -> Pair:
    values = {**CORRUPTION, "correct": correct, "corrupted": corrupted}
    return pair(chosen, rejected, f"c-{at}", f"How many, {at}?", **values)


def side(value: str = "12", after: str = "", prompt: str = "", text: str = " x", elsewhere: int = 0) -> Side:
    return Side(prompt, text, value, after, elsewhere)


# rule -> a side that scores higher, and one that scores lower
ORDERED: dict[str, tuple[Side, Side]] = {
    "used again": (side("12", ". Then 12 + 1."), side("12", ". Then 120 + 1.12 and 3,12.")),
    "in the question": (side("12", prompt="He has 12 jars."), side("12", prompt="He has 112 or 12.5 jars.")),
    "rounder": (side("1,500"), side("1,510")),
    "more digits": (side("1,000"), side("999")),
    "last digit 0": (side("$30"), side("$31")),
    "larger": (side("2"), side("-3")),
    "likelier first digit": (side("0.19"), side("92")),
    "longer": (side(text=" a long one"), side(text=" short")),
    "more words of the prompt": (
        side(prompt="Why is the sky blue?", text=" The sky"),
        side(prompt="Why is the sky blue?", text=" A sea"),
    ),
    "full stop": (side(text=" Yes. "), side(text=" Yes")),
    "sweeping": (side(text=" It never rains"), side(text=" It rains in the hall")),
    "common choice": (side(elsewhere=2), side(elsewhere=1)),
}


def test_each_rule_is_ordered_here() -> None:
    assert set(ORDERED) == set(SHORTCUTS)


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_rule_scores_the_one_it_picks_higher(name: str) -> None:
    higher, lower = ORDERED[name]
    assert SHORTCUTS[name].of(higher) > SHORTCUTS[name].of(lower)


@pytest.mark.parametrize("name", SHORTCUTS)
@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_a_rule_takes_any_text(name: str, prompt: str, text: str, value: str, after: str) -> None:
    number = SHORTCUTS[name].of(Side(prompt, text, value, after))
    assert number == number


def test_decimals_are_less_round_than_integers() -> None:
    of = SHORTCUTS["rounder"].of
    assert of(side("100")) > of(side("15")) > of(side("1.5")) > of(side("1.25"))


def test_counts_of_a_rule(tmp_path: Path) -> None:
    pairs = [
        corrupted_pair(" 1 + 1 = 2, 2 + 1 = 3.", " 1 + 1 = 9, 2 + 1 = 3.", "2", "9", at=0),  # picks chosen
        corrupted_pair(" 1 + 1 = 2, so 9.", " 1 + 1 = 9, so 9.", "2", "9", at=1),  # picks rejected
        corrupted_pair(" 1 + 1 = 2.", " 1 + 1 = 9.", "2", "9", at=2),  # decides nothing
        corrupted_pair(" 1 + 1 = 2, 2 = 2.", " 1 + 1 = 9, 2 = 2.", "2", "9", at=3),
        pair(" the sun", " the moon and the stars", "a-1", "What shines?"),
    ]
    found = measure(make_folder(tmp_path / "out", {"train": pairs})["train"])
    assert found["used again"] == Strength(SHORTCUTS["used again"].summary, 4, 3, 2)
    assert found["used again"].accuracy == (2 + 0.5) / 4
    assert found["longer"][1:] == (1, 1, 0)
    assert found["longer"].strength == 1
    assert list(found.values()) == sorted(found.values(), key=lambda strength: -strength.strength)
    assert measure(make_folder(tmp_path / "two", {"train": pairs})["train"], limit=2)["used again"].pairs == 2


def test_a_choice_that_other_questions_have_is_common(tmp_path: Path) -> None:
    pairs = [
        pair(" up", " all of these", "a-1", "Where?"),
        pair(" up", " down", "a-2", "Where?"),
        pair(" red", " All of these ", "b-1", "Which?"),
    ]
    found = measure(make_folder(tmp_path / "out", {"train": pairs})["train"])["common choice"]
    assert found[1:] == (3, 2, 0)


def test_choices_in_random_order_have_no_shortcut(tmp_path: Path) -> None:
    """Right and wrong drawn from one distribution: every rule is right about as often as a coin."""
    draws = random.Random(0)

    def text() -> str:
        words = draws.choices(["sun", "moon", "never", "stars", "What", "all"], k=draws.randint(1, 5))
        return " " + " ".join(words) + draws.choice(["", "."])

    made = [(text(), text()) for _ in range(2000)]
    pairs = [pair(one, other, f"p-{at}", f"What, {at}?") for at, (one, other) in enumerate(made) if one != other]
    found = measure(make_folder(tmp_path / "out", {"train": pairs})["train"])
    assert {name for name, strength in found.items() if strength.strength > 0.54} == set()


def test_the_paper_s_construction_repeats_the_right_value(real_data: Path, tmp_path: Path) -> None:
    source = str(real_data / "metamath" / "GSM_AnsAug.json")
    found = measure(build("metamath", tmp_path / "out", BuildOptions((source,)))["train"])
    assert next(iter(found)) == "used again"
    assert found["used again"].pairs >= 3996  # of 4,000 rows
    assert 0.95 < found["used again"].accuracy < 0.98
    assert found["used again"].right / found["used again"].decided > 0.99


@pytest.mark.parametrize("corruption", ["near", "digit"])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_rule_about_the_number_alone_tells_right_from_wrong(
    corruption: str, seed: int, real_data: Path, tmp_path: Path
) -> None:
    """Where a rule decides, it is right in 45% to 55%, within two standard errors if it decides few pairs."""
    options = BuildOptions((str(real_data / "metamath" / "GSM_AnsAug.json"),), corruption=corruption, seed=seed)
    found = measure(build("metamath", tmp_path / "out", options)["train"])
    for name in ("rounder", "more digits", "last digit 0", "larger", "likelier first digit"):
        if decided := found[name].decided:
            margin = 0.05 + (2 * 0.5 / decided**0.5 if decided < 400 else 0)
            assert abs(found[name].right / decided - 0.5) <= margin, name


@given(st.text("15.,x٣", min_size=1, max_size=3), st.text("15., x٣", max_size=12))
def test_stands_in_equals_a_pattern(value: str, text: str) -> None:
    pattern = rf"(?<![\d.])(?<!\d,){re.escape(value)}(?![.,]?\d)"
    assert stands_in(value, text) == (re.search(pattern, text) is not None)
