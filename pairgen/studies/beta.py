"""How beta changes what becomes of the preferred completion (Figure 4 of Pal et al., 2024)."""

from pairgen.report.documents.content import Column, Report
from pairgen.report.documents.number_format import NATS
from pairgen.report.documents.statements import compare_text
from pairgen.studies import study_pairs
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import common_limits, median_logratio, over_seeds, rates_table
from pairgen.studies.sweeps import sweep_figure, sweep_table

BETAS = (0.03, 0.1, 0.3, 1.0)
LOSSES = ("dpo", "dpop")


def variants(setting: Setting) -> list[Variant]:
    """DPO and DPOP at every beta."""
    del setting
    return [
        Variant(f"{loss} beta {beta:g}", {"loss": loss, "beta": beta}, label={"loss": loss, "beta": beta})
        for loss in LOSSES
        for beta in BETAS
    ]


def report(results: Results) -> Report:
    """A row and a point per beta."""
    heads = {"loss": Column("loss"), "beta": Column("beta")}
    series = {loss: {beta: results.of(f"{loss} beta {beta:g}") for beta in BETAS} for loss in LOSSES}
    return Report(
        title="How beta changes what becomes of the preferred completion",
        question=STUDY.question,
        setting=setting_lines(results, "lambda 50"),
        tables=[sweep_table(results, "DPO and DPOP by beta", heads, ["after"]), rates_table(results)],
        figures=[sweep_figure("beta", series)],
        findings=[
            compare_text(
                "dpop",
                over_seeds(results.of(f"dpop beta {beta:g}"), median_logratio, "eval"),
                "dpo",
                over_seeds(results.of(f"dpo beta {beta:g}"), median_logratio, "eval"),
                f"the chosen log-ratio at beta {beta:g}",
                NATS,
            )
            for beta in BETAS
        ]
        + [
            compare_text(
                f"beta {BETAS[-1]:g}",
                over_seeds(results.of(f"{loss} beta {BETAS[-1]:g}"), median_logratio, "eval"),
                f"beta {BETAS[0]:g}",
                over_seeds(results.of(f"{loss} beta {BETAS[0]:g}"), median_logratio, "eval"),
                f"the chosen log-ratio of {loss}",
                NATS,
            )
            for loss in LOSSES
        ],
        not_shown=["Which beta gives the best model: log-probs are measured, not answers.", *common_limits(results)],
    )


STUDY = Study(
    title="Beta",
    question="Does a larger beta, which punishes moving away from the reference more, keep DPO from making the "
    "preferred completion less likely?",
    data={"low": study_pairs.solutions()},
    variants=variants,
    report=report,
)
