"""What a study consists of: variants of a training run on datasets of pairs, and a report on what they did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairgen.options import check, option

if TYPE_CHECKING:
    from pyarrow import Table

    from pairgen.pairs.dataset import PairDataset
    from pairgen.report.documents.content import Report
    from pairgen.studies.running.results import Results

TINY = "tiny"


@dataclass(frozen=True)
class Scale:
    """The size of a study's runs."""

    help: str
    model: str
    """Default of --model. ``tiny`` is trained from scratch on the chosen completions first (SFT), once per seed."""
    source: str
    """Default rows of worked solutions (``pairgen build metamath --source``); empty: the Hub's."""
    choices: str
    """Default rows of multiple-choice questions (``pairgen build arc --source``)."""
    pairs: int
    """Training pairs; a run sees each of them once."""
    batch_size: int
    held_out: int
    """Pairs that no run is trained on."""
    measured: int
    """Training pairs that are measured after a run, besides all held-out ones."""
    seeds: int
    learning_rates: tuple[float, ...]
    """The rates tried for every variant, in ascending order."""
    precision: str = "float32"
    sft_steps: int = 0
    save_every: int = 0
    """Steps between checkpoints of a run, for runs that take minutes."""
    workers: int = 1
    """Default of --workers; 0: the number of cores."""


SCALES = {
    "small": Scale(
        help="the built-in sample and a tiny model, minutes on a CPU",
        model=TINY,
        source="sample:1200",
        choices="sample:600",
        pairs=800,
        batch_size=16,
        held_out=100,
        measured=200,
        seeds=3,
        learning_rates=(1e-4, 2e-4, 4e-4),
        sft_steps=300,
        workers=0,
    ),
    "real": Scale(
        help="Gemma 3 270M and real pairs, hours on a CPU",
        model="",
        source="",
        choices="",
        pairs=240,
        batch_size=8,
        held_out=40,
        measured=40,
        seeds=3,
        learning_rates=(1e-6, 3e-6, 1e-5),
        precision="bf16",
        save_every=10,
    ),
    "gpu": Scale(
        help="Qwen2.5 0.5B and real pairs, for a GPU",
        model="Qwen/Qwen2.5-0.5B",
        source="",
        choices="",
        pairs=3200,
        batch_size=32,
        held_out=400,
        measured=400,
        seeds=3,
        learning_rates=(5e-6, 1e-5, 2e-5),
        precision="bf16",
    ),
}


@dataclass(frozen=True)
class StudyOptions:
    """One study's run.

    Raises:
        UsageError: a value that is not allowed.
    """

    scale: str = option(
        "small",
        "Size of the runs. " + " ".join(f"{name}: {scale.help}." for name, scale in SCALES.items()),
        choices=SCALES,
    )
    model: str = option("", "Model: a folder, a GGUF file or a Hub id. Default: that of the scale.", metavar="MODEL")
    source: str = option(
        "", "Rows of worked solutions, as in `pairgen build metamath --source`. Default: that of the scale."
    )
    choices: str = option(
        "", "Rows of multiple-choice questions, as in `pairgen build arc --source`. Default: that of the scale."
    )
    out: str = option(
        "studies", "Folder of runs and reports. Finished runs are reused.", aliases=("-o",), metavar="DIR"
    )
    seeds: int = option(0, "Number of seeds; 0: that of the scale.", at_least=0)
    learning_rate: tuple[float, ...] = option(
        (), "Learning rate to try for every variant; repeat it for more. Default: those of the scale.", metavar="RATE"
    )
    pairs: int = option(0, "Training pairs of a run; 0: that of the scale.", at_least=0)
    device: str = option("auto", "Device; auto: CUDA if available.", choices=("auto", "cpu", "cuda"))
    workers: int = option(
        0, "Runs at the same time, on a CPU core each; 0: all cores for tiny models, else 1.", at_least=0
    )
    keep_models: bool = option(False, "Keep the model of every run.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Variant:
    """Training runs that differ in their seeds only."""

    name: str
    options: Mapping[str, Any]
    """Options of ``pairgen.train.config.Config`` that make this variant, such as its loss."""
    data: str = "low"
    """Name of its dataset (``Study.data``)."""
    start: str = ""
    """Name of the dataset that a tiny model is fine-tuned on first; default: ``data``."""
    rate_of: str = ""
    """Name of the variant whose learning rate is used; default: its own, of several tried."""
    rate_data: str = ""
    """Name of the dataset of that variant; default: ``data``."""
    files: Mapping[str, "Measurement"] = field(default_factory=dict)
    """Further files of a run, by name, and what measures each with the model of the run."""
    label: Mapping[str, Any] = field(default_factory=dict)
    """Values that tell the variants of a study apart, for tables: ``{"beta": 0.1}``."""

    @property
    def key(self) -> tuple[str, str]:
        """Data and name."""
        return self.data, self.name


@dataclass(frozen=True)
class Trained:
    """A model that was trained, for what has to be measured with the model itself."""

    model: Path
    start: str
    """The model that it was trained from."""
    data: "PairDataset"
    learning_rate: float


Measurement = Callable[[Trained], "Table"]
"""Measures a model. It is a function of a module, since it may be called in another process."""

Make = Callable[["Setting", Path], object]
"""Writes a dataset of pairs into a folder that does not exist yet."""


@dataclass(frozen=True)
class Setting:
    """The options of a study, with the defaults of its scale filled in."""

    scale_name: str
    scale: Scale
    model: str
    source: str
    choices: str
    out: Path
    device: str
    workers: int = 1
    """Runs at the same time, each in a process and on a core of its own."""
    keep_models: bool = False

    @property
    def is_tiny(self) -> bool:
        """Whether the starting models are made here."""
        return self.model == TINY

    @property
    def seeds(self) -> range:
        return range(self.scale.seeds)


@dataclass(frozen=True)
class Study:
    """An experiment: what it asks, what it trains, and how it reports."""

    title: str
    question: str
    data: Mapping[str, Make]
    """Its datasets, by name."""
    variants: Callable[[Setting], list[Variant]]
    report: "Callable[[Results], Report]"
