"""Runs next to each other: what differs, values, and names that cannot act on the terminal."""

import builtins
import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from helpers import console
from helpers.logged_runs import make_run, run_in_memory
from rich.cells import cell_len
from rich.console import RenderableType

from pairgen.report.comparison import compared, comparison
from pairgen.report.run_tables import summary_table
from pairgen.run_folder import Run, open_run


def render(view: RenderableType, width: int = 100, colour: bool = False) -> str:
    return console.render(view, width, colour)


def cells(text: str, first: str) -> list[str]:
    """The words of the line that begins so."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def three() -> list[Run]:
    return [run_in_memory("dpo", "dpo", end=-14), run_in_memory("ipo", "ipo", end=-4), run_in_memory("dpop", end=0.3)]


def test_comparison_lists_runs_below_their_reference() -> None:
    text = render(comparison(three(), 100))
    assert "3 runs, eval split" in text
    assert cells(text, "reference") == ["reference", "0", "0.00", "0.00", "-0.512", "-1.204", "-0.388", "-", "-"]
    assert cells(text, "dpo")[1:5] == ["dpo", "50", "-13.50", "-2.89"]
    assert cells(text, "dpop")[1:] == ["dpop", "50", "+0.29", "-2.89", "-0.512", "-1.108", "-0.581", "3.10%", "86.8%"]
    assert text.count("reference  ") == 1
    assert "in nats" in text
    assert "mean log-prob of a chosen token" in text


def test_comparison_has_a_reference_per_starting_model() -> None:
    other = run_in_memory("other")
    for line in other.lines:
        line["eval/logps/after_edit"] = line.get("eval/logps/after_edit", 0) - 1
    text = render(comparison([*three(), other], 100))
    assert [line.split()[0] for line in text.splitlines()[4:10]] == [
        "reference",
        "dpo",
        "ipo",
        "dpop",
        "reference",
        "other",
    ]


def test_evaluations_are_compared_only_if_all_runs_have_them() -> None:
    assert compared(three()).split == "eval"
    mixed = [*three(), run_in_memory("blind", every=0)]
    assert compared(mixed).split == "train"
    text = render(comparison(mixed, 100))
    assert "4 runs, training batches" in text
    assert "(training batches, in nats; 0 is the reference)" in text
    assert cells(text, "start")[1] == "1"


def test_plot_uses_training_batches_if_evaluations_are_few() -> None:
    text = render(comparison([run_in_memory(every=50)], 100))
    assert "1 run, eval split" in text
    assert "(training batches, in nats" in text
    assert "(eval split, in nats" in render(comparison([run_in_memory(every=10)], 100))


def test_plot_has_a_marker_per_run() -> None:
    text = render(comparison(three(), 100))
    plot = text[text.index("chosen log-ratio by step") :].splitlines()
    assert len(plot) > 15
    for marker in "ox*":
        assert sum(marker in line for line in plot[2:-2]) >= 1
    assert plot[-1] == "o dpo -13.50   x ipo -3.86   * dpop +0.29"
    low = [at for at, line in enumerate(plot[:-1]) if "o" in line.split("│")[-2:][0]]
    assert low[-1] > 12, "DPO ends at the bottom"
    assert "\x1b" not in text
    assert "\x1b[34mo" in render(comparison(three(), 100), colour=True)


@pytest.mark.parametrize("width", [40, 50, 59, 60, 80, 100, 200])
def test_comparison_fits_the_width(width: int) -> None:
    runs = [*three(), run_in_memory("a-name-that-goes-on-and-on-" * 3), run_in_memory("far", end=-12345.6)]
    text = render(comparison(runs, width), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    assert "3.10%" in text
    assert "-11,905.18" in text
    assert ("┌" in text) == (width >= 60)
    assert ("hidden (narrow terminal)" in " ".join(text.split())) == (width < 100)


def test_comparison_rows_do_not_wrap_at_100_columns() -> None:
    text = render(comparison(three(), 100))
    assert [line.split()[0] for line in text.splitlines()[4:8]] == ["reference", "dpo", "ipo", "dpop"]


def test_runs_without_reference_are_not_plotted() -> None:
    text = render(comparison([run_in_memory("cpo", "cpo", reference=False), run_in_memory()], 100))
    assert "cpo: no reference model, not plotted" in text
    assert cells(text, "cpo")[:5] == ["cpo", "cpo", "50", "-", "-"]
    assert cells(text, "reference")[2] == "0.00", "they started from the same model"
    alone = render(comparison([run_in_memory("cpo", "cpo", reference=False)], 100))
    assert "by step" not in alone
    assert cells(alone, "start")[1:4] == ["0", "-", "-"], "nothing refers to it"


def test_a_run_of_one_step_has_tables() -> None:
    runs = [run_in_memory(steps=1, every=0), Run(Path("first"), {}, run_in_memory().lines[:1])]
    for selected in (runs, runs[:1], runs[1:]):
        assert max(map(cell_len, render(comparison(selected, 100)).splitlines())) <= 100
    for run in runs:
        assert "->" in render(summary_table(run))


def test_runs_of_the_same_name_are_named_by_path() -> None:
    runs = [run_in_memory("a/run"), run_in_memory("b/run")]
    assert [run.run for run in compared(runs).runs] == ["a/run", "b/run"]
    assert "x b/run" in render(comparison(runs, 100))


def test_the_same_run_twice_is_two_rows() -> None:
    text = render(comparison([run_in_memory(), run_in_memory()], 100))
    assert sum(line.startswith("run   ") for line in text.splitlines()) == 3, "the head and two rows"


HOSTILE = "[red]x\x1b[2J\u202e[/] :smile:"


def test_names_are_not_markup() -> None:
    run = run_in_memory(HOSTILE.replace("/", ""), HOSTILE)
    for view in (comparison([run, run_in_memory()], 160), summary_table(run)):
        text = render(view, 160)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[red]x\\x1b[2J\\u202e[] :smile:" in text


def test_compared_is_json() -> None:
    found = json.loads(json.dumps(asdict(compared(three()))))
    assert [run["loss"] for run in found["runs"]] == ["dpo", "ipo", "dpop"]
    assert found["runs"][0]["start"]["logratios/chosen"] == 0
    assert found["runs"][0]["end"]["step"] == 50
    assert found["runs"][0]["end"]["logratios/chosen"] < -13


def test_comparison_without_plotext_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "plotext":
            raise ImportError("plotext")
        return original(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    text = render(comparison(three(), 100))
    assert "plotext is not installed" in text
    assert cells(text, "ipo")


def test_log_probs_of_different_training_batches_are_not_compared(tmp_path: Path) -> None:
    text = render(summary_table(open_run(make_run(tmp_path / "mine", every=0))))
    line = next(line for line in text.splitlines() if line.startswith("log-prob after the edit"))
    assert line.split()[4:6] == ["-", "->"]
    assert "training batches" in text


def with_config(name: str, end: float, **config: Any) -> Run:
    made = run_in_memory(name, end=end)
    return replace(made, config={**made.config, **config})


def test_comparison_shows_the_options_that_differ() -> None:
    runs = [with_config("a", 0.1, beta=0.1, model="/models/one"), with_config("b", 0.2, beta=0.3, model="/models/two")]
    found = compared(runs)
    assert found.differing == ["beta", "model"]
    assert [run.config["beta"] for run in found.runs] == [0.1, 0.3]
    text = render(comparison(runs, 160), 160)
    assert cells(text, "a")[2:4] == ["0.1", "one"]
    assert "/models" not in text
    assert "beta" not in render(comparison([runs[0], with_config("c", 0.1, beta=0.1, model="/models/one")], 160), 160)


def test_comparison_leaves_out_how_often_runs_are_logged() -> None:
    runs = [with_config("a", 0.1, eval_every=1, best="none"), with_config("b", 0.2, eval_every=5, best="eval/loss")]
    assert compared(runs).differing == []


def test_runs_that_differ_in_their_seeds_have_a_mean() -> None:
    runs = [with_config(f"run-{seed}", end, beta=0.1, seed=seed) for seed, end in enumerate((-1.0, -2.0, -3.0))]
    text = render(comparison([*runs, with_config("other", 5.0, beta=0.2, seed=0)], 160), 160)
    mean, sd = cells(text, "mean"), cells(text, "sd")
    assert mean[:4] == ["mean", "of", "3", "seeds"]
    ends = [float(cells(text, f"run-{seed}")[5]) for seed in range(3)]
    assert float(mean[6]) == pytest.approx(fmean(ends), abs=0.01)
    assert float(sd[6]) == pytest.approx(stdev(ends), abs=0.01)
    assert text.count("seeds") == 2
