"""Workloads for benchmarks of training: pairs in steps, and models with random weights."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import peers
import torch
from peers import Row
from transformers import LlamaConfig, LlamaForCausalLM

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.dataset import PairDataset
from pairgen.train.data import splits as data
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.model.tiny import train_tokenizer

SAMPLE = "sample"
FILES = {
    "metamath": "metamath/GSM_AnsAug.json",
    "arc": "arc/ARC-Challenge-Train.jsonl",
    "hellaswag": "hellaswag/train_raw_first3368.jsonl.gz",
}
"""Files of each dataset in a folder of real rows."""


def source(origin: str, dataset: str) -> list[str]:
    """Sources for ``build``; ``origin`` is a folder of real rows, or ``sample``."""
    return [f"{SAMPLE}:4000" if origin == SAMPLE else str(Path(origin) / FILES[dataset])]


class Shape(NamedTuple):
    """A dataset and the size of a step."""

    dataset: str
    options: BuildOptions
    pairs: int
    """Pairs per group; groups with more or fewer are skipped."""
    groups: int
    """Groups per step."""
    few: int
    """Groups per step that TRL and the padded layout process."""
    target: float = 0.0
    """Pairs per second relative to TRL, on two cores."""
    target_gpu: float = 0.0

    def times(self, factor: int) -> "Shape":
        """The shape with ``factor`` times as many groups per step."""
        return self._replace(groups=self.groups * factor, few=self.few * factor)


SHAPES = {
    "metamath": Shape("metamath", BuildOptions(), 1, 16, 16, 2.9, 3.0),
    "metamath, alpaca": Shape("metamath", BuildOptions(prompt_style="alpaca"), 1, 16, 16, 2.9, 3.0),
    "metamath, 4 corruptions": Shape("metamath", BuildOptions(pairs_per_row=4), 4, 4, 4),
    "metamath, 5 shots": Shape("metamath", BuildOptions(shots=5), 1, 16, 4),
    "arc": Shape("arc", BuildOptions(), 3, 16, 16, 6.5, 6.0),
    "arc, 25 shots": Shape("arc", BuildOptions(shots=25), 3, 16, 2, 18.0),
    "hellaswag": Shape("hellaswag", BuildOptions(), 3, 12, 12, 4.8, 6.0),
    "hellaswag, 10 shots": Shape("hellaswag", BuildOptions(shots=10), 3, 16, 2, 18.0),
}

Size = dict[str, int]

SIZES: dict[str, Size] = {
    "12M": {
        "vocab_size": 8192,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 5,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
    },
    "0.5B": {
        "vocab_size": 151_936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
    },
}
"""Llamas by number of parameters; the second has the dimensions of Qwen2.5-0.5B."""


def llama(size: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        **SIZES[size],
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config).train()


def tokenizer_of(origin: str, folder: Path) -> Any:
    """A tokenizer of 8,192 tokens, trained on prompts and chosen completions of all datasets."""

    def texts() -> Iterator[str]:
        for dataset in FILES:
            built = build(dataset, folder / f"texts-{dataset}", BuildOptions(tuple(source(origin, dataset))))
            for batch in built.splits["train"].batches(("prompt", "chosen")):
                for row in batch.to_pylist():
                    yield row["prompt"] + row["chosen"]

    return train_tokenizer(texts(), 8192)


class Pairs(NamedTuple):
    """The pairs of a workload."""

    groups: GroupTable
    used: list[int]
    """Indices of the groups in ``steps``."""
    steps: list[list[TokenGroup]]
    """Groups of each step."""
    rows: dict[str, Row]
    """Texts by pair."""

    def texts(self, few: int, steps: int) -> Any:
        """The first ``few`` groups of each of the first ``steps`` steps, as a dataset for TRL."""
        keys = (key for groups in self.steps[:steps] for group in groups[:few] for key in group.pair_ids)
        return peers.dataset([self.rows[key] for key in keys])


def pairs_of(shape: Shape, origin: str, tokenizer: Any, steps: int, folder: Path) -> Pairs:
    """Build all pairs and divide as many as needed into steps, in shuffled order."""
    needed = shape.groups * steps
    built = build(shape.dataset, folder / "pairs", replace(shape.options, source=tuple(source(origin, shape.dataset))))
    cache = TokenCache(folder / "tokens", PairTokenizer(tokenizer, "off", max_length=4096))
    found = data.tokenize_split([built], "train", cache)
    assert found is not None
    assert not found.drops
    order = np.random.default_rng(0).permutation(len(found.groups)).tolist()
    fitting = [index for index in order if found.groups.pairs[index] == shape.pairs][:needed]
    if len(fitting) < needed:
        raise SystemExit(f"{len(fitting)} groups of {shape.pairs} pairs, {needed} are needed; use fewer --rounds")
    taken = [found.groups[index] for index in fitting]
    divided = [taken[first : first + shape.groups] for first in range(0, needed, shape.groups)]
    return Pairs(found.groups, fitting, divided, texts_by_pair(built))


def texts_by_pair(built: PairDataset) -> dict[str, Row]:
    names = ("prompt", "chosen", "rejected")
    found = {}
    for batch in built.splits["train"].batches(("pair_id", *names)):
        for row in batch.to_pylist():
            found[row["pair_id"]] = {name: row[name] for name in names}
    return found
