"""The study of the shortcut in pairs whose wrong number is not used again."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from pairgen.report.documents.content import Bars, Cell, Column, Figure, Report, Table
from pairgen.report.documents.number_format import SHARE, NumberFormat, Spread
from pairgen.report.documents.statements import compare_text, level_text, relation
from pairgen.stats import shortcuts
from pairgen.studies.later_use.answers import KINDS, write
from pairgen.studies.later_use.margins import PARTS, accuracy, mean_margin
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import common_limits
from pairgen.studies.running.workspace import BETA, Finished

LOSSES = ("dpo", "dpop")

TINY = (
    "Whether larger models take the shortcut: a tiny model calculates badly, so the shortcut is nearly all that it can "
    "learn from such pairs."
)
OTHER_SIZES = "Whether models of other sizes take the shortcut."

KINDS_NOTE = "Kept: the rest of rejected is as in chosen. Carried: it follows from the wrong number."
PARTS_NOTE = (
    "First wrong token: the first one that differs; what comes before it is the same in both completions, so that only "
    "the calculation can tell them apart. What follows it: a model can look which number is used again."
)

HEADS = {"whole": "whole", "first": "first wrong token", "rest": "what follows it"}
CHANCE = 0.5
RULE = "used again"
MARGIN = NumberFormat(2, signed=True, unit="nats")


def of_kind(kind: str) -> Callable[[Setting, Path], object]:
    """Makes training pairs of one kind, and held-out pairs of both."""

    def make(setting: Setting, out: Path) -> object:
        return write(kind, enough(setting.source), out, setting.scale.held_out)

    return make


def enough(source: str) -> str:
    """The rows to read: of the sample twice as many, since an error can be carried forward in about half of them."""
    name, _, rows = source.partition(":")
    return f"{name}:{2 * int(rows)}" if name == "sample" and rows.isdecimal() else source


def variants(setting: Setting) -> list[Variant]:
    """Both losses on both kinds of pairs, from the same starting models: chosen completions are the same."""
    del setting
    return [
        Variant(loss, {"loss": loss, "beta": BETA}, data=kind, start=KINDS[0]) for kind, loss in product(KINDS, LOSSES)
    ]


def report(results: Results) -> Report:
    """Accuracies and margins by kind of pair, for training on either kind."""
    return Report(
        title="Calculating, or looking which number is used again",
        question=STUDY.question,
        setting=setting_lines(results, f"beta {BETA}, lambda 50"),
        tables=[
            accuracy_table(results, "change"),
            accuracy_table(results, "policy"),
            margin_table(results),
            strength_table(results),
        ],
        figures=[figure(results)],
        findings=findings(results),
        not_shown=[
            TINY if results.setting.is_tiny else OTHER_SIZES,
            "Whether a model that took the shortcut writes wrong solutions: the study measures log-probs, not answers.",
            *common_limits(results),
        ],
    )


# ---------------------------------------------------------------- tables


def accuracy_table(results: Results, of: str) -> Table:
    """Accuracy on held-out pairs of both kinds, by log-ratios (``change``) or by the model's own log-probs."""
    columns = [Column("trained on"), Column("loss")]
    columns += [Column(f"{kind}: {HEADS[part]}", SHARE) for kind, part in product(KINDS, PARTS)]
    rows: list[Sequence[Cell]] = []
    if of == "policy":
        first = results.of(LOSSES[0], KINDS[0])
        rows.append(
            ["nothing", "", *(accuracy(first, kind, part, "reference") for kind, part in product(KINDS, PARTS))]
        )
    for trained, loss in product(KINDS, LOSSES):
        runs = results.of(loss, trained)
        rows.append([trained, loss, *(accuracy(runs, kind, part, of) for kind, part in product(KINDS, PARTS))])
    over = f"Share of held-out pairs; median (lowest to highest) of {results.setting.scale.seeds} seeds."
    notes = [over, KINDS_NOTE, PARTS_NOTE]
    if of == "change":
        title = "Pairs whose chosen log-ratio exceeds the rejected one"
        return Table(title, columns, rows, [*notes, "Log-ratio: against the starting model. By chance, 50%."])
    return Table("Pairs whose chosen completion is likelier than rejected", columns, rows, notes)


