"""Pairs per second of TRL's DPO trainer and of pairgen with the padded layout and with trees.

    python tests/bench/bench_train.py DATA [--shape metamath arc] [--rounds 3] [--threads 2] [--precision auto]
    python tests/bench/bench_train.py sample --device cuda --size 0.5B --precision bf16 --times 8 --profile

``DATA`` is a folder with ``metamath/GSM_AnsAug.json``, ``arc/ARC-Challenge-Train.jsonl`` and
``hellaswag/train_raw_first3368.jsonl.gz``, as on the Hub, or ``sample`` for the built-in sample rows.

The model is a Llama with about 12M parameters (``--size``) and random weights, or a pretrained one (``--model``); the
loss is DPO with precomputed reference log-probs. A step is forward, backward, clipping and AdamW; for pairgen it
includes building the batch, which TRL does outside the timed part. In each round every system runs one step, over the
same pairs in the same order; results are medians of rounds. Each system uses the faster of two micro-batch sizes. For
long sequences, TRL and the padded layout process only the first groups of each step. Loss, log-probs and gradient norm
of the untimed first steps are compared.

``--precision auto`` is the precision in which TRL is faster; if trees are faster in the other, they get another row.
``--compile`` adds a row for trees with compiled layers (marked c).

    pairs      pairs per step: TRL, padded, trees
    saved      tokens of the padded layout / tokens of trees for the same pairs; without padding, and with padding
    of saved   speedup of trees over padded, as a share of either token ratio

The line below each row describes trees: time of each part, model FLOP/s, also as a share of the peak of a large matrix
product, and on a GPU the memory of a step of TRL, padded and trees.
"""

import argparse
import copy
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import peers
import torch
from peers import Cost, FirstStep
from steps import ROW_TOKENS, Pairgen, Variant
from torch.profiler import ProfilerActivity, profile
from workloads import SHAPES, SIZES, Shape, llama, pairs_of, tokenizer_of

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.loading import load_model, load_tokenizer, pick_device
from pairgen.train.scores.speed import product_rate

PRECISIONS = ("float32", "bf16")
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
TOLERANCE = {"float32": 1e-3, "bf16": 3e-2}
SHARE = "shots"


class Line(NamedTuple):
    """A row of the table: pairs and median costs of a step of TRL, padded and trees."""

    shape: str
    variant: Variant
    target: float
    pairs: tuple[int, int, int]
    costs: tuple[Cost, Cost, Cost]
    saved: tuple[float, float]
    off: float
    trees: Pairgen
    flops: float
    rate: float
    """FLOP/s of a large matrix product."""

    def __str__(self) -> str:
        trl, padded, tree = (count / cost.seconds for count, cost in zip(self.pairs, self.costs, strict=True))
        saved = "".join(f"{ratio:7.2f}" for ratio in self.saved)
        shares = "".join(f"{100 * tree / padded / ratio:7.0f}%" for ratio in self.saved)
        return (
            f"{self.shape:24}{self.variant!s:9}{'/'.join(map(str, self.pairs)):>11}{saved}"
            f"{trl:9.2f}{padded:9.2f}{tree:9.2f}{tree / trl:8.2f}{f'{self.target:8.1f}' if self.target else '       -'}"
            f"{padded / trl:8.2f}{tree / padded:8.2f}{shares}{self.off:9.0e}\n    {self.about_trees()}"
        )

    def about_trees(self) -> str:
        total = sum(self.trees.spent.values())
        spent = ", ".join(f"{part} {seconds / total:.0%}" for part, seconds in self.trees.spent.items())
        reached = self.flops / self.costs[2].seconds
        summary = f"{spent}; {reached / 1e12:.3f} TFLOP/s, {reached / self.rate:.0%} of matmul peak"
        memory = [f"{cost.memory / 1e9:.2f}" for cost in self.costs]
        return summary + (
            f"; memory of a step {' / '.join(memory)} GB" if any(cost.memory for cost in self.costs) else ""
        )


HEAD = (
    f"{'':44}{'saved':>7}{'with':>7}{'pairs/s':>27}{'trees':>8}{'':8}{'padded':>8}{'trees/':>8}{'of':>8}"
    f"{'of with':>8}{'1st step':>9}\n"
    f"{'shape':24}{'':9}{'pairs':>11}{'':7}{'padd.':>7}{'TRL':>9}{'padded':>9}{'trees':>9}{'/TRL':>8}{'target':>8}{'/TRL':>8}"
    f"{'padded':>8}{'saved':>8}{'padd.':>8}{'off':>9}"
)


