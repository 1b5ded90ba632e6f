"""The functions of ``pairgen`` for notebooks and scripts: paths and plain values in, datasets and data frames out.

They call the same functions as the command line, and have the same options under the same names, with ``_`` for ``-``.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pairgen.building.options import BuildOptions
from pairgen.options import from_mapping, with_signature
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress, ignore
from pairgen.sources.columns import columns_text
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES
from pairgen.train.losses.outside import register

if TYPE_CHECKING:
    import pandas as pd

    from pairgen.builders import Builder
    from pairgen.report.documents.drawing import Drawing
    from pairgen.train.run import TrainResult

AnyPath = str | os.PathLike[str]


@with_signature(BuildOptions)
def build(
    dataset: "str | Builder",
    out: AnyPath,
    source: AnyPath | Iterable[AnyPath] = (),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
    **options: Any,
) -> "PairDataset":
    """Build a pair dataset in a folder and open it, as ``pairgen build`` does.

    >>> import pairgen
    >>> pairs = pairgen.build("arc", "arc-pairs", "sample:500", seed=1, shots=5)
    >>> pairs
    PairDataset('arc-pairs': train 1,490 pairs, eval 1,489 pairs)

    Args:
        dataset: ``"metamath"``, ``"gsm8k"``, ``"arc"``, ``"hellaswag"``, ``"solutions"`` or ``"choices"`` (for rows of
            your own), or a builder of your own.
        out: the folder to write, or a URL to upload it to.
        source: where rows come from: a file, a folder, a Hub dataset or ``"sample:ROWS"``, or several of them with
            their splits, ``["train=a.jsonl", "eval=b.jsonl"]``. Default: the dataset's own rows from the Hub.
        overwrite: replace a pair dataset at ``out``.
        progress: called with progress in bytes of the source; its phases are those of ``progress.BuildPhase``.
        options: see ``BuildOptions``; ``columns`` may also be a dictionary, ``{"question": "problem"}``.

    Raises:
        UsageError: an unknown dataset or option, or options that conflict.
        SourceError: rows are unavailable or unreadable, or a split has no pairs.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    from pairgen.building.pipeline import build as build_dataset

    sources = [source] if isinstance(source, (str, os.PathLike)) else source
    options |= {"source": [os.fspath(path) for path in sources], "columns": columns_text(options.get("columns"))}
    chosen = from_mapping(BuildOptions, options, "build")
    return build_dataset(dataset, out, chosen, overwrite=overwrite, progress=progress, warn=warnings.warn)


def describe(
    dataset: "PairDataset | AnyPath",
    *,
    metric: str = "levenshtein",
    unit: str = "char",
    tokenizer: str | None = None,
    by: str | None = None,
) -> "pd.DataFrame":
    """Statistics of a dataset as a data frame, a row for each split and statistic.

    >>> pairgen.describe("arc-pairs").loc["train"][["unit", "5%", "50%", "95%"]].round(2)
                            unit      5%     50%     95%
    statistic
    edit_distance          share    0.08    0.62    0.86
    prompt_length    code points  697.00  743.00  806.00
    chosen_length    code points    6.00   12.00   41.00
    rejected_length  code points    5.00   13.00   41.00
    shared_prefix          share    0.03    0.12    0.45
    pairs_per_group        pairs    3.00    3.00    3.60

    The columns are ``unit``, ``count``, ``mean``, ``sd``, ``min``, ``5%``, ``25%``, ``50%``, ``75%``, ``95%``, ``max``
    and ``definition``. With ``by``, the index has a third level, the values of that column.

    Args:
        metric, unit, tokenizer: how the edit distance is measured.
        by: ``"source"``, ``"strategy"``, ``"error"``, ``"check"`` or ``"reason"``.

    Raises:
        UsageError: an unknown metric, unit or column, or a tokenizer that is missing or cannot be loaded.
        InvalidDataset: a folder that is not a pair dataset, or a damaged one.
    """
    import pandas as pd

    from pairgen import stats
    from pairgen.pairs.dataset import opened

    found = stats.describe(opened(dataset), metric=metric, unit=unit, tokenizer=tokenizer, by=by)
    rows = {}
    for split, statistics in found.items():
        for name, about in statistics.items():
            if isinstance(about, dict) and "quantiles" in about:
                parts = about["by"][by] if by and "by" in about else {"all": about} if by else {None: about}
                for value, summary in parts.items():
                    rows[(split, name, value)] = _summary_row(summary, about)
    index = pd.MultiIndex.from_tuples(rows, names=["split", "statistic", by])
    frame = pd.DataFrame(list(rows.values()), index=index)
    return frame if by else frame.droplevel(2)