def margin_table(results: Results) -> Table:
    """Mean margins of log-ratios."""
    columns = [Column("trained on"), Column("loss")]
    columns += [Column(f"{kind}: {HEADS[part]}", MARGIN) for kind, part in product(KINDS, PARTS)]
    rows: list[Sequence[Cell]] = []
    for trained, loss in product(KINDS, LOSSES):
        runs = results.of(loss, trained)
        rows.append([trained, loss, *(mean_margin(runs, kind, part, "change") for kind, part in product(KINDS, PARTS))])
    return Table(
        "Chosen log-ratio minus rejected log-ratio",
        columns,
        rows,
        ["Mean over held-out pairs; median (lowest to highest) over seeds. The parts add up to the whole."],
    )


def strength_table(results: Results) -> Table:
    """How far rules without any calculation get on the training pairs."""
    strengths = {kind: shortcuts.measure(results.datasets[kind].splits["train"]) for kind in KINDS}
    rows = [
        [name, *(strengths[kind][name].accuracy if name in strengths[kind] else None for kind in KINDS)]
        for name in strengths[KINDS[0]]
    ]
    notes = ["Share of training pairs for which the rule picks chosen, with a coin where it picks neither."]
    return Table("Shortcuts", [Column("rule"), *(Column(kind, SHARE) for kind in KINDS)], rows, notes)


def figure(results: Results) -> Figure:
    """Accuracy by log-ratios, for each kind trained on and tested on."""
    cases = list(product(KINDS, KINDS))
    return Bars(
        name="accuracy",
        title="Pairs whose chosen log-ratio exceeds the rejected one, held out",
        x_label="pairs trained on, pairs tested on",
        y_label="accuracy",
        categories=[f"{trained}, {tested}" for trained, tested in cases],
        series={
            loss: [accuracy(results.of(loss, trained), tested, "whole", "change") for trained, tested in cases]
            for loss in LOSSES
        },
        number=SHARE,
        note=f"{KINDS_NOTE} Median over seeds, and their range; 50% is chance.",
    )


# ---------------------------------------------------------------- what follows


def findings(results: Results) -> list[str]:
    """Sentences on the shortcut, on what was learned from either kind of pair, and where."""
    rule = {kind: shortcuts.measure(results.datasets[kind].splits["train"])[RULE].accuracy for kind in KINDS}
    kept, carried = (SHARE.show(rule[kind]) for kind in KINDS)
    text = f"Without any calculation, choosing the number that is used again is right for {kept} of the kept pairs"
    texts = [f"{text} and for {carried} of the carried ones."]
    first = results.of(LOSSES[0], KINDS[0])
    texts += [
        level_text(
            f"Before training, the share of {kind} pairs whose chosen completion is likelier",
            accuracy(first, kind, "whole", "reference"),
            SHARE,
            CHANCE,
            "chance",
        )
        for kind in KINDS
    ]
    for loss, trained in product(LOSSES, KINDS):
        texts += verdicts(results.of(loss, trained), loss, trained)
    return texts


def verdicts(runs: Sequence[Finished], loss: str, trained: str) -> list[str]:
    """What a loss taught on one kind of pair: how it transfers to the other, and at which tokens."""
    after = f"After {loss} on {trained} pairs,"
    on = {kind: accuracy(runs, kind, "whole", "change") for kind in KINDS}
    own, other = trained, KINDS[1 - KINDS.index(trained)]
    texts = [
        compare_text(f"{own} pairs", on[own], f"{other} pairs", on[other], f"{after} the accuracy by log-ratios", SHARE)
    ]
    first, rest = (mean_margin(runs, trained, part, "change") for part in ("first", "rest"))
    texts.append(
        f"{after} the mean margin in held-out {trained} pairs is {MARGIN.with_unit(first)} at the first wrong token, "
        f"where only the calculation helps, and {MARGIN.with_unit(rest)} in what follows it."
    )
    now, before = (accuracy(runs, trained, "first", of) for of in ("policy", "reference"))
    what = f"with {loss} on {trained} pairs, the share of right numbers that are likelier than wrong ones at that token"
    texts.append(compare_text("training", now, "the starting model", before, what, SHARE))
    follows = relation(accuracy(runs, trained, "rest", "change"), Spread(CHANCE, CHANCE, CHANCE, len(runs)))
    if follows == "higher" and relation(now, before) != "higher" and relation(rest, first) == "higher":
        texts.append(
            f"So {loss} on {trained} pairs taught to prefer what follows from a number, and is not shown to have "
            "taught to calculate it."
        )
    return texts


STUDY = Study(
    title="Calculating, or looking which number is used again",
    question="Does a model that is trained on pairs whose wrong number is not used again learn to calculate, or to "
    "look which number is used again?",
    data={kind: of_kind(kind) for kind in KINDS},
    variants=variants,
    report=report,
)
