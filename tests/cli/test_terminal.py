"""What the command line does with terminals, pipes, encodings and mistyped options."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import Result

from pairgen.cli.app import print_stderr
from pairgen.cli.bars import Bars, _new_bars

Run = Callable[..., Result]


def pairgen(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pairgen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "pairs"
    assert pairgen("build", "arc", "--source", "train=sample:300", "--out", out).returncode == 0
    return out


@pytest.mark.parametrize("command", [["show", "-n", "800"], ["show", "-n", "800", "--json"]])
def test_reader_that_stops_early_is_no_error(command: list[str], pairs: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pairgen", command[0], str(pairs), *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.read(100)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["stats"], ["validate"], ["--version"]])
def test_full_disk_behind_stdout_is_one_message(command: list[str], pairs: Path) -> None:
    arguments = command if command == ["--version"] else [command[0], str(pairs), *command[1:]]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pairgen", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "pairgen: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("command", [["show", "-n", "3"], ["stats"], ["explain", "na\u00efve: 3 * 4 = 12 \u2192"]])
def test_encoding_without_the_characters_is_no_error(command: list[str], pairs: Path) -> None:
    arguments = command if command[0] == "explain" else [command[0], str(pairs), *command[1:]]
    done = pairgen(*arguments, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


def test_interrupt_while_importing_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import time\ntime.sleep(30)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pairgen", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        stderr=subprocess.PIPE,
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 130


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [
        (["train", "x", "--lr", "3"], "--learning-rate"),
        (["train", "x", "--learnin-rate", "3"], "--learning-rate"),
        (["train", "x", "--max-steps", "3"], "--steps"),
        (["build", "arc", "--num_fewshot=3"], "--shots"),
        (["build", "arc", "--shot", "3"], "--shots"),
        (["compare", "--jason"], "--json"),
    ],
)
def test_unknown_option_suggests_a_known_one(arguments: list[str], suggested: str, run: Run) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert suggested in done.stderr


def test_num_proc_is_a_second_name_of_workers(run: Run, tmp_path: Path) -> None:
    for name in ("--num-proc=2", "--num_proc=2"):
        assert run("build", "arc", "--source", "train=sample:30", name, "--out", tmp_path / name).exit_code == 0
    assert "--num-proc" not in run("build", "--help").stdout


def test_underscores_in_options_are_dashes(run: Run, tmp_path: Path) -> None:
    done = run("build", "arc", "--source", "train=sample:30", "--eval_size=5", "--out", tmp_path / "a_b")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "a_b" / "eval").is_dir()
    assert run("train", "x", "--learning_rate", "0.1").exit_code == 2
    assert "--learning" not in run("train", "x", "--learning_rate", "0.1").stderr


@pytest.mark.parametrize(("option", "words"), [("--seed", "must be an integer"), ("--shots", "must be an integer")])
def test_value_of_the_wrong_type_is_one_plain_message(option: str, words: str, run: Run) -> None:
    done = run("build", "arc", "--out", "o", option, "x")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_a_number_that_is_too_small_is_one_plain_message(run: Run) -> None:
    done = run("show", "pairs", "--limit", "0")
    assert done.exit_code == 2
    assert "must be at least 1" in " ".join(done.stderr.split())


# ---------------------------------------------------------------- texts of the user

TEXT = st.text(st.sampled_from(":100:smile[bold]/red\\{}\x1b "), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT)
def test_messages_show_texts_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    print_stderr(f"<{text}>")
    assert capsys.readouterr().err == f"<{text}>\n".replace("\x1b", r"\x1b")


@settings(max_examples=30, deadline=None)
@given(text=TEXT.filter(lambda text: text.strip() and "\x1b" not in text))
def test_bars_show_texts_as_they_are(text: str) -> None:
    console = Console(width=300, force_terminal=True, record=True, color_system=None)
    bars = _new_bars(console)
    Bars(bars).update("phase", 1, 2, {"name": text})
    console.print(bars)
    assert text.strip() in console.export_text()


@pytest.mark.parametrize("text", ["sample:100:bad", "sample:smile:", "[bold]x[/bold]", "x[/]"])
def test_refused_source_is_shown_as_it_was_given(text: str, run: Run, tmp_path: Path) -> None:
    done = run("build", "arc", "--source", text, "--out", tmp_path / "out")
    assert done.exit_code in (1, 2)
    assert text in done.stderr


def test_quiet_shows_results_and_warnings_only(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"query": "How many?", "response": "3 * 4 = 12 pens.\\nThe answer is: 12"}\nbroken\n')
    words = ["build", "metamath", "--source", source, "--on-error", "skip", "--out", tmp_path / "out"]
    done = run(*words, "--quiet")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [f"skipped: {source}: line 2: invalid JSON (expecting value)"]
    assert "Wrote 1 pair to" in done.stdout
    assert len(run(*words, "--overwrite").stderr.splitlines()) > 1


def test_validate_names_prompts_in_both_splits(run: Run, tmp_path: Path) -> None:
    row = '{"query": "How many?", "response": "3 * %d = %d pens.\\nThe answer is: %d"}\n'
    (tmp_path / "a.jsonl").write_text(row % (4, 12, 12))
    (tmp_path / "b.jsonl").write_text(row % (5, 15, 15))
    words = ["--source", tmp_path / "a.jsonl", "--source", f"eval={tmp_path / 'b.jsonl'}"]
    assert run("build", "metamath", *words, "--out", tmp_path / "out").exit_code == 0
    done = run("validate", tmp_path / "out")
    assert done.exit_code == 0
    assert done.stderr == f"pairgen: {tmp_path / 'out'}: 1 prompt in more than one split\n"


def test_dry_runs_show_a_pair_and_write_nothing(run: Run, pairs: Path, tmp_path: Path) -> None:
    done = run("build", "arc", "--source", "train=sample:40", "--dry-run")
    assert done.exit_code == 0, done.output
    assert re.match(r"train: about 1\d\d pairs, under 0\.1 MB; estimated from the first 40 rows\n", done.stdout)
    assert "rejected\n" in done.stdout
    assert done.stdout.endswith("\nNothing was written.\n")
    done = run("train", pairs, "--out", tmp_path / "run", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "<s>Question: " in done.stdout
    assert list(tmp_path.iterdir()) == []
