"""Verification rates: the same figures in the terminal and in the card."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs import card
from pairgen.pairs.verification_rates import MAX_ROWS, percentage, summary, tables
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
        "reason": {"stated without a calculation": 1},
        **other,
    }


def rendered(view: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(view)
    return out.getvalue()


@pytest.mark.parametrize(
    ("part", "total", "shown"),
    [
        (0, 0, "-"),
        (0, 5, "0%"),
        (5, 5, "100%"),
        (978, 1000, "97.8%"),
        (399_999, 400_000, ">99.9%"),
        (1, 400_000, "<0.1%"),
    ],
)
def test_percentage_is_0_or_100_only_if_exact(part: int, total: int, shown: str) -> None:
    assert percentage(part, total) == shown


def test_tables_by_source_strategy_and_reason() -> None:
    source, strategy, reason = tables(counted())
    assert source.heads == ("source", "pairs", "verified", "% verified")
    assert source.rows == [("metamath/GSM", "3,000", "3,000", "100%"), ("other", "1,000", "999", "99.9%")]
    assert strategy.rows == [("result", "3,999", "3,999", "100%"), ("number", "1", "0", "0%")]
    assert reason.rows == [("stated without a calculation", "1", "<0.1%")]
    assert len(tables(counted(reason={}))) == 2, "no table of reasons where all is verified"
    assert summary(counted()) == "3,999 verified (>99.9%)"


def test_kinds_of_error_have_a_table_if_there_are_several(tmp_path: Path) -> None:
    def counts(error: str) -> dict[str, Any]:
        pairs = build("gsm8k", tmp_path / error, BuildOptions(("train=sample:60",), error=error))
        return dict(describe(pairs)["train"]["corruptions"])

    mixed = counts("mixed")
    assert "error" not in counts("result")
    assert {"result", "operator"} < set(mixed["error"])
    assert sum(part["pairs"] for part in mixed["error"].values()) == mixed["pairs"]
    assert [table.heads[0] for table in tables(mixed)] == ["source", "strategy", "error"]
    assert "operator" in rendered(corruption_tables(mixed))


def test_tables_are_limited_in_length() -> None:
    many = counted(source={f"type {n}": {"pairs": 1, "verified": 1} for n in range(1000)})
    assert len(tables(many)[0].rows) == MAX_ROWS
    others = f"and {1000 - MAX_ROWS} more"
    assert others in rendered(corruption_tables(many))
    assert others in card.render(manifest(many))


def test_split_summary_of_corruptions() -> None:
    split = {"pairs": 4000, "rows": 2100, "rows_with_fewer_pairs": 12, "drops": {"query is empty": 1000}}
    assert (
        split_summary("train", split, 1) == "train: 4,000 pairs from 2,100 rows; dropped rows: query is empty (1,000)"
    )
    assert split_summary("train", {**split, "corruptions": counted()}, 3) == (
        "train: 4,000 pairs from 2,100 rows; 3,999 verified (>99.9%); rows with fewer than 3 pairs: 12; "
        "dropped rows: query is empty (1,000)"
    )
    assert "\x1b" not in split_summary("train", {**split, "drops": {"\x1b[": 1}}, 1)


def test_tables_fit_the_terminal_and_escape_control_characters() -> None:
    hostile = counted(source={HOSTILE: {"pairs": 10**7, "verified": 5}, "s" * 300: {"pairs": 1, "verified": 0}})
    text = rendered(corruption_tables(hostile))
    assert "[red]\\x1b[2J`|**b**" in text
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_statistics_view_shows_verification_rates(tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions(("sample:300",)))
    described = describe(dataset)
    found = described["train"]["corruptions"]
    text = rendered(statistics_view(described))
    assert f"corruptions: {found['pairs']:,} pairs, {summary(found)}" in text
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


def test_card_has_the_tables() -> None:
    text = card.render(manifest(counted()))
    section = text.split("## Corruptions\n")[1].split("\n## ")[0]
    for line in (
        "`train`: 4,000 pairs, 3,999 verified (>99.9%).",
        "| source | pairs | verified | % verified |",
        "| `metamath/GSM` | 3,000 | 3,000 | 100% |",
        "| `number` | 1 | 0 | 0% |",
        "| `stated without a calculation` | 1 | <0.1% |",
    ):
        assert line in section.splitlines()


def test_card_without_corruptions_has_no_section() -> None:
    assert "## Corruptions" not in card.render(manifest(None))


def test_card_keeps_hostile_names_in_their_cells() -> None:
    text = card.render(manifest(counted(source={HOSTILE: {"pairs": 1, "verified": 1}})))
    (line,) = [line for line in text.splitlines() if "**b**" in line]
    assert line.count("|") == 5
    assert line.count("`") == 2
    assert not [line for line in text.splitlines() if line.startswith("# x")]


def test_card_of_a_minimal_manifest() -> None:
    text = card.render({"splits": {"train": {"pairs": 3, "shards": []}}})
    assert "# Preference pairs" in text
    assert text.startswith("---\nlicense: unknown\n")
    assert "## License\n\nThe license is unknown" in text
    assert "## Edit distance" not in text


def test_card_with_an_empty_split() -> None:
    empty = manifest(None)
    empty["splits"]["eval"] = {"rows": 0, "pairs": 0, "drops": {}}
    figures = {"mean": None, "sd": None, "quantiles": dict.fromkeys(("5", "50", "95"))}
    empty["statistics"]["eval"] = {"edit_distance": {"definition": "Levenshtein", **figures}}
    assert "| eval | - | - | - | - | - |" in card.render(empty)


def test_card_has_title_description_and_license() -> None:
    text = card.render({**manifest(None), "title": "My pairs", "description": "Made by hand."})
    assert "# My pairs\n\nMade by hand.\n" in text
    assert "`mit`, inherited from the source." in text


def test_card_of_sample_rows_says_that_they_are_synthetic(tmp_path: Path) -> None:
    dataset = build("arc", tmp_path / "out", BuildOptions(("sample:20",)))
    assert dataset.manifest["license"] == "apache-2.0"
    text = (dataset.path / "README.md").read_text("utf-8")
    assert "license: apache-2.0" in text
    assert card.SYNTHETIC in text
    assert "- synthetic\n" in text