def _summary_row(summary: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    return {
        "unit": about["scale"],
        **{name: summary[name] for name in ("count", "mean", "sd", "min")},
        **{f"{percent}%": value for percent, value in summary["quantiles"].items()},
        "max": summary["max"],
        "definition": about["definition"],
    }


def audit(
    source: AnyPath,
    *,
    columns: str | Mapping[str, str] | None = None,
    steps: bool = False,
    progress: Progress = ignore,
) -> "pd.DataFrame":
    """The results in worked solutions that are not true, as a data frame with a row for each.

    >>> import json, pathlib
    >>> row = {"question": "How many pens?", "solution": "She has 3 * 4 = 13 pens, and 13 - 5 = 8 are red."}
    >>> _ = pathlib.Path("solutions.jsonl").write_text(json.dumps(row))
    >>> pairgen.audit("solutions.jsonl")[["row", "column", "start", "stop", "text", "expression", "value", "kind"]]
       row    column  start  stop text expression value   kind
    0    0  solution     16    18   13      3 * 4    12  false

    The columns are ``source``, ``split``, ``row`` (from 0), ``column``, ``step`` (index of the step, in lists of
    steps), ``start`` and ``stop`` (code points in the text or step), ``text`` (the result as written), ``expression``,
    ``value`` (of the calculation, exact: ``12`` or ``100/3``) and ``kind``: ``false``, ``truncated`` (``500/15 = 33``)
    or ``doubtful``. ``frame.attrs`` has ``rows``, ``unreadable``, ``table`` (by source and column, the solutions read
    and those with findings) and ``false_share``.

    Args:
        source: a file, a folder that ``save_to_disk`` or pairgen wrote, a pattern of files, or a Hub dataset.
        columns: what the columns are called: ``{"solution": "rationale"}``.
        steps: audit lists of steps, and no other column.
        progress: called with progress in bytes of the source.

    Raises:
        UsageError: unknown columns.
        SourceError: rows are unavailable, or none has a solution.
    """
    import pandas as pd

    from pairgen.building.inspection.audit import FIELDS
    from pairgen.building.inspection.audit import audit as audit_source

    found = audit_source(os.fspath(source), columns_text(columns), steps=steps, progress=progress, warn=warnings.warn)
    frame = pd.DataFrame([one.to_json() for one in found.found], columns=FIELDS)
    frame.attrs.update(found.summary(), false_share=found.false_share)
    return frame


def compare(*runs: AnyPath) -> "pd.DataFrame":
    """The last metrics of run folders as a data frame, a row for each run.

    Of evaluations if every run was evaluated, else of training batches. The index is the name of the run; the columns
    are ``path``, ``loss``, ``split``, the options that differ between the runs, and the metrics under their names in
    ``metrics.jsonl`` (but ``loss_value`` for its ``loss``).

    >>> pairgen.compare("run")[["loss", "split", "step"]]
         loss split  step
    run
    run  dpop  eval     2

    Raises:
        RunFolderError: a folder that is not a run, or a damaged one.
    """
    import pandas as pd

    from pairgen.report import comparison

    found = comparison.compare([Path(run) for run in runs])

    def options(run: comparison.RunEnds) -> dict[str, Any]:
        return {name: run.config.get(name) for name in found.differing}

    def metrics(run: comparison.RunEnds) -> dict[str, Any]:
        return {"loss_value" if name == "loss" else name: value for name, value in run.end.items()}

    rows = [
        {"path": run.path, "loss": run.loss, "split": found.split, **options(run), **metrics(run)} for run in found.runs
    ]
    return pd.DataFrame(rows, index=pd.Index([run.run for run in found.runs], name="run"))


def plot(name: str, *folders: "PairDataset | AnyPath", out: AnyPath | None = None) -> "Drawing":
    """Draw one figure of a dataset, or of run folders over one another, as ``pairgen plot`` does.

    >>> drawing = pairgen.plot("edit-distance", "arc-pairs", out="edit-distance.svg")
    >>> drawing.svg[:5], drawing.png[1:4]
    (b'<?xml', b'PNG')

    Notebooks show the drawing. ``pairgen plot FOLDER`` lists the names of figures.

    Args:
        name: the name of the figure.
        out: a file to write, which ends in ``.svg`` or ``.png``.

    Raises:
        UsageError: an unknown name, a figure with nothing to show, other folders, or matplotlib is not installed.
        OutputError: ``out`` cannot be written.
    """
    from pairgen.report.figures.lookup import figure
    from pairgen.report.figures.picture import draw_to

    paths = [folder.path if isinstance(folder, PairDataset) else Path(folder) for folder in folders]
    return draw_to(figure(paths, name), Path(out) if out is not None else None)


@with_signature(Config)
def train(
    data: "PairDataset | AnyPath | Iterable[PairDataset | AnyPath]",
    out: AnyPath,
    *,
    overwrite: bool = False,
    callbacks: Iterable[Callable[[Mapping[str, float]], None]] = (),
    progress: Progress = ignore,
    **options: Any,
) -> "TrainResult":
    """Train a model on pair datasets in a new folder, as ``pairgen train`` does.

    >>> run = pairgen.train("arc-pairs", "run", loss="dpop", steps=2, sft_steps=2, batch_size=4, eval_pairs=4)
    >>> run.summary["steps"], sorted(path.name for path in run.folder.iterdir() if path.is_dir())[-2:]
    (2, ['sft', 'tokens'])

    Args:
        data: one dataset or several, opened or as folders; or files, folders or Hub datasets in a layout that
            ``import_pairs`` recognizes, such as TRL's, ``["pairs.jsonl", "eval=held-out.jsonl"]``. These are imported
            into the run; rows that are dropped are warned of.
        out: the folder of the run.
        overwrite: replace a run at ``out``.
        callbacks: each is called with the metrics of every logged step, among them ``step``.
        progress: called with progress; its phases are those of ``pairgen.train.context.Phase``.
        options: see ``pairgen.train.config.Config``: ``model``, ``steps``, ``learning_rate``, ... ``loss`` may also be
            a function of your own (``pairgen.train.losses.outside``).

    Raises:
        UsageError: an unknown option, options that conflict, or rows in no known layout.
        InvalidDataset: a dataset that is not complete.
        SourceError: rows are unavailable or unreadable.
        OutputExists: the folder is not empty.
        TrainingError: the model cannot be trained, the device is out of memory, or the loss is NaN.
    """
    from pairgen.exchange.imports.for_training import Callbacks, plan
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
    told = Callbacks(report, warnings.warn, _warn_of_drops)
    planned = plan(config.data, sft=not LOSSES[config.loss].uses_rejected, callbacks=told)
    config = replace(config, data=tuple(planned.data))
    return start(config, overwrite=overwrite, imports=planned.imports, progress=report, warn=warnings.warn)


def _warn_of_drops(line: str) -> None:
    if "; dropped " in line:
        warnings.warn(line, stacklevel=2)


__all__ = ["audit", "build", "compare", "describe", "plot", "train"]
