"""Tokens and time of trees and of the padded layout, forward and backward, with the same model and pairs.

    python tests/bench/bench_trees.py [--hidden 256] [--repeats 5] [--threads 2] [--precision float32 bf16]

The model is a Llama with about 12M parameters and random weights. Workloads, with random tokens:

    metamath   a prompt of 100 tokens; chosen and rejected share 100 tokens, then differ in 100
    arc        a prompt of 30 to 60 tokens; chosen and 3 rejected completions of 5 to 10
    shots      1,000 tokens of few-shot examples, then groups as in arc with completions of 30

``saved`` is the ratio of tokens, ``faster`` the ratio of times (medians of alternating passes), ``of`` faster / saved.
Times are process times, which exclude other load on the machine. The padded layout runs only a quarter of the groups of
shots; its time is multiplied by four.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer

VOCABULARY = 8192
Draw = Callable[[int], np.ndarray]


def token_group(prompt: np.ndarray, *completions: np.ndarray) -> TokenGroup:
    pairs = len(completions) - 1
    numbers = np.zeros((pairs, 2), np.int32), np.array([len(ids) for ids in completions], np.int32)
    return TokenGroup(prompt, completions, tuple(map(str, range(pairs))), *numbers)


def metamath(draw: Draw, count: int) -> list[TokenGroup]:
    groups = []
    for _ in range(count):
        prompt, shared = draw(100), draw(100)
        groups.append(token_group(prompt, *(np.concatenate([shared, draw(100)]) for _ in range(2))))
    return groups


def arc(draw: Draw, count: int) -> list[TokenGroup]:
    lengths = np.random.default_rng(1)
    of = [(int(lengths.integers(30, 61)), lengths.integers(5, 11, 4).tolist()) for _ in range(count)]
    return [token_group(draw(prompt), *map(draw, endings)) for prompt, endings in of]


def shots(draw: Draw, count: int) -> list[TokenGroup]:
    lengths = np.random.default_rng(1)
    start = draw(1000)
    questions = [draw(int(lengths.integers(30, 61))) for _ in range(count)]
    return [token_group(np.concatenate([start, question]), *(draw(30) for _ in range(4))) for question in questions]


class Shape(NamedTuple):
    """A workload; the padded layout runs one in ``padded`` of its groups."""

    make: Callable[[Draw, int], list[TokenGroup]]
    groups: int
    share: str
    padded: int


SHAPES = {
    "metamath": Shape(metamath, 8, "group", 1),
    "arc": Shape(arc, 16, "group", 1),
    "shots": Shape(shots, 8, "shots", 4),
}


def llama(hidden: int) -> Scorer:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3 // 32 * 32,
        num_hidden_layers=8 if hidden <= 288 else 5,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    return Scorer(LlamaForCausalLM(config).train())


def timed_pass(scorer: Scorer, batch: Batch, precision: str) -> tuple[float, torch.Tensor]:
    """CPU seconds of all threads for a forward and backward pass, and the log-prob of each completion."""
    clock = time.process_time()
    scorer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        sums = batch.completions(scorer(batch)).sum(1)
    sums.sum().backward()
    return time.process_time() - clock, sums.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--row-tokens", type=int, default=8192)
    parser.add_argument("--precision", nargs="+", default=["float32", "bf16"])
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=SHAPES)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scorer = llama(arguments.hidden)
    size = sum(value.numel() for value in scorer.parameters()) / 1e6
    print(f"{size:.1f}M parameters, {arguments.threads} threads")
    print("shape      precision   padded    tree   saved  padded s  tree s  faster    of")
    for name in arguments.shape:
        shape = SHAPES[name]
        random = np.random.default_rng(0)
        groups = shape.make(
            lambda length, random=random: random.integers(0, VOCABULARY, length, np.int32), shape.groups
        )
        few = groups[: len(groups) // shape.padded]
        batches = tree_batch(few, arguments.row_tokens, "none"), tree_batch(groups, arguments.row_tokens, shape.share)
        for precision in arguments.precision:
            rounds = [[timed_pass(scorer, batch, precision) for batch in batches] for _ in range(arguments.repeats + 1)]
            plain_s, tree_s = (statistics.median(one[at][0] for one in rounds[1:]) for at in (0, 1))
            plain_s, plain = plain_s * shape.padded, batches[0].processed_tokens * shape.padded
            saved, faster = plain / batches[1].processed_tokens, plain_s / tree_s
            cells = f"{plain:9,}{batches[1].processed_tokens:8,}{saved:8.2f}{plain_s:10.2f}{tree_s:8.2f}"
            print(f"{name:10}{precision:>10}{cells}{faster:8.2f}{100 * faster / saved:5.0f}%", flush=True)
            of_few, pairs = len(few[0].pair_ids) * len(few), batches[1].pairs
            sums = [rounds[0][0][1][:of_few], rounds[0][1][1][:pairs][:of_few]]
            assert torch.allclose(*sums, rtol=1e-5 if precision == "float32" else 1e-2), "the log-probs differ"


if __name__ == "__main__":
    main()
