"""Tables of how corruptions were checked: the same figures on the terminal and in the card."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs import card
from pairgen.pairs.shares import MOST, share, tables, verified
from pairgen.report.dataset_tables import corruption_tables, split_summary, statistics_view
from pairgen.stats import describe

HOSTILE = "[red]\x1b[2J`|**b**\n# x \u202e"


def counted(**other: Any) -> dict[str, Any]:
    return {
        "definition": "corrupted pairs",
        "pairs": 4000,
        "verified": 3999,
        "source": {"metamath/GSM": {"pairs": 3000, "verified": 3000}, "other": {"pairs": 1000, "verified": 999}},
        "strategy": {"result": {"pairs": 3999, "verified": 3999}, "number": {"pairs": 1, "verified": 0}},
        "reason": {"stated, not calculated": 1},
        **other,
    }


def rendered(view: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(view)
    return out.getvalue()


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "-"),
        (0, 5, "0%"),
        (5, 5, "100%"),
        (978, 1000, "97.8%"),
        (399_999, 400_000, ">99.9%"),
        (1, 400_000, "<0.1%"),
    ],
)
def test_a_share_is_all_or_none_only_where_it_is(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


def test_tables_hold_what_was_counted() -> None:
    source, strategy, reason = tables(counted())
    assert source.heads == ("source", "pairs", "verified", "share")
    assert source.rows == [("metamath/GSM", "3,000", "3,000", "100%"), ("other", "1,000", "999", "99.9%")]
    assert strategy.rows == [("result", "3,999", "3,999", "100%"), ("number", "1", "0", "0%")]
    assert reason.rows == [("stated, not calculated", "1", "<0.1%")]
    assert len(tables(counted(reason={}))) == 2, "no table of reasons where all is verified"
    assert verified(counted()) == "3,999 verified (>99.9%)"


def test_a_source_for_every_row_makes_no_endless_table() -> None:
    many = counted(source={f"type {n}": {"pairs": 1, "verified": 1} for n in range(1000)})
    assert len(tables(many)[0].rows) == MOST
    said = f"{1000 - MOST} more, with no more pairs each"
    assert said in rendered(corruption_tables(many))
    assert said in card.render(manifest(many))


def test_the_sentence_of_a_split() -> None:
    split = {"pairs": 4000, "rows": 2100, "rows_with_fewer_pairs": 12, "drops": {"query is empty": 1000}}
    assert (
        split_summary("train", split, 1) == "train: 4,000 pairs from 2,100 rows; dropped rows: query is empty (1,000)"
    )
    assert split_summary("train", {**split, "corruptions": counted()}, 3) == (
        "train: 4,000 pairs from 2,100 rows; 3,999 verified (>99.9%); rows with fewer than 3 pairs: 12; "
        "dropped rows: query is empty (1,000)"
    )
    assert "\x1b" not in split_summary("train", {**split, "drops": {"\x1b[": 1}}, 1)


def test_tables_fit_and_are_safe() -> None:
    hostile = counted(source={HOSTILE: {"pairs": 10**7, "verified": 5}, "s" * 300: {"pairs": 1, "verified": 0}})
    text = rendered(corruption_tables(hostile))
    assert "[red]\\x1b[2J`|**b**" in text
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_statistics_show_them(tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions(("sample:300",)))
    described = describe(dataset)
    found = described["train"]["corruptions"]
    text = rendered(statistics_view(described))
    assert f"corruptions: {found['pairs']:,} pairs, {verified(found)}" in text
    for name in (*found["source"], *found["strategy"], *found["reason"]):
        assert name in text
    assert "corruptions:" not in rendered(statistics_view(describe(dataset, names=["edit_distance"])))


# ---------------------------------------------------------------- the card


def manifest(found: dict[str, Any] | None) -> dict[str, Any]:
    distance = {"definition": "Levenshtein", "mean": 0.1, "sd": 0.1, "quantiles": {"5": 0, "50": 0.1, "95": 0.2}}
    return {
        "dataset": "metamath",
        "license": "mit",
        "command": "pairgen build metamath",
        "options": {"seed": 0},
        "sources": {"train": {"files": ["rows.jsonl"], "sha256": ["0"]}},
        "versions": {"pairgen": "1"},
        "splits": {"train": {"rows": 4000, "pairs": 4000, "drops": {}}},
        "statistics": {"train": {"edit_distance": distance, **({"corruptions": found} if found else {})}},
    }


def test_the_card_has_the_tables() -> None:
    text = card.render(manifest(counted()))
    section = text.split("## Corruptions\n")[1].split("\n## ")[0]
    for line in (
        "`train`: 4,000 pairs, 3,999 verified (>99.9%).",
        "| source | pairs | verified | share |",
        "| `metamath/GSM` | 3,000 | 3,000 | 100% |",
        "| `number` | 1 | 0 | 0% |",
        "| `stated, not calculated` | 1 | <0.1% |",
    ):
        assert line in section.splitlines()


def test_a_card_without_corruptions_has_no_section() -> None:
    assert "## Corruptions" not in card.render(manifest(None))


def test_a_hostile_source_stays_in_its_cell() -> None:
    text = card.render(manifest(counted(source={HOSTILE: {"pairs": 1, "verified": 1}})))
    (line,) = [line for line in text.splitlines() if "**b**" in line]
    assert line.count("|") == 5
    assert line.count("`") == 2
    assert not [line for line in text.splitlines() if line.startswith("# x")]
