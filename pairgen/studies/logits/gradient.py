"""The study of what the DPOP paper's equations for gradients of logits say about a model, and what they do not."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.report.documents.content import Band, Bars, Cell, Column, Figure, Line, Lines, Report, Table
from pairgen.report.documents.number_format import COUNT, SHARE, NumberFormat, Spread
from pairgen.studies import study_pairs
from pairgen.studies.logits.places import (
    AGREEMENT,
    LOSSES,
    MODELS,
    PLACES,
    Columns,
    by_offset,
    columns_of,
    mean_over,
    pick,
    same_at_start,
    steps,
    where,
)
from pairgen.studies.logits.verdicts import CHANGE, ERROR, NOT_SHOWN, findings
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Trained, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.workspace import BETA

FILE = "logit-gradients.parquet"
"""What is measured with the model of a run (``positions.SCHEMA``)."""
PAIRS = 30
"""Pairs measured in each run."""
LAMBDA = 50.0
"""The default of the config."""

FIRST, LAST = -10, 30
"""Offsets shown in figures."""

PUSH = NumberFormat(3, signed=True)


def variants(setting: Setting) -> list[Variant]:
    """DPO alone: all gradients are those of its model, and of the model that it starts from."""
    del setting
    return [Variant("dpo", {"loss": "dpo", "beta": BETA}, files={FILE: measured})]


def measured(run: Trained) -> pa.Table:
    """The table of a run."""
    from pairgen.studies.logits.positions import measure

    return measure({"start": run.start, "trained": str(run.model)}, run.data, PAIRS, BETA, run.learning_rate)


def report(results: Results) -> Report:
    """Tables of gradients and steps by place, and figures by offset from the edit."""
    runs = [columns_of(pq.read_table(run.folder / FILE)) for run in results.of("dpo")]
    rate = results.of("dpo")[0].learning_rate
    return Report(
        title="Gradients by position",
        question=STUDY.question,
        setting=setting_lines(
            results,
            f"beta {BETA}, lambda {LAMBDA:g}, penalty inside the sigmoid; {PAIRS} training pairs per seed whose "
            f"completions have the same number of tokens; float64; steps of AdamW at {rate:g}",
        ),
        tables=[logit_table(runs), step_table(runs), assumption_table(runs)],
        figures=[push_figure(runs), dpo_figure(runs), step_figure(runs)],
        findings=findings(runs),
        not_shown=NOT_SHOWN,
    )


# ---------------------------------------------------------------- tables


def logit_table(runs: Sequence[Columns]) -> Table:
    """What a step down the gradient adds to the logit of the chosen token, by place."""
    columns = [
        *map(Column, ("model", "loss", "penalty", "place")),
        Column("tokens", COUNT),
        Column("push on the chosen token's logit", PUSH),
        Column("raised", SHARE),
        Column("lowered", SHARE),
        Column("push in chosen's context alone", PUSH),
        Column("autograd against equations", ERROR),
    ]
    rows: list[Sequence[Cell]] = []
    for model, loss, active, place in product(MODELS, LOSSES, (1.0, 0.0), PLACES):
        if model == "start" and loss != "dpo":
            continue
        masks = [where(run, model, loss, place, active=active) for run in runs]
        if not all(mask.any() for mask in masks):
            continue
        pushes = pick(runs, masks, "push")
        shown = "dpo, dpop" if model == "start" and same_at_start(runs) else loss
        rows.append(
            [
                MODELS[model],
                shown,
                "active" if active else "not active" if loss != "dpo" or shown != loss else "",
                place,
                sum(map(len, pushes)),
                mean_over(pushes),
                mean_over([push > AGREEMENT for push in pushes]),
                mean_over([push < -AGREEMENT for push in pushes]),
                mean_over(pick(runs, masks, "own_push")),
                max(float(errors.max()) for errors in pick(runs, masks, "error")),
            ]
        )
    return Table(
        "What a step down the gradient adds to logits",
        columns,
        rows,
        [
            f"Median (lowest to highest) of {len(runs)} seeds; tokens of all seeds.",
            (
                "Push: minus the derivative of the loss by the logit of the chosen token, in units of beta sigmoid("
                "-beta (d - lambda p)). Positive: a step of gradient descent raises the logit. After the edit, chosen "
                "and rejected have a logit each at every position, and the push is the sum over both, as in the paper."
            ),
            "Autograd against equations: the largest difference over all tokens of the vocabulary, in the same units.",
            "At the start, policy and reference are equal, so the penalty is not active, and DPOP is DPO.",
        ],
    )


def step_table(runs: Sequence[Columns]) -> Table:
    """What the first step of AdamW does to log-probs of chosen, by place."""
    parts = {
        "down": "step down",
        "up": "step up",
        "directed": "part that depends on the direction",
        "undirected": "part that does not",
    }
    columns = [*map(Column, ("model", "loss", "pair", "place")), *(Column(head, CHANGE) for head in parts.values())]
    rows: list[Sequence[Cell]] = []
    for model, loss, own, place in product(MODELS, LOSSES, (True, False), PLACES):
        found = [steps(run, model, loss, place, own) for run in runs]
        if all(len(of_run["down"]) and not np.isnan(of_run["down"]).any() for of_run in found):
            pair = "of the step" if own else "another"
            cells = [mean_over([of_run[part] for of_run in found]) for part in parts]
            rows.append([MODELS[model], loss, pair, place, *cells])
    return Table(
        "What a step of the weights does to log-probs of chosen",
        columns,
        rows,
        [
            (
                "Mean change of the log-prob of a chosen token by the first step of AdamW down the gradient of one "
                "pair's loss, and by the opposite step; on that pair, and on another one."
            ),
            "The part that depends on the direction is half the difference of the two; the other is their mean.",
        ],
    )


def assumption_table(runs: Sequence[Columns]) -> Table:
    """How often the paper's assumption holds after the edit, and the lambda that its argument needs."""
    columns = [
        Column("model"),
        Column("likelier after chosen", SHARE),
        Column("probability after chosen", NumberFormat(3)),
        Column("after rejected", NumberFormat(3)),
        Column("lambda needed, 99th percentile", NumberFormat(2)),
        Column("largest", NumberFormat(2)),
        Column(f"lambda {LAMBDA:g} suffices", SHARE),
    ]
    rows: list[Sequence[Cell]] = []
    for model, shown in MODELS.items():
        masks = [where(run, model, "dpo", "after") for run in runs]
        of_chosen, of_rejected = pick(runs, masks, "probability"), pick(runs, masks, "other_probability")
        pairs = list(zip(of_chosen, of_rejected, strict=True))
        needed = [(chosen - rejected) / (1 - chosen) for chosen, rejected in pairs]
        rows.append(
            [
                shown,
                mean_over([chosen > rejected for chosen, rejected in pairs]),
                mean_over(of_chosen),
                mean_over(of_rejected),
                Spread.of([float(np.quantile(values, 0.99)) for values in needed]),
                Spread.of([float(values.max()) for values in needed]),
                mean_over([values < LAMBDA for values in needed]),
            ]
        )
    return Table(
        "Tokens after the edit: the paper's assumption, and the lambda it needs",
        columns,
        rows,
        [
            (
                "Likelier after chosen: tokens that are more probable after the chosen value than after the rejected "
                "one. The paper assumes it of a well-optimised model; where it does not hold, DPO raises the logit."
            ),
            "Lambda needed: above it, a step of DPOP with an active penalty raises the logit: (s_w - s_l) / (1 - s_w).",
        ],
    )


