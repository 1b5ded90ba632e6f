"""How DPOP's lambda, its form and its level change what becomes of the preferred completion."""

from itertools import product

from pairgen.report.documents.content import Column, Report
from pairgen.report.documents.number_format import COUNT, NATS, SHARE
from pairgen.report.documents.statements import compare_text
from pairgen.studies import study_pairs
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import common_limits, median_logratio, over_seeds, rates_table
from pairgen.studies.running.workspace import BETA
from pairgen.studies.sweeps import edit_below_reference, sweep_figure, sweep_table

LAMBDAS = (1.0, 5.0, 50.0, 500.0)
FORMS = ("inside", "outside")
LEVELS = ("completion", "token")

HERE = (("inside", "completion"), ("inside", "token"), ("outside", "completion"))
"""Forms and levels at the real scale, with lambda 50; the other values of lambda only for the first."""


def name_of(weight: float, form: str, level: str) -> str:
    """The name of a variant; that of the paper's settings is the one in the comparison of losses."""
    return "dpop" if (weight, form, level) == (50.0, *HERE[0]) else f"dpop lambda {weight:g} {form} {level}"


def variants(setting: Setting) -> list[Variant]:
    """All combinations; at the real scale fewer, with the learning rate that is best for the paper's settings."""
    real = setting.scale_name == "real"
    wanted = [
        (weight, form, level)
        for form, level, weight in product(FORMS, LEVELS, LAMBDAS)
        if not real or ((form, level) in HERE and (weight == 50.0 or (form, level) == HERE[0]))
    ]
    found = []
    for weight, form, level in sorted(wanted, key=lambda one: name_of(*one) != "dpop"):
        name = name_of(weight, form, level)
        options = {} if name == "dpop" else {"dpop_lambda": weight, "dpop_form": form, "dpop_level": level}
        rate_of = "dpop" if real and name != "dpop" else ""
        label = {"form": form, "level": level, "lambda": weight}
        found.append(Variant(name, {"loss": "dpop", "beta": BETA, **options}, rate_of=rate_of, label=label))
    return found


def report(results: Results) -> Report:
    """A row per combination, and a line per form and level."""
    heads = {"form": Column("form"), "level": Column("level"), "lambda": Column("lambda", COUNT)}
    series = {
        f"{form}, {level}": {
            weight: runs for weight in LAMBDAS if (runs := results.runs.get(("low", name_of(weight, form, level))))
        }
        for form, level in product(FORMS, LEVELS)
    }
    return Report(
        title="How DPOP's penalty changes what becomes of the preferred completion",
        question=STUDY.question,
        setting=setting_lines(results, f"beta {BETA}"),
        tables=[sweep_table(results, "DPOP by lambda", heads, ["before", "at", "after"]), rates_table(results)],
        figures=[sweep_figure("lambda", {name: runs for name, runs in series.items() if runs})],
        findings=findings(results),
        not_shown=["Which penalty gives the best model: log-probs are measured, not answers.", *common_limits(results)],
    )


def findings(results: Results) -> list[str]:
    """Largest against smallest lambda, outside against inside, token against completion."""
    texts = []

    def compare(one: tuple[float, str, str], other: tuple[float, str, str], names: tuple[str, str], rest: str) -> None:
        runs = [results.runs.get(("low", name_of(*of))) for of in (one, other)]
        if runs[0] and runs[1]:
            ratios = [over_seeds(of, median_logratio, "eval") for of in runs if of]
            edits = [over_seeds(of, edit_below_reference) for of in runs if of]
            what = f"the chosen log-ratio ({rest})"
            texts.append(compare_text(names[0], ratios[0], names[1], ratios[1], what, NATS))
            what = f"the share of pairs whose edit became less likely ({rest})"
            texts.append(compare_text(names[0], edits[0], names[1], edits[1], what, SHARE))

    for form, level in product(FORMS, LEVELS):
        names = (f"lambda {LAMBDAS[-1]:g}", f"lambda {LAMBDAS[0]:g}")
        compare((LAMBDAS[-1], form, level), (LAMBDAS[0], form, level), names, f"{form}, {level}")
    compare((50.0, "outside", "completion"), (50.0, "inside", "completion"), FORMS[::-1], "lambda 50, completion")
    compare((50.0, "inside", "token"), (50.0, "inside", "completion"), LEVELS[::-1], "lambda 50, inside")
    return texts


STUDY = Study(
    title="Lambda",
    question="How strong does DPOP's penalty have to be, does it matter whether it is inside or outside the sigmoid, "
    "and does it protect the tokens of the edit themselves?",
    data={"low": study_pairs.solutions()},
    variants=variants,
    report=report,
)