class Bench:
    """Measures one workload."""

    def __init__(self, name: str, shape: Shape, arguments: argparse.Namespace, tokenizer: Any, folder: Path) -> None:
        self.name, self.shape, self.folder, self.tokenizer = name, shape, folder, tokenizer
        self.device = pick_device(arguments.device)
        self.model = model_of(arguments)
        self.pairs = pairs_of(shape, arguments.data, tokenizer, 1 + arguments.rounds, folder)
        few = shape.few
        self.sizes = [few, few // 2] if few < shape.groups else [few, few // 4]

    def trl(self, steps: int, few: int, size: int, precision: str, on_step: peers.OnStep) -> FirstStep:
        """TRL over the first ``few`` groups of the first steps, with ``size`` groups per micro-batch."""
        each = self.shape.pairs
        texts = self.pairs.texts(few, steps)
        how = {"step": few * each, "micro": size * each, "precision": precision, "device": self.device}
        return peers.train(
            copy.deepcopy(self.model), self.tokenizer, texts, folder=self.folder / "trl", on_step=on_step, **how
        )

    def fastest_micro_batch(self, precision: str) -> int:
        """TRL's fastest micro-batch size in groups: by the faster of two steps after the first, or by the first step if
        sequences are long."""
        steps = 3 if self.shape.few == self.shape.groups else 1
        found = {size: self.best_step(steps, self.shape.few, size, precision) for size in self.sizes}
        times = ", ".join(f"{size} groups per micro-batch {took:.2f} s" for size, took in found.items())
        print(f"{self.name}: TRL: {times}", file=sys.stderr, flush=True)
        return min(found, key=found.__getitem__)

    def best_step(self, steps: int, few: int, size: int, precision: str) -> float:
        """Seconds of TRL's fastest step, excluding the first if there are several; infinite if memory runs out."""
        seconds: list[float] = []
        try:
            self.trl(steps, few, size, precision, lambda _, cost: seconds.append(cost.seconds))
        except torch.OutOfMemoryError:
            return float("inf")
        return min(seconds[1:] or seconds)

    def fastest_precisions(self) -> list[str]:
        """The precision in which TRL is faster, and the one in which trees are, by the second step over two groups."""
        some = self.pairs.steps[0][:2]
        trl = {precision: self.best_step(2, 2, 2, precision) for precision in PRECISIONS}
        systems = {precision: self.ours(SHARE, Variant(precision)) for precision in PRECISIONS}
        ours = {name: min(system.timed(some).seconds for _ in range(2)) for name, system in systems.items()}
        for who, found in (("TRL", trl), ("trees", ours)):
            times = ", ".join(f"{precision} {took:.3f} s" for precision, took in found.items())
            print(f"{who}, two groups: {times}", file=sys.stderr, flush=True)
        return list(dict.fromkeys(min(found, key=found.__getitem__) for found in (trl, ours)))

    def ours(self, share: str, variant: Variant) -> Pairgen:
        """A model with its reference log-probs, which are computed once per precision."""
        ours = Pairgen(self.model, share, variant, self.shape.pairs > 1, self.device)
        ours.precompute_reference(self.pairs, self.folder / f"reference-{variant.precision}")
        return ours

    def measure(self, variants: Sequence[Variant], target: float, profiles: bool) -> list[Line]:
        """Measure every system.

        Args:
            variants: that of all systems, and optionally further ones for trees.
            target: pairs per second relative to TRL.
            profiles: print a profile of a step of trees at the end.
        """
        precision = variants[0].precision
        size = self.fastest_micro_batch(precision)
        steps, few = self.pairs.steps, self.shape.few
        padded = self.ours("none", variants[0])
        shared = [self.ours(SHARE, one) for one in variants]
        padded.micro = size
        checks = [self.first_step(padded, steps[0][:few])]
        checks += [self.first_step(one, steps[0][:few]) for one in shared if one.runs == precision]
        padded.tune(steps[0][:few], self.sizes)
        shared[0].tune(steps[0], [0] if self.shape.options.shots else [0, self.shape.groups // 4])
        for again in shared[1:]:
            again.tune(steps[0], [shared[0].micro])
        systems: list[Callable[[list[TokenGroup]], Cost]] = [lambda groups: padded.timed(groups[:few])]
        systems += [one.timed for one in shared]
        taken: list[list[Cost]] = []

        def on_step(step: int, cost: Cost) -> None:
            if step:
                taken.append([cost, *(system(steps[step]) for system in systems)])
                seconds = " ".join(f"{one.seconds:.2f}" for one in taken[-1])
                print(f"{self.name}: {seconds} s", file=sys.stderr, flush=True)

        first = self.trl(len(steps), few, size, precision, on_step)
        off = max(check.difference(first) for check in checks)
        if off > TOLERANCE[precision]:
            raise SystemExit(f"{self.name}: first steps differ: TRL {first}, padded {checks[0]}, trees {checks[1:]}")
        if profiles:
            self.profile(shared[-1])
        columns = list(zip(*taken, strict=True))
        trl_cost, padded_cost, *trees_cost = (Cost(*map(statistics.median, zip(*one, strict=True))) for one in columns)
        pairs = (few * self.shape.pairs, few * self.shape.pairs, self.shape.groups * self.shape.pairs)
        flops = statistics.median(shared[0].flops(groups) for groups in steps[1:])
        return [
            Line(
                shape=self.name,
                variant=used,
                target=target,
                pairs=pairs,
                costs=(trl_cost, padded_cost, cost),
                saved=self.saved(padded.micro),
                off=off,
                trees=tree,
                flops=flops,
                rate=product_rate(self.device, DTYPES[used.precision], peers.clock),
            )
            for used, cost, tree in zip(variants, trees_cost, shared, strict=True)
        ]

    def first_step(self, system: Pairgen, groups: list[TokenGroup]) -> FirstStep:
        """The first step of a system, which is left as it was."""
        weights = {name: value.clone() for name, value in system.model.state_dict().items()}
        found = system.step(groups)
        system.model.load_state_dict(weights)
        system.restart()
        return found

    def profile(self, tree: Pairgen) -> None:
        """Print a profile of a step of trees."""
        gpu = self.device.type == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
        with profile(activities=activities) as found:
            tree.step(self.pairs.steps[-1])
        by = "self_cuda_time_total" if gpu else "self_cpu_time_total"
        print(found.key_averages().table(sort_by=by, row_limit=16, max_name_column_width=60), file=sys.stderr)

    def saved(self, rows: int) -> tuple[float, float]:
        """Tokens of the padded layout / tokens of trees in the timed steps, without and with padding.

        Args:
            rows: groups per padded batch.
        """
        tree = [tree_batch(groups, ROW_TOKENS, SHARE) for groups in self.pairs.steps[1:]]
        few = self.shape.few
        parts = [groups[at : at + rows] for groups in self.pairs.steps[1:] for at in range(0, few, rows)]
        plain = [tree_batch(part, ROW_TOKENS, "none") for part in parts]
        scale = self.shape.groups / few
        run = sum(batch.processed_tokens for batch in tree)
        cells = scale * sum(batch.tokens.numel() for batch in plain)
        return sum(batch.padded_tokens for batch in tree) / run, cells / run


def model_of(arguments: argparse.Namespace) -> Any:
    """The model, in training mode."""
    return load_model(arguments.model, torch.float32).train() if arguments.model else llama(arguments.size)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=SHAPES, metavar="SHAPE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", default="12M", choices=SIZES, help="model size in parameters")
    parser.add_argument("--model", help="a pretrained model and its tokenizer instead: a folder or GGUF file")
    parser.add_argument("--groups", type=int, help="groups per step of every shape, for all systems")
    parser.add_argument("--times", type=int, default=1, help="multiply the groups per step by N", metavar="N")
    parser.add_argument("--compile", action="store_true", help="add a row for trees with compiled layers")
    parser.add_argument("--profile", action="store_true", help="print a profile of a step of trees")
    parser.add_argument(
        "--clock", default="wall", choices=peers.CLOCKS, help="process: CPU time, for --threads 1 on a busy machine"
    )
    return parser.parse_args()


def main() -> None:
    arguments = options()
    torch.set_num_threads(arguments.threads)
    peers.clock = peers.CLOCKS[arguments.clock]
    device = pick_device(arguments.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{arguments.threads} threads"
    with tempfile.TemporaryDirectory() as folder:
        if arguments.model:
            tokenizer = load_tokenizer(arguments.model)
        else:
            tokenizer = tokenizer_of(arguments.data, Path(folder))
    model = model_of(arguments)
    size = sum(value.numel() for value in model.parameters()) / 1e6
    vocabulary = model.config.get_text_config().vocab_size
    libraries = ", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "torch"))
    print(f"{size:.1f}M parameters, vocabulary {vocabulary:,}, {where}, {libraries}")
    print(f"load before: {os.getloadavg()[0]:.2f} (1 min), {arguments.rounds} rounds, {arguments.clock} clock")
    print(HEAD, flush=True)
    precisions = [] if arguments.precision == "auto" else [arguments.precision]
    for name in arguments.shape:
        shape = SHAPES[name].times(arguments.times)
        if arguments.groups:
            shape = shape._replace(groups=arguments.groups, few=arguments.groups)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(name, shape, arguments, tokenizer, Path(folder))
            precisions = precisions or bench.fastest_precisions()
            variants = [Variant(precision) for precision in precisions]
            if arguments.compile:
                variants += [Variant(precision, compiled=True) for precision in precisions]
            lines = bench.measure(
                variants, shape.target_gpu if device.type == "cuda" else shape.target, arguments.profile
            )
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
