"""Training steps against TRL: pairs a second of TRL's DPO trainer, of our padded layout and of trees, in one run.

    python tests/bench/bench_train.py DATA [--shape metamath arc] [--rounds 3] [--threads 2] [--precision auto]

``DATA`` is a folder with ``metamath/GSM_AnsAug.json``, ``arc/ARC-Challenge-Train.jsonl`` and
``hellaswag/train_raw_first3368.jsonl.gz``, as the hub has their rows. Datasets are built from it on the spot.

The model is a Llama of some 12M parameters with random weights, the loss DPO with its reference computed beforehand; a
step is forward, backward, clipping and AdamW, and for ours also laying out the batch, which TRL does outside its time.
In each round every system takes one step, by turns, over the same pairs in the same order; figures are medians of
rounds. Each system takes the better of two sizes of micro-batch, tried before. Of long shapes TRL and the padded layout
take only the first groups of each step (``took``). The untimed first steps are held against each other: loss, log-probs
and gradient norm.

``auto`` takes the precision in which TRL is faster, for all; where trees are faster in the other, they have a row more.

    took       pairs a step of TRL, of padded, of trees
    saved      tokens of the padded layout over those of trees for the same pairs; without padding, and with padding
    of saved   trees over padded, as a share of either ratio of tokens
"""

import argparse
import copy
import gzip
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import peers
import torch
from peers import First, Row
from transformers import LlamaConfig, LlamaForCausalLM

from pairgen.build import Options, build
from pairgen.store import PairDataset
from pairgen.train import data, reference
from pairgen.train.batch import Batch
from pairgen.train.groups import Group, Groups
from pairgen.train.losses import LossOptions
from pairgen.train.metrics import Sums, add
from pairgen.train.scorer import Scorer
from pairgen.train.scoring import Scoring
from pairgen.train.tiny import train_tokenizer
from pairgen.train.tree import trees

PRECISIONS = ("float32", "bf16")
TOLERANCE = {"float32": 1e-3, "bf16": 3e-2}
ROW_TOKENS = 8192


class Source(NamedTuple):
    """Where rows come from, and what of a row the tokenizer learns."""

    file: str
    text: Callable[[dict[str, Any]], str]


SOURCES = {
    "metamath": Source("metamath/GSM_AnsAug.json", lambda row: f"{row['query']}\n{row['response']}"),
    "arc": Source(
        "arc/ARC-Challenge-Train.jsonl",
        lambda row: " ".join([row["question"]["stem"], *(choice["text"] for choice in row["question"]["choices"])]),
    ),
    "hellaswag": Source("hellaswag/train_raw_first3368.jsonl.gz", lambda row: " ".join([row["ctx"], *row["endings"]])),
}


class Shape(NamedTuple):
    """A shape of data."""

    source: str
    options: Options
    pairs: int
    """Pairs of each group; groups that have more or fewer are left out."""
    groups: int
    """Groups of a step."""
    few: int
    """Groups of a step that TRL and the padded layout take."""
    wanted: float = 0.0
    """Pairs a second over TRL's."""


SHAPES = {
    "metamath": Shape("metamath", Options(), 1, 16, 16, 2.9),
    "metamath, alpaca": Shape("metamath", Options(prompt_style="alpaca"), 1, 16, 16, 2.9),
    "metamath, 4 corruptions": Shape("metamath", Options(corruptions=4), 4, 4, 4),
    "metamath, 5 shots": Shape("metamath", Options(shots=5), 1, 16, 4),
    "arc": Shape("arc", Options(), 3, 16, 16, 6.5),
    "arc, 25 shots": Shape("arc", Options(shots=25), 3, 16, 2, 18.0),
    "hellaswag": Shape("hellaswag", Options(), 3, 12, 12, 4.8),
    "hellaswag, 10 shots": Shape("hellaswag", Options(shots=10), 3, 16, 2, 18.0),
}


def rows_of(folder: Path, source: Source) -> list[dict[str, Any]]:
    file = folder / source.file
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text("utf-8")
    return json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def llama(vocabulary: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=5,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config).train()


