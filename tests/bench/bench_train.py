"""Training steps against TRL: pairs a second of TRL's DPO trainer, of our padded layout and of trees, in one run.

    python tests/bench/bench_train.py DATA [--shape metamath arc] [--rounds 3] [--threads 2] [--precision auto]

``DATA`` is a folder with ``metamath/GSM_AnsAug.json``, ``arc/ARC-Challenge-Train.jsonl`` and
``hellaswag/train_raw_first3368.jsonl.gz``, as the hub has their rows. Datasets are built from it on the spot.

The model is a Llama of some 12M parameters with random weights, the loss DPO with its reference computed beforehand; a
step is forward, backward, clipping and AdamW, and for ours also laying out the batch, which TRL does outside its time.
In each round every system takes one step, by turns, over the same pairs in the same order; figures are medians of
rounds. Each system takes the better of two sizes of micro-batch, tried before. Of long shapes TRL and the padded layout
take only the first groups of each step (``took``). Before anything is timed, first steps are held against each other:
loss, log-probs and gradient norm.

``auto`` takes the precision in which TRL is faster, for all; where trees are faster in the other, they have a second row.

    took       pairs a step of TRL, of padded, of trees
    saved      tokens that TRL runs for the same pairs, without padding, over tokens of the trees
    /trl       pairs a second of trees over TRL's, and of padded
    of saved   the ratio of times as a share of the ratio of tokens
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
from time import perf_counter
from typing import Any, NamedTuple

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
    "metamath": Shape("metamath", Options(), 1, 24, 24, 2.9),
    "metamath, 4 corruptions": Shape("metamath", Options(corruptions=4), 4, 8, 8),
    "metamath, 5 shots": Shape("metamath", Options(shots=5), 1, 24, 4),
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
    """Build the pairs of as many rows as are needed and cut them into steps."""
    source = folder / "rows.jsonl"
    wanted = shape.groups * steps
    source.write_text("".join(json.dumps(row) + "\n" for row in rows[: 64 + 2 * wanted]), "utf-8")
    built = build(shape.source, folder / "pairs", [str(source)], shape.options)
    found = data.tokens_of(
        [built], "train", tokenizer, folder / "tokens", chat="off", max_length=4096, told=lambda *_: None
    )
    assert found is not None and not found.drops
    fitting = [index for index, pairs in enumerate(found.groups.pairs) if pairs == shape.pairs][:wanted]
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

    def __init__(self, model: Any, share: str, precision: str, known: reference.Reference) -> None:
        self.model = copy.deepcopy(model)
        self.micro = 0
        self.scoring = Scoring(
            module=Scorer(self.model),
            layout=partial(trees, row_tokens=ROW_TOKENS, share=share, pad=0),
            device=torch.device("cpu"),
            autocast=precision == "bf16",
            loss="dpo",
            options=LossOptions(beta=peers.BETA),
            reference=known,
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=peers.RATE, weight_decay=0.0)

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
        clock = perf_counter()
        self.step(groups)
        return perf_counter() - clock

    def tune(self, groups: Sequence[Group], sizes: Sequence[int]) -> None:
        """Take the micro-batch that is fastest."""
        seconds = {}
        for self.micro in sizes:
            seconds[self.micro] = self.timed(groups)
        self.micro = min(seconds, key=seconds.__getitem__)


def references(model: Any, pairs: Pairs, share: str, precision: str, folder: Path) -> reference.Reference:
    """The log-probs of all pairs under the model as it is."""
    ours = Ours(model, share, precision, reference.Reference())
    ours.scoring.reference = None

    def score(groups: Sequence[Group]) -> tuple[Batch, torch.Tensor]:
        batch = ours.scoring.laid_out(groups)
        with torch.no_grad():
            return batch, ours.scoring.tokens(batch)

    reference.compute(pairs.groups, pairs.used, score, folder, 32)
    return reference.Reference(reference.read(folder))


class Line(NamedTuple):
    """A row of the table: pairs and median seconds of a step of TRL, padded and trees."""

    shape: str
    precision: str
    pairs: tuple[int, int, int]
    seconds: tuple[float, float, float]
    saved: float
    off: float

    def __str__(self) -> str:
        trl, padded, tree = (count / seconds for count, seconds in zip(self.pairs, self.seconds, strict=True))
        wanted = SHAPES[self.shape].wanted
        return (
            f"{self.shape:24}{self.precision:9}{'/'.join(map(str, self.pairs)):>9}{self.saved:8.2f}"
            f"{trl:9.2f}{padded:9.2f}{tree:9.2f}{tree / trl:8.2f}{f'{wanted:8.1f}' if wanted else '       -'}"
            f"{padded / trl:8.2f}{tree / padded:8.2f}{100 * tree / padded / self.saved:6.0f}%{self.off:10.0e}"
        )


HEAD = (
    f"{'':24}{'':9}{'':9}{'':8}{'pairs a second':>27}{'trees':>8}{'':8}{'padded':>8}{'trees/':>8}{'of':>7}{'first':>10}\n"
    f"{'shape':24}{'':9}{'took':>9}{'saved':>8}{'TRL':>9}{'padded':>9}{'trees':>9}{'/TRL':>8}{'wanted':>8}{'/TRL':>8}"
    f"{'padded':>8}{'saved':>7}{'step off':>10}"
)


class Bench:
    """One shape, measured."""

    def __init__(self, name: str, folder: Path, rounds: int, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
        self.name, self.shape, self.folder = name, SHAPES[name], folder
        self.tokenizer, self.model = tokenizer, llama(len(tokenizer))
        self.pairs = pairs_of(self.shape, rows, tokenizer, 1 + rounds, folder)
        self.share = "shots"
        few = self.shape.few
        self.sizes = [few, few // 2] if few < 8 else [few, few // 4]

    def trl(self, steps: int, size: int, precision: str, turn: peers.Turn) -> First:
        """TRL over the first steps, ``size`` groups at once."""
        few, each = self.shape.few, self.shape.pairs
        texts = self.pairs.texts(few, steps)
        model = copy.deepcopy(self.model)
        return peers.train(model, self.tokenizer, texts, few * each, size * each, precision, self.folder / "trl", turn)

    def tuned(self, precisions: Sequence[str]) -> tuple[int, str]:
        """Micro-batch, in groups, and precision in which TRL's second step is fastest."""
        found = {}
        for precision in precisions:
            for size in self.sizes:
                seconds: list[float] = []
                self.trl(2, size, precision, lambda _, took, seconds=seconds: seconds.append(took))
                found[size, precision] = seconds[1]
        said = ", ".join(f"{precision} {size} groups {took:.2f} s" for (size, precision), took in found.items())
        print(f"{self.name}: TRL tries {said}", file=sys.stderr, flush=True)
        return min(found, key=found.__getitem__)

    def ours(self, share: str, precision: str) -> Ours:
        folder = self.folder / f"reference-{precision}"
        return Ours(self.model, share, precision, references(self.model, self.pairs, self.share, precision, folder))

    def measure(self, precisions: Sequence[str], both: bool) -> list[Line]:
        """Times of every system.

        Args:
            precisions: the one in which TRL is fastest is taken.
            both: trees may also run in the other.
        """
        size, precision = self.tuned(precisions)
        steps, few = self.pairs.steps, self.shape.few
        padded, shared = self.ours("none", precision), self.ours(self.share, precision)
        checks = [copy.deepcopy(one).step(steps[0][:few]) for one in (padded, shared)]
        padded.tune(steps[0][:few], self.sizes)
        shared.tune(steps[0], [0] if self.shape.options.shots else [0, self.shape.groups // 4])
        systems: list[Callable[[list[Group]], float]] = [lambda groups: padded.timed(groups[:few]), shared.timed]
        trees_in = [precision]
        if both:
            other = next(one for one in PRECISIONS if one != precision)
            again = self.ours(self.share, other)
            again.micro = shared.micro
            again.timed(steps[0])
            if again.timed(steps[0]) < shared.timed(steps[0]):
                systems.append(again.timed)
                trees_in.append(other)

        taken: list[list[float]] = []

        def turn(step: int, seconds: float) -> None:
            if step:
                taken.append([seconds, *(system(steps[step]) for system in systems)])
                print(f"{self.name}: {' '.join(f'{value:.2f}' for value in taken[-1])} s", file=sys.stderr, flush=True)

        first = self.trl(len(steps), size, precision, turn)
        off = max(check.off(first) for check in checks)
        if off > TOLERANCE[precision]:
            raise SystemExit(f"{self.name}: first steps differ: TRL {first}, padded {checks[0]}, trees {checks[1]}")
        trl_s, padded_s, *trees_s = (statistics.median(column) for column in zip(*taken, strict=True))
        pairs = (few * self.shape.pairs, few * self.shape.pairs, self.shape.groups * self.shape.pairs)
        return [
            Line(self.name, used, pairs, (trl_s, padded_s, tree_s), self.saved(), off)
            for used, tree_s in zip(trees_in, trees_s, strict=True)
        ]

    def saved(self) -> float:
        """Tokens of the timed steps as TRL runs them, without padding, over those of trees."""
        batches = [trees(groups, ROW_TOKENS, self.share) for groups in self.pairs.steps[1:]]
        return sum(batch.plain_tokens for batch in batches) / sum(batch.run_tokens for batch in batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=SHAPES, metavar="SHAPE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows = {name: rows_of(asked.data, source) for name, source in SOURCES.items()}
    tokenizer = train_tokenizer((SOURCES[name].text(row) for name in rows for row in rows[name]), 8192)
    size = sum(value.numel() for value in llama(len(tokenizer)).parameters()) / 1e6
    libraries = ", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "torch"))
    print(f"{size:.1f}M parameters, vocabulary {len(tokenizer):,}, {asked.threads} threads, {libraries}")
    print(f"load before: {os.getloadavg()[0]:.2f} (1 min), {asked.rounds} rounds\n{HEAD}", flush=True)
    precisions = list(PRECISIONS) if asked.precision == "auto" else [asked.precision]
    for name in asked.shape:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(name, Path(folder), asked.rounds, tokenizer, rows[SHAPES[name].source])
            lines = bench.measure(precisions, both=asked.precision == "auto")
        precisions = [lines[0].precision]
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
