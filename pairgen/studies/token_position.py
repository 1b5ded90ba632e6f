"""Where in a completion tokens become less likely (Figure 3 of Pal et al., 2024)."""

from collections.abc import Sequence

from pairgen.report.documents.content import Band, Cell, Column, Line, Lines, Report, Table
from pairgen.report.documents.number_format import NATS_PER_TOKEN, Spread
from pairgen.report.documents.statements import compare_text, level_text
from pairgen.run_folder.measured import PARTS
from pairgen.studies import study_pairs
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import common_limits, over_seeds
from pairgen.studies.running.workspace import BETA, Finished
from pairgen.studies.sweeps import change

LOSSES = ("dpo", "dpop")
FIRST, LAST = -20, 40
"""Offsets from the edit that the figures show, in tokens."""
X_LABEL = "tokens from the edit (0: the tokens of the edit)"


def variants(setting: Setting) -> list[Variant]:
    """The same runs as in the comparison of losses."""
    del setting
    return [Variant(loss, {"loss": loss, "beta": BETA}) for loss in LOSSES]


def report(results: Results) -> Report:
    """Mean log-probs before, at and after the edit, and by offset from it."""
    return Report(
        title="Where in a completion tokens become less likely",
        question=STUDY.question,
        setting=setting_lines(results, f"beta {BETA}, lambda 50"),
        tables=[table(results, side) for side in ("chosen", "rejected")],
        figures=[change_figure(results), *(figure(results, side) for side in ("chosen", "rejected"))],
        findings=findings(results),
        not_shown=[
            "Why tokens after the edit become less likely: that is what the study `gradient` is about.",
            "Whether the same tokens fall in answers that the model writes itself.",
            *common_limits(results),
        ],
    )


def level(runs: Sequence[Finished], side: str, part: str, of: str = "policy") -> Spread:
    """Mean log-prob per token of held-out completions in a part, in nats, over seeds."""
    return Spread.of([run.measured.split("eval").pooled(side, part, of) for run in runs])


def table(results: Results, side: str) -> Table:
    """A row for the reference and for each loss; columns before, at and after the edit."""
    columns = [Column("model"), *(Column(f"{part} the edit", NATS_PER_TOKEN) for part in PARTS)]
    first = results.of(LOSSES[0])
    rows: list[Sequence[Cell]] = [["reference", *(level(first, side, part, "reference") for part in PARTS)]]
    rows += [[loss, *(level(results.of(loss), side, part) for part in PARTS)] for loss in LOSSES]
    notes = [
        f"Mean over all tokens of held-out {side} completions there; median (lowest to highest) of {len(first)} seeds.",
        "The paper, after the edit of chosen (Mistral 7B, MetaMath): reference -0.37, DPO -1.82, DPOP -0.26.",
        "The paper, after the edit of rejected: reference -0.86.",
    ]
    return Table(f"Log-probs of {side} tokens", columns, rows, notes if side == "chosen" else notes[:1])


def change_figure(results: Results) -> Lines:
    """Change of the mean log-prob of chosen tokens, against the reference, by offset from the edit."""
    offsets = list(range(FIRST, LAST + 1))

    def by_offset(run: Finished) -> list[float]:
        pairs = run.measured.split("eval")
        policy, reference = (pairs.profile("chosen", of, FIRST, LAST) for of in ("policy", "reference"))
        changes: list[float] = (policy - reference).tolist()
        return changes

    return Lines(
        name="change-by-position",
        title="Change of the log-prob of chosen tokens by position, held-out pairs",
        x_label=X_LABEL,
        y_label="policy minus reference (nats per token)",
        series={loss: Line.over_seeds(offsets, [by_offset(run) for run in results.of(loss)]) for loss in LOSSES},
        bands=[Band(0, 0, "edit")],
        zero="reference model",
        note="Median over seeds, and their range.",
    )


def figure(results: Results, side: str) -> Lines:
    """Mean log-prob by offset from the edit."""
    offsets = list(range(FIRST, LAST + 1))

    def line(runs: Sequence[Finished], of: str) -> Line:
        profiles = [run.measured.split("eval").profile(side, of, FIRST, LAST).tolist() for run in runs]
        return Line.over_seeds(offsets, profiles)

    series = {"reference": line(results.of(LOSSES[0]), "reference")}
    series |= {loss: line(results.of(loss), "policy") for loss in LOSSES}
    return Lines(
        name=f"{side}-by-position",
        title=f"Log-prob of {side} tokens by position, held-out pairs",
        x_label=X_LABEL,
        y_label="mean log-prob (nats per token)",
        series=series,
        bands=[Band(0, 0, "edit")],
        note="Median over seeds, and their range.",
    )


def findings(results: Results) -> list[str]:
    """Each loss against the reference in every part, and DPOP against DPO after the edit."""
    texts = [
        level_text(
            f"with {loss}, the change of the log-prob of chosen tokens {part} the edit",
            over_seeds(results.of(loss), change, part),
            NATS_PER_TOKEN,
            level_name="0",
        )
        for loss in LOSSES
        for part in PARTS
    ]
    dpo, dpop = (level(results.of(loss), "chosen", "after") for loss in LOSSES)
    texts.append(compare_text("dpop", dpop, "dpo", dpo, "the log-prob of chosen tokens after the edit", NATS_PER_TOKEN))
    return texts


STUDY = Study(
    title="Log-probs by position",
    question="Which tokens of the preferred completion become less likely: those before, at or after the edit?",
    data={"low": study_pairs.solutions()},
    variants=variants,
    report=report,
)
