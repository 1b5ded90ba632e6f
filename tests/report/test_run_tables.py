"""The table of one run: values, width, and names that cannot act on the terminal."""

from pathlib import Path

import pytest
from helpers import console
from helpers.logged_runs import make_run, run_in_memory
from rich.cells import cell_len
from rich.console import RenderableType

from pairgen.report.run_tables import format_metric, preview_view, summary_table
from pairgen.run_folder import open_run


def render(view: RenderableType, width: int = 100, colour: bool = False) -> str:
    return console.render(view, width, colour)


def cells(text: str, first: str) -> list[str]:
    """The words of the line that begins so."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "nats", "-"),
        (0.304, "nats", "+0.30"),
        (-1234.5, "nats", "-1,234.50"),
        (-0.001, "nats", "0.00"),
        (0.031, "of pairs", "3.10%"),
        (-0.5116, "nats per token", "-0.512"),
        (0.00001, "", "1.0e-05"),
        (0.0, "", "0.000"),
    ],
)
def test_format_metric(value: float | None, unit: str, shown: str) -> None:
    assert format_metric(value, unit) == shown


# ---------------------------------------------------------------- one run


def test_summary_shows_start_and_end(tmp_path: Path) -> None:
    text = render(summary_table(open_run(make_run(tmp_path / "mine", grouped=True))))
    assert "mine (dpop), eval split" in text
    assert "step 0" in text
    assert "step 50" in text
    rows = {" ".join(line.split("  ")[0].split()): line.split() for line in text.splitlines()}
    assert rows["loss"][1:] == ["0.693", "->", "0.211"]
    assert "5,000 processed instead of 20,000 (4.00x)" in text
    assert rows["chosen log-ratio"][2:] == ["0.00", "->", "+0.29", "nats"]
    assert rows["log-prob after the edit"][4:] == ["-0.388", "->", "-0.581", "nats", "per", "token"]
    assert rows["chosen below reference"][3:] == ["-", "->", "3.10%", "of", "pairs"]
    assert rows["accuracy"][1:] == ["-", "->", "86.8%", "of", "pairs"]
    assert rows["choice accuracy"][2:] == ["40.0%", "->", "68.9%", "of", "groups"]
    assert rows["speed"][1:] == ["45.0", "pairs/s"]
    assert rows["time"][1:] == ["attention", "10%,", "head", "20%,", "rest", "70%"]
    assert "".join(text.split()).endswith(f"model{tmp_path}/mine/final".replace(" ", ""))


def test_summary_without_evaluations_shows_training_batches() -> None:
    text = render(summary_table(run_in_memory(every=0)))
    assert "training batches" in text
    assert "step 1 " in text
    assert "choice accuracy" not in text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100])
def test_summary_fits_the_width(width: int) -> None:
    text = render(summary_table(run_in_memory(grouped=True)), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    assert cells(text, "loss")[-1] == "0.211"


def test_summary_of_a_loss_without_reference() -> None:
    text = render(summary_table(run_in_memory(loss="cpo", reference=False)))
    assert "log-ratio" not in text
    assert "log-prob after the edit" in text


def test_preview_view_shows_sizes_and_texts() -> None:
    found = {
        "steps": 3,
        "sft_steps": 300,
        "pairs": 1200,
        "eval_pairs": 0,
        "groups": 1,
        "tokens_padded": 5000,
        "drops": {"too long": 2},
        "truncated_prompts": 1,
        "first": {"prompt": "<s>Why?[bold]", "chosen": " so</s>"},
    }
    text = render(preview_view(found))
    for part in (
        "3 after 300 SFT steps",
        "1,200 in 1 group",
        "5,000 per epoch",
        "too long (2)",
        "<s>Why?[bold]",
        " so</s>",
    ):
        assert part in text


def test_summary_says_how_to_start_from_the_sft_model(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mine")
    assert "SFT model" not in render(summary_table(open_run(run)), 200)
    (run / "sft" / "final").mkdir(parents=True)
    text = render(summary_table(open_run(run)), 200)
    assert f"{run / 'sft' / 'final'} (start other runs from it with --model)" in text


def test_choice_accuracy_says_when_it_is_that_of_the_harness() -> None:
    text = " ".join(render(summary_table(run_in_memory(grouped=True))).split())
    assert "that of lm-evaluation-harness with --chat off" in text
