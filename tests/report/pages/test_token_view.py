"""Pairs token by token: which pairs, and every number of them."""

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.logged_runs import make_run
from helpers.rows import make_folder, pair
from helpers.web_pages import Parsed, assert_inert, hostile
from hypothesis import given
from hypothesis import strategies as st

from pairgen.report.pages.token_pairs import Chosen, Completion, TokenPair, _by_turns, choose
from pairgen.report.pages.token_view import MOST_TOKENS, STEPS, number, shade, signed, tokens_view
from pairgen.run_folder import PAIRS, Run, open_run
from pairgen.run_folder.measured import SCORED, write_table


def scored(pair_id: str, fall: float, split: str = "eval", **other: Any) -> dict[str, Any]:
    """A pair of four tokens whose third is the edit, and whose chosen falls by ``fall`` nats there."""
    return {
        "split": split,
        "dataset": "d",
        "pair_id": pair_id,
        "chosen": [-0.5, -1.0, -2.0 - fall, -0.25],
        "rejected": [-0.5, -1.0, -4.0, -0.75],
        "reference_chosen": [-0.5, -1.0, -2.0, -0.25],
        "reference_rejected": [-0.5, -1.0, -3.5, -0.25],
        "chosen_tokens": [" 1", " +", " 2", "</s>"],
        "rejected_tokens": [" 1", " +", " 3", "</s>"],
        "edit_start": 2,
        "chosen_edit_stop": 3,
        "rejected_edit_stop": 3,
        **other,
    }


def run_of(folder: Path, rows: list[dict[str, Any]], data: str = "pairs") -> Run:
    make_run(folder)
    config = (folder / "config.toml").read_text("utf-8").replace('"pairs"', f'"{data}"')
    (folder / "config.toml").write_text(config, "utf-8")
    write_table(pa.Table.from_pylist(rows, SCORED), folder / PAIRS)
    return open_run(folder)


def view_of(chosen: Chosen) -> Parsed:
    return assert_inert(f"<div>{tokens_view(chosen)}</div>")


# ---------------------------------------------------------------- which pairs


