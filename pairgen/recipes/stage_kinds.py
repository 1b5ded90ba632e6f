"""What a stage of a recipe may do: its options, the command that does the same, and how it is done.

Every kind calls the function of its command. What it writes is there completely or not at all, or, for training, has
checkpoints to continue from: so a recipe may be killed at any moment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pairgen.building.options import BuildOptions
from pairgen.errors import UsageError
from pairgen.evaluate.options import EvaluationOptions
from pairgen.exchange.curation.curation_options import MixOptions
from pairgen.exchange.functions import BUILD_ONLY
from pairgen.options import arguments, check_values
from pairgen.pairs.dataset import MANIFEST
from pairgen.run_folder import FINAL
from pairgen.train.config import OPTIONS, Config

BUILD, IMPORT, SFT_DATA, MIX, TRAIN, EVAL = "build", "import", "sft-data", "mix", "train", "eval"

SOURCED = (BUILD, IMPORT, SFT_DATA)
"""The kinds that read rows."""

DATA = (*SOURCED, MIX)

TINY = "tiny"
"""A model that `pairgen train` makes, with random weights."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A stage with all that it depends on."""

    name: str
    kind: str
    options: Mapping[str, Any]
    """Those of its kind, except for what follows."""
    folder: Path
    data: tuple[Path, ...] = ()
    """The datasets that it reads."""
    model: str = ""
    """The model that it trains or evaluates: a folder, a GGUF file or a Hub id."""
    after: str = ""
    """The training stage that made the model; empty if it is the one at the start."""

    @property
    def key(self) -> str:
        """The name of its folder and of the one around it, which no other stage of the recipe has."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def is_done(self) -> bool:
        """Whether all of its result is there."""
        return KINDS[self.kind].is_done(self.folder)

    def command(self) -> list[str]:
        """The command that does the same."""
        return ["pairgen", *KINDS[self.kind].command(self), "--out", str(self.folder)]

    def own(self, *names: str) -> dict[str, Any]:
        """The options of the class of its kind, without those that only stages have."""
        return {name: value for name, value in self.options.items() if name not in names}


@dataclass(frozen=True)
class Kind:
    """A kind of stages."""

    options: type[Any]
    """The class of its options."""
    command: Callable[[Stage], list[str]]
    """The words of its command, without ``--out``."""
    is_done: Callable[[Path], bool]
    without: Sequence[str] = ()
    """Options of the class that stages do not have: they have no effect on the result, or are set otherwise."""
    texts: Sequence[str] = ()
    """Further keys whose value is a text."""
    lists: Sequence[str] = ()
    """Further keys whose value is a list of texts."""
    unimportant: frozenset[str] = field(default=frozenset())
    """Options that do not change the result."""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of a stage."""
        own = (item.name for item in fields(self.options) if item.name not in self.without)
        return tuple(dict.fromkeys([*self.texts, *self.lists, *own]))

    def check(self, values: Mapping[str, Any], where: str) -> None:
        """Raise UsageError for an unknown key, or a value of the wrong type or out of range."""
        for name, value in values.items():
            if name not in self.names:
                raise UsageError(f"{where}: unknown key {name}; available: {', '.join(self.names)}")
            is_text, is_list = name in self.texts, name in self.lists
            if is_text and not isinstance(value, str):
                raise UsageError(f"{where}: {name} must be a text, got {value!r}")
            if is_list and (not isinstance(value, list) or not all(isinstance(one, str) for one in value)):
                raise UsageError(f"{where}: {name} must be a list of texts, got {value!r}")
            if not is_text and not is_list:
                check_values(self.options, {name: value}, where)


# ---------------------------------------------------------------- commands


def _build(stage: Stage) -> list[str]:
    return ["build", stage.options["dataset"], *arguments(BuildOptions(**stage.own("dataset")))]


def _import(stage: Stage) -> list[str]:
    layout = ["--layout", stage.options["layout"]] if stage.options.get("layout") else []
    options = BuildOptions(**stage.own("layout", "source"))
    return [stage.kind, *stage.options.get("source", ()), *layout, *arguments(options)]


def _mix(stage: Stage) -> list[str]:
    return ["mix", *map(str, stage.data), *arguments(MixOptions(**stage.options))]


def train_config(stage: Stage) -> Config:
    """The options of a training stage."""
    return Config(**stage.options, data=tuple(map(str, stage.data)), model=stage.model, out=str(stage.folder))


def _train(stage: Stage) -> list[str]:
    options = Config(**stage.options, model=stage.model)
    return ["train", *map(str, stage.data), *arguments(options)]


def _eval(stage: Stage) -> list[str]:
    return ["eval", stage.model, *arguments(EvaluationOptions(**stage.options))]


# ---------------------------------------------------------------- results


def _is_dataset(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _is_trained(folder: Path) -> bool:
    return (folder / FINAL).is_dir()


def _is_evaluated(folder: Path) -> bool:
    from pairgen.evaluate.results_folder import is_results

    return is_results(folder)


# ---------------------------------------------------------------- the table

_HOW_BUILT = ("workers", "drops", "resume", "shard")
"""Options of builds that stages set themselves, or that make something else than a dataset."""

_TRAINED_LONGER = {"steps", "epochs", "learning_rate"}
"""Options that a resumed run may change, and that change its result."""

_IMPORTED = Kind(
    BuildOptions,
    _import,
    _is_dataset,
    without=[name for name in (*BUILD_ONLY, *_HOW_BUILT) if name != "source"],
    texts=("layout",),
)

KINDS: dict[str, Kind] = {
    BUILD: Kind(
        BuildOptions,
        _build,
        _is_dataset,
        without=_HOW_BUILT,
        texts=("dataset",),
        unimportant=frozenset({"engine", "address", "ray_blocks"}),
    ),
    IMPORT: _IMPORTED,
    SFT_DATA: _IMPORTED,
    MIX: Kind(MixOptions, _mix, _is_dataset, lists=("data",)),
    TRAIN: Kind(
        Config,
        _train,
        _is_trained,
        without=("out", "trust_remote_code"),
        texts=("model",),
        lists=("data",),
        unimportant=frozenset(name for name, item in OPTIONS.items() if item.metadata.get("may_change"))
        - _TRAINED_LONGER,
    ),
    EVAL: Kind(
        EvaluationOptions,
        _eval,
        _is_evaluated,
        without=("generate", "questions", "sample", "trust_remote_code"),
        unimportant=frozenset({"device", "batch_size"}),
    ),
}
