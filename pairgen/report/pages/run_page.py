"""What the page says about training runs, all of them together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from pairgen.report.comparison import compared, compared_rows, named, option_text
from pairgen.report.pages.html.frame import Part, Section
from pairgen.report.pages.html.markup import Child, Html, bullets, code, element, join, paragraphs, table
from pairgen.report.pages.token_pairs import choose
from pairgen.report.pages.token_view import tokens_view
from pairgen.report.run_tables import METRICS, SPLITS, cell, run_facts
from pairgen.run_folder import Run

MEMORY, RATE = "memory/peak_gb", "pairs_per_second"


def run_part(runs: Sequence[Run], pairs: int, figures: Mapping[str, Html]) -> Part:
    """Runs: their metrics, figures, speed and options, and some pairs token by token.

    Args:
        runs: at least one.
        pairs: most pairs that are shown token by token.
        figures: those of the runs, by name.

    Raises:
        RunFolderError: a damaged run.
    """
    names = [name for name, _ in named(runs)]
    by_name = dict(zip(names, runs, strict=True))
    bodies = {
        "Final metrics": _metrics(runs),
        "Figures": join(figures.values()),
        "Pairs, token by token": tokens_view(choose(by_name, pairs)) if pairs else None,
        "Speed": _speed(by_name),
        "Options": _options(by_name),
    }
    name = names[0] if len(names) == 1 else "Training runs"
    lead = bullets(join([code(path), f", {loss}"]) for path, loss in ((str(run.path), run.loss) for run in runs))
    return Part(
        "run" if len(names) == 1 else "runs",
        Path(name).name,
        lead,
        [Section(title, body) for title, body in bodies.items() if body],
    )


def _metrics(runs: Sequence[Run]) -> Html:
    """What ``pairgen compare`` shows, a column per run: its last values, after those it started from."""
    found = compared(runs)
    shown = list(compared_rows(found))
    keys = [key for key in METRICS if any(key in row.values for row in shown)]
    rows: list[list[Child]] = [["loss function", "", *(row.loss for row in shown)]]
    for option in found.differing:
        values = [option_text(row.config[option]) if option in row.config else "" for row in shown]
        rows.append([option.replace("_", " "), "", *values])
    rows.append(["step", "", *(f"{row.values['step']:,}" if "step" in row.values else "" for row in shown)])
    rows += [[METRICS[key].name, METRICS[key].unit, *(cell(row.values, key) for row in shown)] for key in keys]
    heads = ["metric", "unit", *(row.name for row in shown)]
    made = table(f"Values of the {SPLITS[found.prefix]}", heads, rows, [False, False, *[True] * len(shown)])
    notes = dict.fromkeys(METRICS[key].note for key in keys if METRICS[key].note)
    return join([made, paragraphs(" ".join(map(_sentence, notes)), class_="note")])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _speed(runs: dict[str, Run]) -> Html:
    """Medians over logged steps."""
    rows: list[list[Child]] = []
    for name, run in runs.items():
        facts = dict(run_facts(run))
        rates = [value for _, value in run.series(RATE)]
        memory = [value for _, value in run.series(MEMORY)]
        tokens = [value for _, value in run.series("tokens_per_second")]
        rows.append(
            [
                name,
                f"{median(rates):,.1f}" if rates else "-",
                f"{median(tokens):,.0f}" if tokens else "-",
                f"{max(memory):.1f}" if memory else "-",
                facts.get("tokens", "-"),
                facts.get("time", "-"),
            ]
        )
    heads = ["run", "pairs per second", "tokens per second", "peak memory (GB)", "tokens", "time"]
    return table("Medians over logged steps", heads, rows, [False, True, True, True, False, False])


def _options(runs: dict[str, Run]) -> Html:
    """All options, those that differ first and in bold."""
    names = dict.fromkeys(name for run in runs.values() for name in run.config)
    texts = {
        name: [option_text(run.config[name]) if name in run.config else "-" for run in runs.values()] for name in names
    }
    differing = [name for name, values in texts.items() if len(set(values)) > 1]
    rows: list[list[Child]] = [[element("b", name), *texts[name]] for name in differing]
    rows += [[name, *values] for name, values in texts.items() if name not in differing]
    made = table("", ["option", *runs], rows, [False] * (len(runs) + 1))
    about = f"{len(differing)} of {len(names)} options differ: {', '.join(differing)}." if differing else ""
    return join([paragraphs(about), element("details", element("summary", "All options"), made)])