@given(st.integers(0, 40), st.integers(0, 50))
def test_pairs_are_the_lowest_the_highest_and_the_middle(count: int, most: int) -> None:
    ranks = [rank for rank, _ in _by_turns(count, most)]
    assert len(ranks) == len(set(ranks)) == min(count, most)
    assert set(ranks) <= set(range(count))
    if count >= 3 and most >= 3:
        assert ranks[:3] == [0, count - 1, (count - 1) // 2]


def test_turns_have_names() -> None:
    assert [why for _, why in _by_turns(100, 6)] == [
        "lowest log-ratio of chosen",
        "highest log-ratio of chosen",
        "median log-ratio of chosen",
        "2nd lowest log-ratio of chosen",
        "2nd highest log-ratio of chosen",
        "next to the median log-ratio of chosen",
    ]


def test_pairs_of_two_runs_are_matched_by_id(tmp_path: Path) -> None:
    make_folder(tmp_path / "pairs", {"eval": [pair(f" {name}", " z", name, f"Prompt {name}") for name in "abc"]})
    falls = {"a": 1.0, "b": 3.0, "c": -2.0}
    data = str(tmp_path / "pairs")
    one = run_of(tmp_path / "one", [scored(name, fall) for name, fall in falls.items()], data)
    other = run_of(tmp_path / "other", [scored(name, 0.5) for name in "cb"])
    found = choose({"one": one, "other": other}, 3)
    assert [pair.pair_id for pair in found.pairs] == ["b", "c", "a"]
    assert [pair.prompt for pair in found.pairs] == ["Prompt b", "Prompt c", "Prompt a"]
    assert [list(pair.sides["chosen"]) for pair in found.pairs] == [["one", "other"], ["one", "other"], ["one"]]
    assert found.pairs[0].why == "lowest log-ratio of chosen of 3 pairs, under one"
    completion = found.pairs[0].sides["chosen"]["one"]
    assert completion.parts() == [0, -3, 0, -3]
    assert found.pairs[0].sides["rejected"]["other"].parts() == [0, -0.5, -0.5, -1]


def test_held_out_pairs_come_first(tmp_path: Path) -> None:
    rows = [scored("t", 9, "train"), scored("e", 1)]
    assert [pair.pair_id for pair in choose({"r": run_of(tmp_path / "r", rows)}, 5).pairs] == ["e"]
    assert [pair.pair_id for pair in choose({"r": run_of(tmp_path / "s", rows[:1])}, 5).pairs] == ["t"]


def test_runs_that_cannot_be_shown(tmp_path: Path) -> None:
    make_run(tmp_path / "old")
    runs = {
        "old": open_run(tmp_path / "old"),
        "simpo": run_of(tmp_path / "simpo", [scored("a", 1, reference_chosen=None, reference_rejected=None)]),
        "empty": run_of(tmp_path / "empty", []),
        "study": run_of(tmp_path / "study", [scored("a", 1, chosen_tokens=None, rejected_tokens=None)]),
    }
    found = choose(runs, 3)
    assert not found.pairs
    assert [note.split(",")[0].split(": ", 1)[1] for note in found.notes] == [
        "has no pairs.parquet",
        "its loss uses no reference model to compare the tokens with.",
        "its pairs.parquet has no pairs.",
        "its pairs.parquet has no texts of tokens",
    ]
    assert view_of(found).text.count("pairs.parquet") == 3
    assert (
        not choose({"r": run_of(tmp_path / "sft", [scored("a", 1, rejected=None, reference_rejected=None)])}, 1)
        .pairs[0]
        .sides["rejected"]
    )


# ---------------------------------------------------------------- how they look


def completion(changes: list[float], texts: list[str] | None = None, edit: tuple[int, int] = (0, 1)) -> Completion:
    reference = np.full(len(changes), -4.0)
    return Completion(texts or ["x"] * len(changes), reference, reference + changes, edit)


def pair_of(chosen: Completion, rejected: Completion | None = None, prompt: str | None = "Why?") -> TokenPair:
    sides = {"chosen": {"r": chosen}, "rejected": {} if rejected is None else {"r": rejected}}
    return TokenPair("id", "why", prompt, sides)


def cells(found: Parsed) -> list[list[str]]:
    """The texts of each token: reference, policy, token, change."""
    source = found.source
    return [
        [html.unescape(re.sub("<[^>]+>", "", part)) for part in re.split(r"</span>|(?=<b )|(?<=</b>)", token) if part]
        for token in re.findall(r'<span class="token(?: edit)?">(.*?</span>)</span>', source)
    ][1:]  # the first is that of the key


def test_numbers_of_each_token() -> None:
    found = view_of(Chosen([pair_of(completion([-1.73, 0.004, 2.5], [" 4", "\n", "</s>"]))], []))
    assert cells(found) == [
        ["−4.00", "−5.73", "·4", "−1.73"],
        ["−4.00", "−4.00", "↵", "0.00"],
        ["−4.00", "−1.50", "</s>", "+2.50"],
    ]
    classes = [one["class"] for one in found.named("b") if "class" in one]
    assert classes == ["fall-3", "fall-3", "same", "rise-3"]
    assert [one["class"] for one in found.named("span") if str(one.get("class")).startswith("token")] == [
        *("token edit", "token edit", "token", "token"),
    ]
    assert "Why?" in found.text
    assert found.source.count('class="break"') == 1


def test_changes_by_place() -> None:
    found = view_of(Chosen([pair_of(completion([-1, -2, 0.5, 0.25], edit=(1, 2)))], []))
    row = re.findall(r"<td[^>]*>([^<]*)</td>", found.source)
    assert row == ["r", "−1.00", "−2.00", "+0.75", "−2.25"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (0.0, "same"),
        (-0.099, "same"),
        (0.1, "rise-1"),
        (-0.3, "fall-2"),
        (1.0, "rise-3"),
        (-3.0, "fall-4"),
        (99, "rise-4"),
    ],
)
def test_shade(change: float, name: str) -> None:
    assert shade(change) == name


def test_every_color_is_in_the_key() -> None:
    found = view_of(Chosen([pair_of(completion([0]))], []))
    names = {one.get("class") for one in found.named("span")}
    assert {shade(way * (step + 0.01)) for way in (-1, 1) for step in (0, *STEPS)} <= names


def test_the_shared_beginning_of_rejected_is_shown_once() -> None:
    start = [-0.5] * 20
    chosen, rejected = completion([*start, -1], edit=(20, 21)), completion([*start, 2], edit=(20, 21))
    found = view_of(Chosen([pair_of(chosen, rejected)], []))
    assert "16 tokens as in chosen …" in found.text
    assert len(cells(found)) == 21 + 5
    different = completion([*start[:-10], *[1.0] * 10, 2], edit=(20, 21))
    assert len(cells(view_of(Chosen([pair_of(chosen, different)], [])))) == 42


def test_a_long_completion_is_shown_around_its_edit() -> None:
    chosen = completion([-0.01] * 1000, edit=(500, 501))
    found = view_of(Chosen([pair_of(chosen)], []))
    assert len(cells(found)) == MOST_TOKENS
    omitted = [int(number) for number in re.findall(r"(\d+) more tokens", found.text)]
    assert sum(omitted) + MOST_TOKENS == 1000
    assert "394 more tokens, −3.94 nats in all …" in found.text


@given(st.floats(-1e6, 1e6))
def test_numbers_have_no_negative_zero(value: float) -> None:
    for text in (number(value), signed(value)):
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.00501)
        assert text not in ("−0.00", "+0.00")


@given(hostile(), hostile(), hostile())
def test_any_token_stays_text(one: str, other: str, prompt: str) -> None:
    chosen = completion([0.5, -2], [one, other])
    made = TokenPair(one, other, prompt, {"chosen": {prompt: chosen, other: chosen}, "rejected": {prompt: chosen}})
    found = view_of(Chosen([made], [prompt]))
    assert {tag for tag, _ in found.elements} <= {
        *("div", "p", "span", "b", "i", "h4", "h5", "code", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    }
