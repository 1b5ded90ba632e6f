"""What a run would train on, without training."""

from pathlib import Path

from helpers import tiny_runs as runs

from pairgen.train.preview import preview
from pairgen.train.run import train


def test_preview_has_the_sizes_of_the_run_and_writes_nothing(tmp_path: Path) -> None:
    pairs = runs.dataset(tmp_path / "pairs", "arc", rows=12)
    config = runs.config(pairs, tmp_path / "run", steps=0, epochs=2.0, sft_steps=0, max_length=24)
    before = sorted(tmp_path.rglob("*"))
    warnings: list[str] = []
    found = preview(config, warn=warnings.append)
    assert sorted(tmp_path.rglob("*")) == before
    result = train(config)
    assert (found["steps"], found["pairs"]) == (result.summary["steps"], result.summary["pairs"])
    assert found["drops"] == result.summary["drops"]
    assert found["sft_steps"] == 0
    assert found["truncated_prompts"] > 0
    assert any("truncated" in text for text in warnings)


def test_preview_decodes_what_the_model_sees(tmp_path: Path) -> None:
    pairs = runs.dataset(tmp_path / "pairs", "arc", rows=4)
    first = preview(runs.config(pairs, tmp_path / "run"))["first"]
    assert list(first) == ["prompt", "chosen", "rejected"]
    assert first["prompt"].startswith("<s>Question: ")
    assert first["chosen"].endswith("</s>")
    assert first["chosen"] != first["rejected"]
