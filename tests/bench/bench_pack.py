"""Time to lay out the groups of a step as token trees, on one core.

    python tests/bench/bench_pack.py [--groups 16] [--row-tokens 8192] [--steps 50]

Training lays out the next step while one runs. Groups are random: sizes as in MetaMath (prompts of 40 to 160 tokens,
solutions of 60 to 260, one or two tokens replaced in rejected ones), and multiple choice with 25 few-shot examples, as
in ARC.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch

from pairgen.train.data.groups import Ids, TokenGroup
from pairgen.train.layout.tree import tree_batch

VOCABULARY = 32_000
Random = np.random.Generator


def token_ids(random: Random, low: int, high: int) -> Ids:
    return random.integers(0, VOCABULARY, int(random.integers(low, high)), np.int32)


def token_group(prompt: Ids, chosen: Ids, rejected: list[Ids]) -> TokenGroup:
    completions = (chosen, *rejected)
    num_chars = np.array([4 * len(ids) for ids in completions], np.int32)
    return TokenGroup(
        prompt, completions, tuple(map(str, range(len(rejected)))), np.zeros((len(rejected), 2), np.int32), num_chars
    )


def solutions(random: Random, count: int, pairs: int) -> list[TokenGroup]:
    """Worked solutions, each with ``pairs`` corrupted versions."""
    groups = []
    for _ in range(count):
        prompt, chosen = token_ids(random, 40, 161), token_ids(random, 60, 261)
        starts = random.integers(0, len(chosen), pairs)
        rejected = [np.concatenate([chosen[:at], token_ids(random, 1, 3), chosen[at + 1 :]]) for at in starts]
        groups.append(token_group(prompt, chosen, rejected))
    return groups


def choices(random: Random, count: int) -> list[TokenGroup]:
    """Questions with four choices after 25 few-shot examples."""
    shots = token_ids(random, 1100, 1101)
    groups = []
    for _ in range(count):
        prompt = np.concatenate([shots, token_ids(random, 20, 50)])
        groups.append(token_group(prompt, token_ids(random, 3, 12), [token_ids(random, 3, 12) for _ in range(3)]))
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=16, help="groups per step")
    parser.add_argument("--row-tokens", type=int, default=8192, help="maximum tokens of a packed sequence")
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    workloads = {f"MetaMath, {pairs} pairs per group": (solutions, pairs) for pairs in (1, 4, 16)}
    print(f"{arguments.groups} groups per step, median of {arguments.steps} steps (CPU time)")
    for name in [*workloads, "ARC, 25 shots"]:
        random = np.random.default_rng(0)
        seconds, tokens, cells, padded = [], 0, 0, 0
        for _ in range(arguments.steps):
            make = workloads.get(name)
            groups = make[0](random, arguments.groups, make[1]) if make else choices(random, arguments.groups)
            start = time.process_time()
            batch = tree_batch(groups, arguments.row_tokens, "shots")
            seconds.append(time.process_time() - start)
            tokens, cells = tokens + batch.processed_tokens, cells + batch.tokens.numel()
            padded += batch.padded_tokens
        print(
            f"{name:28}{1000 * median(seconds):7.2f} ms per step   {padded / tokens:6.2f}x fewer tokens than padded   "
            f"{tokens / cells:7.2%} of the batch filled"
        )


if __name__ == "__main__":
    main()
