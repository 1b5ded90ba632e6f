"""`pairgen plan` as a person and a program see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny_runs
from typer.testing import CliRunner

from pairgen.cli import load_app


def invoke(*words: str) -> str:
    result = CliRunner().invoke(load_app(), ["plan", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown = invoke("--model", "mistral-7b", "--precision", "bf16-pure", "--lora", "16", "--steps", "100")
    for words in ("mistral-7b, 7.24 billion weights, 41.9 million trained", "optimizer states", "total, of 80 GB"):
        assert words in shown
    assert "yes; up to" in shown
    assert "hours for 1,600 pairs in 100 steps" in shown
    refused = invoke("--model", "qwen-72b", "--gpus", "8")
    assert "no; " in refused


def test_json_has_the_same_numbers() -> None:
    words = ("--model", "mistral-7b", "--precision", "bf16-pure", "--gpu-memory", "20", "--json")
    found = json.loads(invoke(*words))
    assert found["weights"] == 7_241_732_096
    assert found["total_gb"] == pytest.approx(sum(found["memory_gb"].values()))
    assert found["fits"] is False
    assert found["pairs"] == found["hours"] == 0


def test_neither_torch_nor_transformers_is_imported() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from pairgen.cli import load_app; "
        "result = CliRunner().invoke(load_app(), ['plan', '--model', 'yi-34b']); "
        "print(result.exit_code, sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "[]"]


def test_the_tokens_of_a_dataset_are_counted(tmp_path: Path) -> None:
    """Those of the run's own preview, with the model's tokenizer."""
    from pairgen.train.preview import preview

    data = tiny_runs.dataset(tmp_path / "pairs", rows=12)
    model = tiny_runs.start_model(data, tmp_path / "model")
    words = ("--model", str(model), "--data", str(data), "--json", "--quiet")
    shared, alone = (json.loads(invoke(*words, "--share", share)) for share in ("shots", "none"))
    expected = preview(tiny_runs.config(data, tmp_path / "run", model=str(model)))
    assert shared["pairs"] == alone["pairs"] == expected["pairs"]
    assert alone["tokens_per_pair"] * alone["pairs"] == pytest.approx(expected["tokens_padded"])
    assert alone["sharing"] == pytest.approx(1)
    assert shared["sharing"] > 1.2
    assert shared["tokens_per_pair"] * shared["sharing"] == pytest.approx(alone["tokens_per_pair"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "missing --model"),
        (("--model", "yi-34b", "--data", "pairs"), 2, "has none; name a folder or a Hub id"),
        (("--model", "./no-such-folder"), 1, "no config.json there"),
        (("--model", "yi-34b", "--mfu", "1.5"), 2, "--mfu must be above 0, at most 1"),
    ],
)
def test_errors(words: tuple[str, ...], code: int, message: str) -> None:
    result = CliRunner().invoke(load_app(), ["plan", *words])
    assert result.exit_code == code
    assert message in " ".join(result.output.split())