class Pairs(NamedTuple):
    """The pairs of a shape, step by step."""

    groups: Groups
    used: list[int]
    """Which groups are taken."""
    steps: list[list[Group]]
    """Groups of each step."""
    rows: dict[str, Row]
    """Texts by pair."""

    def texts(self, few: int, steps: int) -> Any:
        """What TRL takes of the first groups of the first steps."""
        keys = (key for groups in self.steps[:steps] for group in groups[:few] for key in group.keys)
        return peers.dataset([self.rows[key] for key in keys])


def pairs_of(shape: Shape, rows: Sequence[dict[str, Any]], tokenizer: Any, steps: int, folder: Path) -> Pairs:
    """Build all pairs and cut as many as are needed into steps, in an order drawn by a seed."""
    source = folder / "rows.jsonl"
    wanted = shape.groups * steps
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    built = build(shape.source, folder / "pairs", [str(source)], shape.options)
    found = data.tokens_of(
        [built], "train", tokenizer, folder / "tokens", chat="off", max_length=4096, told=lambda *_: None
    )
    assert found is not None
    assert not found.drops
    order = np.random.default_rng(0).permutation(len(found.groups)).tolist()
    fitting = [index for index in order if found.groups.pairs[index] == shape.pairs][:wanted]
    if len(fitting) < wanted:
        raise SystemExit(f"{len(fitting)} groups of {shape.pairs} pairs, {wanted} are needed: take fewer --rounds")
    taken = [found.groups[index] for index in fitting]
    cut = [taken[first : first + shape.groups] for first in range(0, wanted, shape.groups)]
    return Pairs(found.groups, fitting, cut, texts_by_pair(built))


def texts_by_pair(built: PairDataset) -> dict[str, Row]:
    names = ("prompt", "chosen", "rejected")
    found = {}
    for batch in built.splits["train"].batches(("pair_id", *names)):
        for row in batch.to_pylist():
            found[row["pair_id"]] = {name: row[name] for name in names}
    return found


class Ours:
    """Our trainer's step."""

    def __init__(self, model: Any, share: str, precision: str, chooses: bool) -> None:
        self.model = copy.deepcopy(model)
        self.micro = 0
        self.scoring = Scoring(
            module=Scorer(self.model),
            layout=partial(trees, row_tokens=ROW_TOKENS, share=share, pad=0),
            device=torch.device("cpu"),
            autocast=precision == "bf16",
            loss="dpo",
            options=LossOptions(beta=peers.BETA),
            reference=None,
            chooses=chooses,
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=peers.RATE, weight_decay=0.0, fused=True)

    def know(self, pairs: Pairs, folder: Path) -> None:
        """Compute the reference log-probs of all pairs: those of the model as it is."""

        def score(groups: Sequence[Group]) -> tuple[Batch, torch.Tensor]:
            batch = self.scoring.laid_out(groups)
            with torch.no_grad():
                return batch, self.scoring.tokens(batch)

        reference.compute(pairs.groups, pairs.used, score, folder, 32)
        self.scoring.reference = reference.Reference(reference.read(folder))

    def step(self, groups: Sequence[Group]) -> First:
        """One optimizer step over groups, ``micro`` groups at once (0: all)."""
        size = self.micro or len(groups)
        pairs = sum(group.pairs for group in groups)
        sums: Sums = {}
        for first in range(0, len(groups), size):
            batch = self.scoring.laid_out(groups[first : first + size])
            losses, found = self.scoring.losses(batch)
            ((losses * batch.weight).sum() / pairs).backward()
            sums = add(sums, found)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        told = [float(sums[name][0] / sums[name][1]) for name in ("loss", "logps/chosen", "logps/rejected")]
        return First(*told, norm)

    def timed(self, groups: Sequence[Group]) -> float:
        start = peers.clock()
        self.step(groups)
        return peers.clock() - start

    def tune(self, groups: Sequence[Group], sizes: Sequence[int]) -> None:
        """Take the micro-batch that is fastest."""
        seconds = {}
        for self.micro in sizes:
            seconds[self.micro] = self.timed(groups)
        self.micro = min(seconds, key=seconds.__getitem__)


