"""The model card: valid metadata, and no local paths."""

from pathlib import Path

import yaml

from pairgen.train.config import Config
from pairgen.train.output.model_card import render

SUMMARY = {"pairs": 1200, "steps": 50, "metrics": {"step": 50, "loss": 0.25}}


def front_matter(card: str) -> dict[str, object]:
    _, block, _ = card.split("---\n", 2)
    loaded: dict[str, object] = yaml.safe_load(block)
    return loaded


def test_paths_are_reduced_to_names(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    paths = {"model": str(tmp_path / "model"), "out": str(tmp_path / "run"), "reference_dir": str(tmp_path / "cache")}
    card = render(Config(data=(str(tmp_path / "pairs"),), **paths).resolved(), SUMMARY)  # type: ignore[arg-type]
    assert str(tmp_path) not in card
    assert "base_model" not in front_matter(card)
    assert "# `run`: `model` trained with dpop" in card
    assert '"pairs"' in card


def test_base_model_is_a_hub_id() -> None:
    card = render(Config(model="Qwen/Qwen3-0.6B", lora=8, out="run", data=("pairs",)).resolved(), SUMMARY)
    assert front_matter(card)["base_model"] == "Qwen/Qwen3-0.6B"
    assert front_matter(card)["library_name"] == "peft"
    assert "base_model" not in front_matter(render(Config(out="run"), SUMMARY))
