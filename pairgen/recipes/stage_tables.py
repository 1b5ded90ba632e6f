"""What the report says about the stages of a recipe: time, data, training, and the curves of training."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pairgen.errors import count
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.recipes.journal import Spent
from pairgen.recipes.stage_kinds import DATA, EVAL, TINY, TRAIN, Stage
from pairgen.report.documents.content import Cell, Column, Line, Lines, Table
from pairgen.report.documents.number_format import COUNT, NATS, SHARE, NumberFormat
from pairgen.run_folder import Run, open_run
from pairgen.run_folder.described import about_model

RATE = NumberFormat(0, scientific=True)
LOSS = NumberFormat(3)

CHOSEN = "logratios/chosen"
BELOW = "chosen_below_reference"


def time_table(stages: Sequence[Stage], spent: Mapping[str, Spent]) -> Table:
    """A row per stage: what it made, and how long it took."""
    columns = [
        Column("stage"),
        Column("kind"),
        Column("result"),
        Column("time"),
        Column("CPU time"),
        Column("times started", COUNT),
    ]
    rows: list[Sequence[Cell]] = []
    total = Spent()
    for stage in stages:
        one = spent.get(stage.key, Spent())
        total.seconds, total.cpu_seconds = total.seconds + one.seconds, total.cpu_seconds + one.cpu_seconds
        rows.append([stage.name, stage.kind, _result(stage), *_times(one), one.begun or None])
    rows.append(["total", "", "", *_times(total), None])
    notes = ["Times are in hours, minutes and seconds, summed over all the times that a stage was started."]
    if any(one.begun > 1 for one in spent.values()):
        notes.append("Of a process that was killed, the last seconds before are missing.")
    return Table("Stages", columns, rows, notes)


def _times(spent: Spent) -> tuple[str, str]:
    seconds, cpu = (str(timedelta(seconds=round(one))) for one in (spent.seconds, spent.cpu_seconds))
    return seconds, cpu


def _result(stage: Stage) -> str:
    if stage.kind in DATA:
        data = open_pairs(stage.folder)
        noun = "row" if data.manifest.get("sft") else "pair"
        return ", ".join(
            f"{split.pairs:,} held out" if name == "eval" else count(split.pairs, noun)
            for name, split in data.splits.items()
        )
    if stage.kind == TRAIN:
        steps = count(open_run(stage.folder).lines[-1]["step"], "step")
        return f"{steps} from {stage.after or about_start(stage.model)}"
    return count(len(stage.options["tasks"]), "task")


def about_start(model: str) -> str:
    """A model that no stage has made, in words."""
    return "a tiny Llama with random weights" if model == TINY else about_model(model)


# ---------------------------------------------------------------- data


def data_table(stages: Sequence[Stage], named: Mapping[str, Sequence[str]]) -> Table:
    """A row per dataset: where its rows come from, and what they are like.

    Args:
        named: the sources that the recipe names, by stage.
    """
    instead = any(_instead_of(stage, named) for stage in stages)
    columns = [
        Column("dataset"),
        Column("source"),
        *([Column("instead of")] if instead else []),
        Column("license"),
        Column("train", COUNT),
        Column("held out", COUNT),
        Column("dropped rows", COUNT),
        Column("median edit distance", SHARE),
    ]
    rows: list[Sequence[Cell]] = []
    for stage in stages:
        if stage.kind in DATA:
            data = open_pairs(stage.folder)
            manifest = data.manifest
            dropped = sum(sum((split.get("drops") or {}).values()) for split in manifest["splits"].values())
            distance = manifest.get("statistics", {}).get("train", {}).get("edit_distance", {})
            rows.append(
                [
                    *(stage.name, _source(data, stage)),
                    *([_instead_of(stage, named)] if instead else []),
                    manifest.get("license") or "unknown",
                    *(data.splits[name].pairs if name in data.splits else 0 for name in ("train", "eval")),
                    dropped,
                    None if manifest.get("sft") else distance.get("quantiles", {}).get("50"),
                ]
            )
    notes = ["Edit distance: Levenshtein over characters / longer completion, of training pairs."]
    return Table("Data", columns, rows, notes)


def _instead_of(stage: Stage, named: Mapping[str, Sequence[str]]) -> str:
    """The sources that the recipe names, if others were given."""
    own = named.get(stage.name, ())
    return ", ".join(own) if list(own) != list(stage.options.get("source", own)) else ""


def _source(data: PairDataset, stage: Stage) -> str:
    """Where the rows of a dataset come from: a Hub id, files, the sample, or other datasets."""
    if stage.data:
        return ", ".join(folder.name for folder in stage.data)
    found = []
    for source in data.manifest.get("sources", {}).values():
        if "hub" in source:
            found.append(f"{source['hub']} (Hub)")
        elif "files" in source:
            found += source["files"]
        else:
            found.append("built-in sample")
    return ", ".join(dict.fromkeys(found))


# ---------------------------------------------------------------- training


def training_table(stages: Sequence[Stage]) -> Table:
    """A row per training stage: options, and held-out metrics at its start and at its end."""
    columns = [
        Column("stage"),
        Column("loss function"),
        Column("data"),
        Column("steps", COUNT),
        Column("batch size", COUNT),
        Column("learning rate", RATE),
        Column("loss at the start", LOSS),
        Column("loss at the end", LOSS),
        Column("chosen log-ratio", NATS),
        Column("below reference", SHARE),
        Column("accuracy", SHARE),
    ]
    rows: list[Sequence[Cell]] = []
    for stage in stages:
        if stage.kind == TRAIN:
            run = open_run(stage.folder)
            prefix = "eval/" if run.evaluated else ""
            start, end = run.values(prefix, last=False), run.values(prefix, last=True)
            rows.append(
                [
                    *(stage.name, run.loss, ", ".join(folder.name for folder in stage.data)),
                    *(end["step"], run.config["batch_size"], run.config["learning_rate"]),
                    *(start.get("loss"), end.get("loss")),
                    *(end.get(key) for key in (CHOSEN, BELOW, "rewards/accuracies")),
                ]
            )
    notes = [
        "Loss and what follows: of held-out pairs, where there are some.",
        "Chosen log-ratio: log-prob of chosen under the model minus that under the model at the start of the stage.",
        "Below reference: pairs with a negative chosen log-ratio.",
        "Accuracy: pairs whose chosen log-ratio exceeds the rejected one.",
    ]
    return Table("Training", columns, rows, notes)


def training_findings(stages: Sequence[Stage]) -> list[str]:
    """What held-out pairs or rows say against a training stage: a loss that rose; and after DPOP, which is meant to
    prevent it, the share of pairs whose chosen completion became less likely than under the reference model.
    """
    texts = []
    for stage in stages:
        if stage.kind == TRAIN and (run := open_run(stage.folder)).evaluated:
            texts += _held_out(stage.name, run)
    return texts


def _held_out(name: str, run: Run) -> list[str]:
    start, end = run.values("eval/", last=False), run.values("eval/", last=True)
    before, after, below = start.get("loss"), end.get("loss"), end.get(BELOW)
    texts = []
    if before is not None and after is not None and after > before:
        shown = LOSS.telling_apart(before, after)
        texts.append(f"The held-out loss of {name} rose from {shown.show(before)} to {shown.show(after)}.")
    if run.loss == "dpop" and below is not None:
        texts.append(
            f"After {name}, whose loss penalizes it, chosen is less likely than before the stage in "
            f"{SHARE.show(below)} of the held-out pairs."
        )
    return texts


def training_figures(stages: Sequence[Stage]) -> list[Lines]:
    """The loss of fine-tuning, and the log-ratio of chosen of preference training, over the steps of all stages."""
    runs: list[tuple[str, int, Run]] = []
    done = 0
    for stage in stages:
        if stage.kind == TRAIN:
            run = open_run(stage.folder)
            runs.append((stage.name, done, run))
            done += run.lines[-1]["step"]
    tuned = {name: _line(run, "loss", before) for name, before, run in runs if run.loss == "sft"}
    preferred = {name: _line(run, CHOSEN, before) for name, before, run in runs if run.loss != "sft"}
    figures = []
    if any(len(line.x) for line in tuned.values()):
        figures.append(
            Lines(
                name="fine-tuning-loss",
                title="Loss of fine-tuning",
                x_label="step of the recipe",
                y_label="loss (nats per token)",
                series=tuned,
                note="Training batches.",
            )
        )
    if any(len(line.x) for line in preferred.values()):
        figures.append(
            Lines(
                name="chosen-log-ratio",
                title="Log-ratio of chosen",
                x_label="step of the recipe",
                y_label="chosen log-ratio (nats)",
                series=preferred,
                zero="model at the start of the stage",
                note="Training batches; each stage against the model that it started from.",
            )
        )
    return figures


def _line(run: Run, key: str, before: int) -> Line:
    points = [(before + step, value) for step, value in run.series(key) if math.isfinite(value)]
    return Line([x for x, _ in points], [y for _, y in points])


def evaluated(stages: Sequence[Stage]) -> list[tuple[str, str, Any]]:
    """Of each evaluation: the training stage of its model, the one before that, and its folder."""
    before = {stage.name: stage.after or "start" for stage in stages if stage.kind == TRAIN}
    return [
        (stage.after or "start", before.get(stage.after, ""), stage.folder) for stage in stages if stage.kind == EVAL
    ]
