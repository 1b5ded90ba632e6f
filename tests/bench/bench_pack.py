"""How long trees take to build and to pack, on one core, and how full the rows are.

    python tests/bench/bench_pack.py [--groups 100000] [--row-tokens 8192] [--pairs 1]

Groups are MetaMath-sized and random: prompts of 40 to 160 tokens, solutions of 60 to 260, of which rejected ones have
another token or two at a place of their own. No text is read: the time is that of tries, packing and the whole layout.
"""

import argparse
import time

import numpy as np
import torch

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.packing import pack
from pairgen.train.layout.tree import trees
from pairgen.train.layout.trie import before, tries


def metamath_sized(count: int, pairs: int, seed: int = 0) -> list[TokenGroup]:
    draw = np.random.default_rng(seed)
    made = []
    for at in range(count):
        prompt, chosen = (
            draw.integers(0, 32_000, int(draw.integers(*size)), np.int32) for size in ((40, 161), (60, 261))
        )
        rejected = []
        for place in draw.integers(0, len(chosen), pairs):
            other = draw.integers(0, 32_000, int(draw.integers(1, 3)), np.int32)
            rejected.append(np.concatenate([chosen[:place], other, chosen[place + 1 :]]))
        completions = (chosen, *rejected)
        chars = np.array([4 * len(ids) for ids in completions], np.int32)
        keys = tuple(f"{at}-{one}" for one in range(pairs))
        made.append(TokenGroup(prompt, completions, keys, np.zeros((pairs, 2), np.int32), chars))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=100_000)
    parser.add_argument("--row-tokens", type=int, default=8192)
    parser.add_argument("--pairs", type=int, default=1, help="pairs of each group")
    parser.add_argument("--batch", type=int, default=64, help="groups of a batch, for the layout's time")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    groups = metamath_sized(arguments.groups, arguments.pairs)

    clock = time.perf_counter()
    sizes = []
    for first in range(0, len(groups), 4096):
        some = groups[first : first + 4096]
        length = np.array([len(ids) for group in some for ids in group.completions])
        count = np.array([len(group.completions) for group in some])
        ids = np.concatenate([ids for group in some for ids in group.completions])
        tried = tries(ids, before(length), length, count)
        sizes.append(tried.size + np.array([len(group.prompt) for group in some]))
    tried_s = time.perf_counter() - clock
    lengths = np.concatenate(sizes)

    clock = time.perf_counter()
    rows = pack(lengths, arguments.row_tokens)
    packed_s = time.perf_counter() - clock
    count = int(rows.max()) + 1
    fullest = int(np.bincount(rows, lengths).max())

    clock = time.perf_counter()
    batches = [
        trees(groups[first : first + arguments.batch], arguments.row_tokens)
        for first in range(0, len(groups), arguments.batch)
    ]
    laid_s = time.perf_counter() - clock
    cells = sum(batch.tokens.numel() for batch in batches)

    plain = sum(group.padded_tokens for group in groups)
    print(f"{len(groups):,} groups of {arguments.pairs} pairs, {plain:,} tokens plain, {lengths.sum():,} in trees")
    print(f"tries       {tried_s:6.2f} s")
    print(f"packing     {packed_s:6.2f} s   {count:,} rows of {arguments.row_tokens:,}, the fullest {fullest:,}")
    print(f"efficiency  {100 * lengths.sum() / (count * arguments.row_tokens):6.2f} %")
    used = 100 * sum(batch.processed_tokens for batch in batches) / cells
    print(f"batches     {laid_s:6.2f} s   of {arguments.batch} groups, whole layout; {used:.2f} % of their cells used")


if __name__ == "__main__":
    main()
