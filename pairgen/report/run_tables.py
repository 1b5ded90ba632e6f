"""Training runs as tables: one run from its start to its end, and several runs next to each other."""

from collections.abc import Mapping
from statistics import fmean, median
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from pairgen.errors import count
from pairgen.report.tables import Column, FittedTable, facts
from pairgen.report.text import MAX_TEXT, format_share, safe_text, shorten
from pairgen.run_folder import EVAL, FINAL, SAME_AS_REFERENCE, SFT, Run

NATS, NATS_PER_TOKEN, PAIRS, GROUPS = "nats", "nats per token", "of pairs", "of groups"


class Metric(NamedTuple):
    """How a metric is shown."""

    name: str
    unit: str
    head: str = ""
    """Heading of its column where runs are compared; empty if it has none."""
    hide: int = 0
    """See ``tables.Column``."""
    note: str = ""
    """What the words mean."""


METRICS = {
    "loss": Metric("loss", ""),
    "logratios/chosen": Metric(
        "chosen log-ratio",
        NATS,
        "chosen\nlog-ratio",
        note="log-ratio: policy minus reference log-prob, summed over the completion, in nats",
    ),
    "logratios/rejected": Metric("rejected log-ratio", NATS, "rejected\nlog-ratio", hide=2),
    "logps/before_edit": Metric("log-prob before the edit", NATS_PER_TOKEN, "before\nedit", hide=4),
    "logps/at_edit": Metric("log-prob at the edit", NATS_PER_TOKEN, "at\nedit", hide=3),
    "logps/rejected_at_edit": Metric("rejected log-prob at the edit", NATS_PER_TOKEN),
    "logps/after_edit": Metric(
        "log-prob after the edit",
        NATS_PER_TOKEN,
        "after\nedit",
        hide=1,
        note="before, at, after the edit: mean log-prob of a chosen token there, in nats",
    ),
    "chosen_below_reference": Metric(
        "chosen below reference",
        PAIRS,
        "below\nref.",
        note="below reference (ref.): pairs whose chosen log-ratio is negative",
    ),
    "edit_below_reference": Metric(
        "edit below reference",
        PAIRS,
        note="edit below reference: pairs in which the chosen tokens of the edit are less likely than under the "
        "reference; other tokens may make up for it",
    ),
    "rewards/accuracies": Metric(
        "accuracy",
        PAIRS,
        "accuracy",
        hide=5,
        note="accuracy: pairs whose chosen log-ratio exceeds the rejected one",
    ),
    "choice/acc": Metric(
        "choice accuracy",
        GROUPS,
        note="choice accuracy: groups whose chosen completion has the highest log-prob (that of lm-evaluation-harness "
        "with --chat off)",
    ),
    "choice/acc_norm": Metric("choice accuracy per character", GROUPS),
}

COMPARED = [key for key, metric in METRICS.items() if metric.head]
"""The metrics that runs are compared by."""

SPLITS = {EVAL: "eval split", "": "training batches"}
"""What the values are averaged over, by the prefix of their metrics."""

MIN_EVALUATIONS = 5
"""With fewer evaluations the values of training batches are plotted."""


def format_metric(value: float | None, unit: str) -> str:
    """A metric as shown: ``+0.31`` nats, ``-0.512`` nats per token, ``3.10%`` of pairs."""
    if value is None:
        return "-"
    if unit in (PAIRS, GROUPS):
        return format_share(value)
    if unit == NATS:
        return f"{value:+,.2f}" if round(value, 2) else "0.00"
    return f"{value:.1e}" if 0 < abs(value) < 0.0005 else f"{value:,.3f}"


def cell(values: Mapping[str, Any], key: str) -> str:
    """A metric of a logged step."""
    hidden = key in SAME_AS_REFERENCE and values.get("step") == 0
    return format_metric(None if hidden else values.get(key), METRICS[key].unit)


# ---------------------------------------------------------------- one run


def summary_table(run: Run) -> RenderableType:
    """Each metric at the start and at the end, then speed, tokens, and where the models are."""
    prefix = EVAL if run.evaluated else ""
    start, end = run.values(prefix, last=False), run.values(prefix, last=True)
    heads = [f"step {values['step']:,}" for values in (start, end)]
    first, arrow, last, unit = Column(heads[0]), Column("", hide=1), Column(heads[1]), Column("unit", False, hide=2)
    table = FittedTable(Column("", numeric=False), first, arrow, last, unit)
    keys = [key for key in METRICS if key in end]
    for key in keys:
        comparable = prefix or not key.startswith("logps/")  # log-probs of two batches are not: their texts differ
        at_start = cell(start, key) if comparable else "-"
        table.add_row(METRICS[key].name, at_start, "->", cell(end, key), METRICS[key].unit)
    loss = "" if run.name == run.loss else f" ({safe_text(run.loss)})"
    title = Text.assemble((shorten(run.name).plain, "bold"), f"{loss}, {SPLITS[prefix]}")
    notes = [Text(METRICS[key].note, style="dim") for key in keys if METRICS[key].note]
    return Group(title, table, Text(), *notes, Text(), facts((name, safe_text(text)) for name, text in run_facts(run)))


