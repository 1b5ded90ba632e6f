"""What a build would make, without making it."""

import json
from pathlib import Path

import pytest

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.building.preview import preview
from pairgen.errors import InvalidRow, UsageError
from pairgen.sources import formats, sample


def rows(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps(sample.row("metamath", "train", index)) + "\n" for index in range(count)))
    return path


def test_preview_estimates_all_rows_from_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "BLOCK_BYTES", 60_000)
    options = BuildOptions((str(rows(tmp_path / "rows.jsonl", 1000)),), seed=3)
    before = sorted(tmp_path.iterdir())
    found = preview("metamath", options)["train"]
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"
    assert found.rows < 300
    assert found.estimated_pairs == pytest.approx(1000, rel=0.1)
    built = build("metamath", tmp_path / "out", options)
    size = sum(shard.stat().st_size for shard in built.splits["train"].shards)
    assert found.estimated_bytes == pytest.approx(size, rel=0.25)
    assert found.first == built["train"][0]


def test_preview_of_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(rows(tmp_path / "rows.jsonl", 300))
    assert preview("metamath", BuildOptions((source,), limit=50))["train"].estimated_pairs == 50
    monkeypatch.setattr(formats, "BLOCK_BYTES", 20_000)
    assert preview("metamath", BuildOptions((source,), limit=150))["train"].estimated_pairs == 150


def test_preview_makes_the_choices_of_the_build(tmp_path: Path) -> None:
    options = BuildOptions((str(rows(tmp_path / "rows.jsonl", 60)),), eval_size=10, shots=2)
    built = build("metamath", tmp_path / "out", options)
    for split, found in preview("metamath", options).items():
        assert found.first == built[split][0]
        assert found.estimated_pairs == len(built[split])


def test_preview_refuses_what_the_build_refuses(tmp_path: Path) -> None:
    source = rows(tmp_path / "rows.jsonl", 3)
    with pytest.raises(UsageError, match="choose a smaller --eval-size"):
        preview("metamath", BuildOptions((str(source),), eval_size=3))
    source.write_text('{"query": "a", "response": "b"}\nbroken\n')
    with pytest.raises(InvalidRow, match="line 2"):
        preview("metamath", BuildOptions((str(source),)))