class Line(NamedTuple):
    """A row of the table: pairs and median seconds of a step of TRL, padded and trees."""

    shape: str
    precision: str
    pairs: tuple[int, int, int]
    seconds: tuple[float, float, float]
    saved: tuple[float, float]
    off: float

    def __str__(self) -> str:
        trl, padded, tree = (count / seconds for count, seconds in zip(self.pairs, self.seconds, strict=True))
        wanted = SHAPES[self.shape].wanted
        saved = "".join(f"{ratio:7.2f}" for ratio in self.saved)
        shares = "".join(f"{100 * tree / padded / ratio:7.0f}%" for ratio in self.saved)
        return (
            f"{self.shape:24}{self.precision:9}{'/'.join(map(str, self.pairs)):>9}{saved}"
            f"{trl:8.2f}{padded:8.2f}{tree:8.2f}{tree / trl:8.2f}{f'{wanted:8.1f}' if wanted else '       -'}"
            f"{padded / trl:8.2f}{tree / padded:8.2f}{shares}{self.off:9.0e}"
        )


HEAD = (
    f"{'':42}{'saved':>7}{'with':>7}{'pairs a second':>24}{'trees':>8}{'':8}{'padded':>8}{'trees/':>8}{'of':>8}"
    f"{'of with':>8}{'1st step':>9}\n"
    f"{'shape':24}{'':9}{'took':>9}{'':7}{'padd.':>7}{'TRL':>8}{'padded':>8}{'trees':>8}{'/TRL':>8}{'wanted':>8}{'/TRL':>8}"
    f"{'padded':>8}{'saved':>8}{'padd.':>8}{'off':>9}"
)


