"""How evenly the work of a step is divided among processes, by the FLOPs of their token trees.

    python tests/bench/bench_ranks.py [--source GSM_AnsAug.json] [--model llama2-7b] [--ranks 2 4 8] [--pairs 16 64]

Pairs of an epoch, in the steps of ``pairgen train``, are divided as it divides them, and dealt out in turn instead.
"spread" is what the busiest process has to compute over what the idlest one has, minus 1: the median of all steps, and
the value that one step in twenty exceeds. "waiting" is the share of all processes' time in which they wait for the
slowest. No model is run: costs are those of ``pairgen.train.layout.group_work``. With ``--measure N``, a small Llama
also computes what each process has in N steps, one after the other, to see whether costs predict CPU seconds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from workloads import SAMPLE, llama

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.train.config import Config
from pairgen.train.data.order import BatchSampler, Indices, chunks
from pairgen.train.data.ranks import Share, split_batch, step_cost
from pairgen.train.data.schedule import TrainingData
from pairgen.train.data.splits import TokenizedSplit, tokenize_split, training_texts
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.distributed import World
from pairgen.train.layout.group_work import GroupCost
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer
from pairgen.train.model.tiny import train_tokenizer
from pairgen.train.planning.architectures import find_shape
from pairgen.train.scores.speed import ModelFlops

Split = Callable[[Indices], list[Share]]


def tokens_of(source: str, folder: Path) -> TokenizedSplit:
    origin = (source if source != SAMPLE else f"{SAMPLE}:4000",)
    built = build("metamath", folder / "pairs", BuildOptions(origin))
    tokenizer = train_tokenizer(islice(training_texts([built]), 2000), 8192)
    found = tokenize_split([built], "train", TokenCache(folder / "tokens", PairTokenizer(tokenizer)))
    assert found is not None
    return found


def in_turn(batch: Indices, pairs: Indices, micro: int, size: int) -> list[Share]:
    own = [batch[rank::size] for rank in range(size)]
    limit = micro or len(batch)
    return [[groups[start:stop] for start, stop in chunks(pairs[groups], limit)] for groups in own]


def measured(batches: list[Indices], costs: NDArray[np.float64], split: Split) -> str:
    """Spread and waiting of all steps, and the time of dividing one."""
    spreads, slowest, computed = [], 0.0, 0.0
    started = time.perf_counter()
    divided = [split(batch) for batch in batches]
    seconds = time.perf_counter() - started
    for shares in divided:
        of_ranks = [sum(float(costs[part].sum()) for part in own) for own in shares]
        spreads.append(max(of_ranks) / min(of_ranks) - 1)
        slowest += step_cost(shares, costs) * len(shares)
        computed += sum(of_ranks)
    median, high = np.quantile(spreads, [0.5, 0.95])
    return f"{median:.1%} | {high:.1%} | {1 - computed / slowest:.1%} | {1e6 * seconds / len(batches):,.0f}"


def evaluation_spread(split: TokenizedSplit, cost: GroupCost, size: int, pairs: int) -> float:
    """The same for an evaluation of all pairs, in batches of ``pairs``, as a whole."""
    data = TrainingData(split, split, BatchSampler(split.groups.pairs, pairs, 0), 1, cost)
    groups, costs = np.arange(len(split.groups)), cost(split.groups)
    of_ranks = [
        sum(
            costs[start:stop].sum()
            for start, stop, weighted in data.passes(
                split, groups, (0, len(groups)), Config(batch_size=pairs), World(rank, size)
            )
            if weighted
        )
        for rank in range(size)
    ]
    return float(max(of_ranks) / min(of_ranks) - 1)


def cpu_seconds(model: Scorer, split: TokenizedSplit, share: Share) -> float:
    """CPU time of the passes of a process, forward and backward."""
    seconds = 0.0
    for part in share:
        batch = tree_batch([split.groups[index] for index in part], Config().max_packed_length, "shots")
        started = time.process_time()
        batch.completions(model(batch)).sum().backward()
        seconds += time.process_time() - started
    model.zero_grad()
    return seconds


def print_measured(split: TokenizedSplit, pairs: int, sizes: list[int], steps: int) -> None:
    """Spread and waiting of CPU seconds."""
    torch.set_num_threads(1)
    model = Scorer(llama("12M"))
    costs = GroupCost(ModelFlops(model.causal).of_each, "shots")(split.groups)
    sampler = BatchSampler(split.groups.pairs, pairs, 0)
    cpu_seconds(model, split, [sampler.batch(0)])  # warm-up
    print(f"\nMeasured, a Llama of 12M, {steps} steps of {pairs} pairs:\n")
    print("| processes | division | spread, median | waiting |\n| --- | --- | --- | --- |")
    for size in sizes:
        for name in ("in turn", "balanced"):
            spreads, slowest, total = [], 0.0, 0.0
            for batch in map(sampler.batch, range(steps)):
                args = batch, split.groups.pairs
                shares = in_turn(*args, 0, size) if name == "in turn" else split_batch(*args, costs, 0, size)
                seconds = [cpu_seconds(model, split, share) for share in shares]
                spreads.append(max(seconds) / min(seconds) - 1)
                slowest, total = slowest + size * max(seconds), total + sum(seconds)
            print(f"| {size} | {name} | {np.median(spreads):.1%} | {1 - total / slowest:.1%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=SAMPLE, help="rows of MetaMath, or `sample`")
    parser.add_argument("--model", default="llama2-7b", help="a model of `pairgen plan`, whose FLOPs are counted")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--pairs", type=int, nargs="+", default=[16, 32, 64, 128], help="pairs per step")
    parser.add_argument("--micro", type=int, default=0, help="pairs per micro-batch; 0: a process's pairs in one")
    parser.add_argument("--measure", type=int, default=0, metavar="N", help="measure N steps of the first --pairs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        split = tokens_of(arguments.source, Path(folder))
        cost = GroupCost(find_shape(arguments.model).flops().of_each, "shots")
        pairs, costs = split.groups.pairs, cost(split.groups)
        spread, longest = costs.std() / costs.mean(), costs.max() / costs.mean()
        print(f"{int(pairs.sum()):,} pairs, FLOPs of {arguments.model}: {spread:.0%} standard deviation, ", end="")
        print(f"the longest has {longest:.1f} times those of the average\n")
        print("| pairs a step | processes | division | spread, median | spread, 95% | waiting | microseconds a step |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for step in arguments.pairs:
            sampler = BatchSampler(pairs, step, 0)
            batches = [sampler.batch(number) for number in range(sampler.steps(1))]
            batches = [batch for batch in batches if len(batch) == step]  # not the rest of the epoch
            for size in arguments.ranks:
                divisions: dict[str, Split] = {
                    "in turn": lambda batch, size=size: in_turn(batch, pairs, arguments.micro, size),
                    "balanced": lambda batch, size=size: split_batch(batch, pairs, costs, arguments.micro, size),
                }
                for name, division in divisions.items():
                    print(f"| {step} | {size} | {name} | {measured(batches, costs, division)} |")
        print("\nAn evaluation of all pairs in batches of 16, spread of all passes together:")
        for size in arguments.ranks:
            print(f"{size} processes: {evaluation_spread(split, cost, size, 16):.2%}")
        if arguments.measure:
            print_measured(split, arguments.pairs[0], arguments.ranks, arguments.measure)


if __name__ == "__main__":
    main()