# ---------------------------------------------------------------- figures


def push_figure(runs: Sequence[Columns]) -> Figure:
    """Push on the chosen token's logit with each loss, after training with DPO."""
    return Lines(
        name="push-by-offset",
        title="What a step down the gradient adds to the chosen token's logit",
        x_label="tokens from the edit",
        y_label="push on the logit",
        series={loss: push_line(runs, loss, FIRST) for loss in LOSSES},
        bands=[Band(-0.5, 0.5, "edit")],
        zero="no change",
        note="At the model trained with DPO, with the model it started from as reference. Mean over tokens; median over"
        " seeds, and their range.",
    )


def dpo_figure(runs: Sequence[Columns]) -> Figure:
    """The same for DPO alone after the edit, where it is too small to be seen beside DPOP."""
    return Lines(
        name="dpo-after-the-edit",
        title="What a step of DPO adds to the chosen token's logit after the edit",
        x_label="tokens from the edit",
        y_label="push on the logit",
        series={"dpo": push_line(runs, "dpo", 1)},
        zero="no change",
        note="As above. The push is the probability of the token after rejected minus that after chosen; the paper "
        "concludes that it is negative.",
    )


def push_line(runs: Sequence[Columns], loss: str, first: int) -> Line:
    """Mean push at each offset, of the trained model."""
    found = [by_offset(run, where(run, "trained", loss), run["push"], first, LAST) for run in runs]
    return Line.over_seeds(range(first, LAST + 1), found)


def step_figure(runs: Sequence[Columns]) -> Figure:
    """Change of chosen tokens by steps of DPO down and up, from the starting model."""
    cases = [(place, own) for own in (True, False) for place in ("before", "after")]
    found = {case: [steps(run, "start", "dpo", *case) for run in runs] for case in cases}
    return Bars(
        name="steps",
        title="What a step of DPO does to log-probs of chosen",
        x_label="tokens before and after the edit, of the pair of the step and of another pair",
        y_label="change of log-prob (nats per token)",
        categories=[f"{place}, {'same' if own else 'another'} pair" for place, own in cases],
        series={
            f"step {part}": [mean_over([of_run[part] for of_run in found[case]]) for case in cases]
            for part in ("down", "up")
        },
        note="First step of AdamW from the starting model, down the gradient of one pair's loss or up it. Median over "
        "seeds, and their range. What falls both ways does not fall because of the direction.",
    )


STUDY = Study(
    title="Gradients by position",
    question="Do the paper's equations for gradients of logits hold for a model's own logits, what do they mean for "
    "the tokens before, at and after the edit, and do they explain why DPO makes chosen less likely?",
    data={"low": study_pairs.solutions()},
    variants=variants,
    report=report,
)