def run_facts(run: Run) -> list[tuple[str, str]]:
    """Speed, tokens and time of a run, and where its models are, by name."""
    rows = []
    speeds = [value for _, value in run.series("pairs_per_second")]
    if speeds:
        rows.append(("speed", ", ".join([f"{median(speeds):,.1f} pairs/s", *_utilization(run)])))
    processed = sum(value for _, value in run.series("tokens/processed"))
    if processed:
        padded = sum(value for _, value in run.series("tokens/padded"))
        rows.append(("tokens", f"{processed:,.0f} processed instead of {padded:,.0f} ({padded / processed:.2f}x)"))
    times = {part: [value for _, value in run.series(f"time/{part}")] for part in ("attention", "head", "rest")}
    if any(times.values()):
        rows.append(("time", ", ".join(f"{part} {fmean(values):.0%}" for part, values in times.items() if values)))
    if (sft := run.path / SFT / FINAL).is_dir():
        rows.append(("SFT model", f"{sft} (start other runs from it with --model)"))
    rows += [("best model" if folder.name == "best" else "model", str(folder)) for folder in run.models()]
    return rows


def _utilization(run: Run) -> list[str]:
    """Tokens and model FLOPs per second, and memory; of runs that logged them."""
    values = {
        name: [value for _, value in run.series(name)]
        for name in ("tokens_per_second", "tflops", "mfu", "memory/peak_gb")
    }
    if not all(values.values()):
        return []
    flops, share = median(values["tflops"]), median(values["mfu"])
    return [
        f"{median(values['tokens_per_second']):,.0f} tokens/s",
        f"{flops:.3g} model TFLOP/s ({share:.0%} of peak)",
        f"peak memory {max(values['memory/peak_gb']):.1f} GB",
    ]


def preview_view(preview: Mapping[str, Any]) -> RenderableType:
    """What a run would train on: sizes, then one pair as the model sees it."""
    drops = ", ".join(f"{reason} ({number:,})" for reason, number in preview["drops"].items())
    sizes = {
        "steps": f"{preview['steps']:,}"
        + (f" after {preview['sft_steps']:,} SFT steps" if preview["sft_steps"] else ""),
        "pairs": f"{preview['pairs']:,} in {count(preview['groups'], 'group')}",
        "eval pairs": f"{preview['eval_pairs']:,}",
        "tokens": f"{preview['tokens_padded']:,} per epoch, as padded pairs",
        "dropped pairs": drops or "none",
        "truncated prompts": f"{preview['truncated_prompts']:,}" if preview["truncated_prompts"] else "none",
    }
    texts = [
        part
        for name, text in preview["first"].items()
        for part in (Text(f"\n{name}", style="bold"), shorten(text, MAX_TEXT))
    ]
    return Group(facts(sizes.items()), *texts)


def plan_view(plan: Mapping[str, Any]) -> RenderableType:
    """What a run would take: memory by part, then what fits, speed and hours.

    Args:
        plan: ``pairgen.train.planning.plan.Plan`` as a mapping.
    """
    trained = plan["trained_weights"]
    adapter = "" if trained == plan["weights"] else f", {trained / 1e6:,.1f} million trained"
    title = Text.assemble(
        (shorten(plan["model"]).plain, "bold"), f", {plan['weights'] / 1e9:,.2f} billion weights{adapter}"
    )
    table = FittedTable(Column("memory of each GPU at its peak", numeric=False), Column("GB"))
    for part, size in plan["memory_gb"].items():
        table.add_row(part, f"{size:,.1f}")
    style = "bold" if plan["fits"] else "bold red"
    table.add_row(f"total, of {plan['gpu_memory_gb']:g} GB", f"{plan['total_gb']:,.1f}", style=style)
    rates = f"{plan['pairs_per_second']:,.3g} pairs/s, {plan['tokens_per_second']:,.0f} tokens/s"
    rows = [
        ("peak", f"{plan['moment']}, {count(plan['micro_batch_size'], 'pair')} per forward pass"),
        ("fits", _fit(plan)),
        ("smallest machine", plan["smallest_machine"] or "none of the GPUs that pairgen knows"),
        ("speed", f"{rates} on {count(plan['gpus'], 'GPU')}, {plan['seconds_per_step']:,.3g} s per step"),
    ]
    if plan["pairs"]:
        amount = f"{count(plan['pairs'], 'pair')} in {count(plan['steps'], 'step')}"
        reference = f", of which {plan['reference_hours']:,.3g} for the reference" if plan["reference_hours"] else ""
        rows.append(("time", f"{plan['hours']:,.3g} hours for {amount}{reference}"))
    rows += [("assuming", text) for text in plan["assumptions"]]
    return Group(title, table, Text(), facts(rows))


def _fit(plan: Mapping[str, Any]) -> str:
    if plan["fits"]:
        return f"yes; up to {count(plan['largest_micro_batch_size'], 'pair')} per forward pass"
    if plan["change"]:
        return f"no; it would with {plan['change']}"
    return "no; it needs more or larger GPUs"