class Bench:
    """One shape, measured."""

    def __init__(self, name: str, folder: Path, rounds: int, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
        self.name, self.shape, self.folder = name, SHAPES[name], folder
        self.tokenizer, self.model = tokenizer, llama(len(tokenizer))
        self.pairs = pairs_of(self.shape, rows, tokenizer, 1 + rounds, folder)
        self.share = "shots"
        few = self.shape.few
        self.sizes = [few, few // 2] if few < self.shape.groups else [few, few // 4]

    def trl(self, steps: int, few: int, size: int, precision: str, turn: peers.Turn) -> First:
        """TRL over the first ``few`` groups of the first steps, ``size`` groups at once."""
        each = self.shape.pairs
        texts = self.pairs.texts(few, steps)
        model = copy.deepcopy(self.model)
        return peers.train(model, self.tokenizer, texts, few * each, size * each, precision, self.folder / "trl", turn)

    def tuned(self, precision: str) -> int:
        """Groups at once with which TRL is fastest in its second step; in its first one, where steps are long."""
        steps = 2 if self.shape.few == self.shape.groups else 1
        found = {size: self.last_step(steps, self.shape.few, size, precision) for size in self.sizes}
        said = ", ".join(f"{size} groups at once {took:.2f} s" for size, took in found.items())
        print(f"{self.name}: TRL tries {said}", file=sys.stderr, flush=True)
        return min(found, key=found.__getitem__)

    def last_step(self, steps: int, few: int, size: int, precision: str) -> float:
        """TRL's seconds for the last of some steps."""
        seconds: list[float] = []
        self.trl(steps, few, size, precision, lambda _, took: seconds.append(took))
        return seconds[-1]

    def faster(self) -> list[str]:
        """The precision in which TRL's second step over two groups is faster, and the one in which trees' is."""
        some = self.pairs.steps[0][:2]
        trl = {precision: self.last_step(2, 2, 2, precision) for precision in PRECISIONS}
        systems = {precision: self.ours(self.share, precision) for precision in PRECISIONS}
        ours = {precision: min(system.timed(some) for _ in range(2)) for precision, system in systems.items()}
        for who, found in (("TRL", trl), ("trees", ours)):
            said = ", ".join(f"{precision} {took:.3f} s" for precision, took in found.items())
            print(f"{who}, two groups: {said}", file=sys.stderr, flush=True)
        return [min(found, key=found.__getitem__) for found in (trl, ours)]

    def ours(self, share: str, precision: str) -> Ours:
        """A system that knows its reference log-probs; those that the first one computed are taken by the others."""
        ours = Ours(self.model, share, precision, chooses=self.shape.pairs > 1)
        ours.know(self.pairs, self.folder / f"reference-{precision}")
        return ours

    def measure(self, precisions: Sequence[str]) -> list[Line]:
        """Times of every system.

        Args:
            precisions: that of all systems; where there is a second one, trees also run in it.
        """
        precision = precisions[0]
        size = self.tuned(precision)
        steps, few = self.pairs.steps, self.shape.few
        shared, padded = self.ours(self.share, precision), self.ours("none", precision)
        checks = [copy.deepcopy(one).step(steps[0][:few]) for one in (padded, shared)]
        padded.tune(steps[0][:few], self.sizes)
        shared.tune(steps[0], [0] if self.shape.options.shots else [0, self.shape.groups // 4])
        systems: list[Callable[[list[Group]], float]] = [lambda groups: padded.timed(groups[:few]), shared.timed]
        for other in precisions[1:]:
            again = self.ours(self.share, other)
            again.micro = shared.micro
            again.step(steps[0])
            systems.append(again.timed)

        taken: list[list[float]] = []

        def turn(step: int, seconds: float) -> None:
            if step:
                taken.append([seconds, *(system(steps[step]) for system in systems)])
                print(f"{self.name}: {' '.join(f'{value:.2f}' for value in taken[-1])} s", file=sys.stderr, flush=True)

        first = self.trl(len(steps), few, size, precision, turn)
        off = max(check.off(first) for check in checks)
        if off > TOLERANCE[precision]:
            raise SystemExit(f"{self.name}: first steps differ: TRL {first}, padded {checks[0]}, trees {checks[1]}")
        trl_s, padded_s, *trees_s = (statistics.median(column) for column in zip(*taken, strict=True))
        pairs = (few * self.shape.pairs, few * self.shape.pairs, self.shape.groups * self.shape.pairs)
        return [
            Line(self.name, used, pairs, (trl_s, padded_s, tree_s), self.saved(padded.micro), off)
            for used, tree_s in zip(precisions, trees_s, strict=True)
        ]

    def saved(self, rows: int) -> tuple[float, float]:
        """Tokens of the timed steps as the padded layout runs them over those of trees: without padding, and with it.

        Args:
            rows: groups that are padded together.
        """
        tree = [trees(groups, ROW_TOKENS, self.share) for groups in self.pairs.steps[1:]]
        few = self.shape.few
        parts = [groups[at : at + rows] for groups in self.pairs.steps[1:] for at in range(0, few, rows)]
        plain = [trees(part, ROW_TOKENS, "none") for part in parts]
        scale = self.shape.groups / few
        run = sum(batch.run_tokens for batch in tree)
        cells = scale * sum(batch.tokens.numel() for batch in plain)
        return sum(batch.plain_tokens for batch in tree) / run, cells / run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=SHAPES, metavar="SHAPE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS))
    parser.add_argument(
        "--clock", default="wall", choices=peers.CLOCKS, help="own: with --threads 1, on a busy machine"
    )
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    peers.clock = peers.CLOCKS[asked.clock]
    rows = {name: rows_of(asked.data, source) for name, source in SOURCES.items()}
    tokenizer = train_tokenizer((SOURCES[name].text(row) for name in rows for row in rows[name]), 8192)
    size = sum(value.numel() for value in llama(len(tokenizer)).parameters()) / 1e6
    libraries = ", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "torch"))
    print(f"{size:.1f}M parameters, vocabulary {len(tokenizer):,}, {asked.threads} threads, {libraries}")
    print(
        f"load before: {os.getloadavg()[0]:.2f} (1 min), {asked.rounds} rounds, {asked.clock} clock\n{HEAD}", flush=True
    )
    precisions = [] if asked.precision == "auto" else [asked.precision]
    for name in asked.shape:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(name, Path(folder), asked.rounds, tokenizer, rows[SHAPES[name].source])
            precisions = precisions or list(dict.fromkeys(bench.faster()))
            lines = bench.measure(precisions)
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
