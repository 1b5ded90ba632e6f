"""What ``pairgen.train`` does: plain values in, a finished run out. Does not import torch until it is called."""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pairgen.options import from_mapping, with_signature
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress, ignore
from pairgen.train.config import Config
from pairgen.train.losses.outside import register

if TYPE_CHECKING:
    from pairgen.train.run import TrainResult

AnyPath = str | os.PathLike[str]


@with_signature(Config)
def train(
    data: PairDataset | AnyPath | Iterable[PairDataset | AnyPath],
    out: AnyPath,
    *,
    overwrite: bool = False,
    callbacks: Iterable[Callable[[Mapping[str, float]], None]] = (),
    progress: Progress = ignore,
    **options: Any,
) -> "TrainResult":
    """Train a model on pair datasets in a new folder, as ``pairgen train`` does; ``pairgen.train`` is this function.

    >>> run = pairgen.train("arc-pairs", "run", loss="dpop", steps=2, sft_steps=2, batch_size=4, eval_pairs=4)
    >>> run.summary["steps"], sorted(path.name for path in run.folder.iterdir() if path.is_dir())[-2:]
    (2, ['sft', 'tokens'])

    Args:
        data: one dataset or several, opened or as folders.
        out: the folder of the run.
        overwrite: replace a run at ``out``.
        callbacks: each is called with the metrics of every logged step, among them ``step``.
        progress: called with progress; its phases are those of ``pairgen.train.context.Phase``.
        options: see ``pairgen.train.config.Config``: ``model``, ``steps``, ``learning_rate``, ... ``loss`` may also be
            a function of your own (``pairgen.train.losses.outside``).

    Raises:
        UsageError: an unknown option, or options that conflict.
        InvalidDataset: a dataset that is not complete.
        OutputExists: the folder is not empty.
        TrainingError: the model cannot be trained, the device is out of memory, or the loss is NaN.
    """
    from pairgen.train.context import Phase
    from pairgen.train.run import train as start

    def report(phase: str, done: int, total: int, fields: Mapping[str, Any] = MappingProxyType({}), /) -> None:
        progress(phase, done, total, fields)
        if phase == Phase.TRAINING and fields:
            for callback in callbacks:
                callback(fields)

    datasets = [data] if isinstance(data, (str, os.PathLike, PairDataset)) else data
    folders = [str(part.path) if isinstance(part, PairDataset) else os.fspath(part) for part in datasets]
    if "loss" in options:
        options["loss"] = register(options["loss"])
    config = from_mapping(Config, {**options, "data": folders, "out": os.fspath(out)}, "train")
    return start(config, overwrite=overwrite, progress=report, warn=warnings.warn)
