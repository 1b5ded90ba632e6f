"""Small datasets and models for tests of complete runs."""

from pathlib import Path
from typing import Any

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.train.config import Config, combine

FAST: dict[str, Any] = {"steps": 6, "batch_size": 4, "sft_steps": 2, "eval_pairs": 4, "seed": 3}
"""Options of a run that takes seconds."""


def dataset(folder: Path, name: str = "metamath", rows: int = 24, **options: Any) -> Path:
    """Pairs of the built-in sample; ``eval`` contains four questions."""
    chosen = {"eval_size": 4, **options} if name == "metamath" else options
    return build(name, folder, BuildOptions((f"sample:{rows}",), **chosen)).path


def config(data: Path, out: Path, **changes: Any) -> Config:
    """The config of a fast run of a tiny model."""
    return combine({**FAST, "data": [str(data)], "out": str(out), "device": "cpu", **changes})


def start_model(data: Path, folder: Path, seed: int = 0, tokenizer: Any = None) -> Path:
    """A tiny untrained model saved in a folder, with a tokenizer of the data unless one is given."""
    from pairgen.pairs.dataset import open_pairs
    from pairgen.train.data.splits import training_texts
    from pairgen.train.model import loading as models
    from pairgen.train.model.tiny import tiny_model, train_tokenizer

    tokenizer = tokenizer or train_tokenizer(training_texts([open_pairs(data)]))
    models.save(tiny_model(tokenizer, seed), tokenizer, folder)
    return folder
