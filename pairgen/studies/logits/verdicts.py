"""Sentences of the study of gradients, by rules from its numbers."""

from collections.abc import Sequence

import numpy as np

from pairgen.report.documents.number_format import SHARE, NumberFormat, Spread
from pairgen.report.documents.statements import compare_text, in_seeds, level_text, relation
from pairgen.studies.logits.places import AGREEMENT, LOSSES, MODELS, Columns, pick, steps, where

ERROR = NumberFormat(1, scientific=True)
SIZE = NumberFormat(4, unit="nats per token")
CHANGE = NumberFormat(4, signed=True, unit="nats per token")

NOT_SHOWN = (
    "What many steps add up to: gradients and steps are those of one pair at a time, of two models.",
    (
        "That a push on a logit is a change of its log-prob: the equations treat the logits of each context as "
        "variables of their own, and in chosen's own context each of these losses raises the chosen token."
    ),
    "Pairs whose completions differ in their number of tokens: the equations do not cover them.",
)


def findings(runs: Sequence[Columns]) -> list[str]:
    """Sentences on the equations, on what they mean for logits, and on what steps of the weights do."""
    worst = max(float(np.nanmax(run["error"])) for run in runs)
    agree = "agree" if worst < AGREEMENT else "do NOT agree"
    texts = [
        (
            f"Autograd and the paper's equations (2, 4, 5, B.1, B.2) {agree} at every position, for DPO and for DPOP "
            f"at both levels, with and without an active penalty: they differ by at most {ERROR.show(worst)}."
        )
    ]
    for model in MODELS:
        texts += [dpo_text(runs, model), *penalty_texts(runs, model)]
    return [*texts, *step_texts(runs)]


def dpo_text(runs: Sequence[Columns], model: str) -> str:
    """Whether the logit of the correct token falls after the edit, as the paper concludes."""
    pushes = pick(runs, [where(run, model, "dpo", "after") for run in runs], "push")
    lowered = Spread.of([float((push < -AGREEMENT).mean()) for push in pushes])
    when = _when(model)
    if lowered.low > 0.9:
        verdict = "nearly all, as the paper concludes"
    elif lowered.low > 0.5:
        verdict = "more than half, though the paper concludes it for all"
    elif lowered.high < 0.5:
        verdict = "fewer than half, against the paper's conclusion"
    else:
        verdict = "about half, against the paper's conclusion"
    share = SHARE.show(lowered)
    return f"{when}, a step of DPO lowers the logits of {share} of the correct tokens after the edit: {verdict}."


def penalty_texts(runs: Sequence[Columns], model: str) -> list[str]:
    """What DPOP's penalty does where it is active."""
    texts = []
    for loss in list(LOSSES)[1:]:
        active = [where(run, model, loss, active=1.0) for run in runs]
        if not all(mask.any() for mask in active):
            continue
        raised = Spread.of([float((push > 0).mean()) for push in pick(runs, active, "push")])
        shares = [mask.sum() / where(run, model, loss).sum() for run, mask in zip(runs, active, strict=True)]
        texts.append(
            f"{_when(model)}, the penalty of {loss} is active at {SHARE.show(Spread.of(shares))} of the tokens; a "
            f"step raises the logits of {SHARE.show(raised)} of these, be they before, at or after the edit."
        )
    return texts


def step_texts(runs: Sequence[Columns]) -> list[str]:
    """Whether chosen falls because of the direction of DPO's steps, and what DPOP's steps do after that."""

    def means(part: str, model: str = "start", loss: str = "dpo", own: bool = False) -> list[float]:
        return [float(steps(run, model, loss, "after", own)[part].mean()) for run in runs]

    texts = [
        level_text(
            f"At the start, the direction of a step of DPO changes the chosen tokens after the edit of {pair} by an "
            "amount that",
            Spread.of(means("directed", own=own)),
            CHANGE,
            level_name="0",
        )
        for own, pair in ((True, "the same pair"), (False, "another pair"))
    ]
    down, up = ([value < 0 for value in means(part)] for part in ("down", "up"))
    texts.append(
        f"A step of DPO lowers the chosen tokens after the edit of another pair {in_seeds(down)}; the opposite step "
        f"lowers them {in_seeds(up)}."
    )
    directed, undirected = (Spread.of(np.abs(means(part))) for part in ("directed", "undirected"))
    found = relation(undirected, directed)
    than = {"higher": "larger than", "lower": "smaller than"}.get(found, "not distinguishable from")
    texts.append(
        f"The part of that effect which is the same in either direction is {than} the part that depends on the "
        f"direction: {SIZE.show(undirected)} against {SIZE.with_unit(directed)}."
    )
    if all(down) and all(up) and found == "higher":
        texts.append(
            "So the direction of DPO's gradient, which the equations are about, does not explain that the chosen "
            "tokens of other pairs fall: steps of this length lower them in either direction."
        )
    after = {loss: Spread.of(means("down", "trained", loss)) for loss in list(LOSSES)[:2]}
    texts.append(
        compare_text(
            "dpop",
            after["dpop"],
            "dpo",
            after["dpo"],
            "after training with DPO, the change of another pair's chosen tokens after the edit by a step",
            CHANGE,
        )
    )
    return texts


def _when(model: str) -> str:
    return "At the start" if model == "start" else "After training with DPO"
