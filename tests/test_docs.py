"""The documentation is correct: what the README shows is run here, and lists in it match the code.

Commands and Python blocks of the README run in order, in one temporary folder, on sample rows. What would need a
network, a user's own files or minutes is replaced as the tables below say; nothing else is changed.
"""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

import pairgen
from pairgen.builders import BUILDERS
from pairgen.cli import load_app
from pairgen.pairs.dataset import open_pairs
from pairgen.pairs.record import COLUMNS
from pairgen.sources import sample
from pairgen.stats import STATISTICS, describe
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CARDS = sorted((ROOT / "data_cards").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS: dict[str, Any] = typer.main.get_command(load_app()).commands  # type: ignore[attr-defined]

STAND_INS = {
    "Qwen/Qwen3-0.6B": "my-model",  # a tiny model made for the test
    "sample": "sample:40",
    "8": "2",  # processes of torchrun
}
"""Words of a command that are replaced."""

FILES = {
    "MetaMathQA.jsonl": "metamath",
    "MetaMathQA-395K.json": "metamath",
    "ARC-Challenge-Train.jsonl": "arc",
    "ARC-Challenge-Dev.jsonl": "arc",
    "test-questions.jsonl": "gsm8k",
}
"""Files of the user: sample rows of this dataset, in the layout of the Hub."""

FROM_HUB = ("--source", "sample:40")
"""Added to a build that names no source."""

SMALL_HOLD_OUT = ("--eval-size", "8")
"""Added to a build that holds out rows of 40."""

SHORT = ("--steps", "2", "--sft-steps", "2", "--batch-size", "2", "--eval-pairs", "2", "--max-length", "512")
"""Added to each training command."""

ONE_MORE = ("--steps", "3")
"""Added to a resumed run, which accepts no other data or model."""


IN_PYTHON = {"steps=50": "steps=2, sft_steps=2", "sample:500": "sample:60"}
"""Parts of Python blocks that are replaced."""


class Block(NamedTuple):
    """A fenced block of Markdown."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without comments."""
        lines = [line.split(" #")[0].strip() for line in self.text.splitlines()]
        return [line for line in lines if line] if self.language == "bash" else []


def blocks(text: str) -> list[Block]:
    return [Block(language, body) for language, body in FENCE.findall(text)]


def commands(text: str) -> list[str]:
    return [line for block in blocks(text) for line in block.commands]


LAUNCHERS = ("torchrun", "accelerate", "srun")
"""Programs that start the processes of a command."""


def parse(line: str) -> None:
    """Parse a pairgen command without running it; an unknown option is a usage error."""
    words = shlex.split(line)
    if words[0] == "sbatch":
        words = shlex.split(words[-1])
    if words[0] in LAUNCHERS:
        words = words[words.index("pairgen") :]
    program, name, *arguments = words
    assert program == "pairgen"
    assert COMMANDS[name].make_context(name, arguments).params


# ---------------------------------------------------------------- running


def small(line: str) -> list[str]:
    """A command of the README as it is run here."""
    program, name, *arguments = shlex.split(line)
    words = [program, name, *(STAND_INS.get(word, word) for word in arguments)]
    if "build" in words:
        return [
            *words,
            *(FROM_HUB if "--source" not in words else ()),
            *(SMALL_HOLD_OUT if "--eval-size" in words else ()),
        ]
    if "train" in words:
        return [*words, *(ONE_MORE if "--resume" in words else SHORT)]
    return words


def run(words: list[str]) -> None:
    if words[0] == "torchrun":
        command = [sys.executable, "-m", "torch.distributed.run", *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    else:
        result = CliRunner().invoke(load_app(), words[1:])
        assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}\n{result.exception!r}"


def trains(line: str) -> bool:
    """Whether a command trains, reads a run or, which takes as long, starts Ray."""
    needs_run = any(f"pairgen {name} " in line for name in ("train", "watch", "compare", "report", "eval", "study"))
    return needs_run or "--engine ray" in line


def run_readme(*, training: bool) -> int:
    """Run what the README shows, in its order; without ``training``, what neither trains nor reads a run.

    Returns:
        the number of commands that ran.
    """
    namespace: dict[str, Any] = {}
    ran = 0
    for block in blocks(README):
        for line in block.commands:
            if "pairgen" in line.split() and (training or not trains(line)):
                run(small(line))
                ran += 1
        if block.language == "python" and (training or "train(" not in block.text):
            code = re.sub("|".join(IN_PYTHON), lambda match: IN_PYTHON[match[0]], block.text)
            exec(compile(code, "README.md", "exec"), namespace)
    return ran


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the user's files; entries that the README adds to tables are removed afterwards."""
    from helpers import small_studies, tiny_runs

    monkeypatch.chdir(tmp_path)
    small_studies.use_miniature(monkeypatch, seeds=1, learning_rates=(1e-3,))
    tiny_runs.start_model(tiny_runs.dataset(tmp_path / "any"), tmp_path / "my-model")
    for name, dataset in FILES.items():
        split = "eval" if "Dev" in name or "test" in name else "train"
        rows = [sample.row(dataset, split, index) for index in range(40)]
        text = json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
        Path(name).write_text(text, "utf-8")
    preference = {"prompt": "What is water?", "chosen": "A liquid", "rejected": "A metal"}
    Path("preferences.jsonl").write_text(json.dumps(preference) + "\n", "utf-8")
    lines = "".join(
        f"What is {number} * 3 + 1?,{number} * 3 = {number * 3}; {number * 3} + 1 = {number * 3 + 1}.\n"
        for number in range(40)
    )
    Path("problems.csv").write_text(f"problem,rationale\n{lines}", "utf-8")
    quiz = {"text": "What is water?", "A": "A metal", "B": "A liquid", "C": "A gas", "answer": "B"}
    Path("quiz.jsonl").write_text(json.dumps(quiz) + "\n", "utf-8")
    ratings = "".join(f"What is {number} + 1?,It is {number + 1},It is 0\n" for number in range(40))
    Path("ratings.csv").write_text(f"question,better,worse\n{ratings}", "utf-8")
    loss = "def softer(logps, config):\n    return (1 - config.beta * logps.margin).relu() ** 2\n"
    Path("my_losses.py").write_text(loss, "utf-8")
    before = [(table, dict(table)) for table in (BUILDERS, STATISTICS, LOSSES)]
    yield tmp_path
    for table, entries in before:
        table.clear()
        table.update(entries)


def test_readme_runs_without_training(sandbox: Path) -> None:
    assert run_readme(training=False) > 10
    row = {"question": "What is water?", "best": "A liquid", "others": ["A metal", "A gas"]}
    Path("quiz.json").write_text(json.dumps([row]), "utf-8")
    run(["pairgen", "build", "quiz", "--source", "quiz.json", "--out", "quiz"])
    assert describe(open_pairs(Path("quiz")))["train"]["edit_length"]["mean"] == len("liquid")
    card = (sandbox / "pairs/README.md").read_text("utf-8")
    assert all(f"`{name}`" in card for name in COLUMNS)


def test_readme_shows_the_output_of_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    line = next(line for line in commands(README) if line.startswith('pairgen explain "'))
    output = CliRunner().invoke(load_app(), shlex.split(line)[1:]).stdout
    assert "\n".join(row.rstrip() for row in output.strip().splitlines()) in README


@pytest.mark.slow
def test_readme_runs_with_training(sandbox: Path) -> None:
    assert run_readme(training=True) > 15
    assert (sandbox / "runs/dpop/final/model.safetensors").is_file()


def test_make_commands_in_the_readme_exist() -> None:
    lines = [line for line in commands(README) if line.startswith("make ")]
    assert {"make setup", "make demo", "make test", "make check"} <= set(lines)
    for line in lines:
        done = subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_pip_command_in_the_readme_installs_the_checkout() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = [line for line in commands(README) if line.startswith("pip ")]
    assert lines
    for line in lines:
        match = re.fullmatch(r"pip install '\.\[([\w,]+)\]'", line)
        assert match, line
        assert set(match[1].split(",")) <= set(extras)


def test_readme_shows_no_other_programs() -> None:
    assert all(line.split()[0] in ("make", "pip") or "pairgen" in line.split() for line in commands(README))
    assert {block.language for block in blocks(README)} <= {"bash", "python", ""}


# ---------------------------------------------------------------- parsing


def epilog_commands() -> list[str]:
    texts = [command.epilog or "" for command in COMMANDS.values()]
    return [line for text in texts for line in re.findall(r"`([^`]*\bpairgen [^`]+)`", text)]


def test_every_command_in_the_help_parses() -> None:
    assert len(epilog_commands()) > 10
    for line in epilog_commands():
        parse(line)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_every_command_in_a_data_card_parses(card: Path) -> None:
    lines = commands(card.read_text("utf-8"))
    assert lines, "a card names the commands that print its figures"
    for line in lines:
        parse(line)


# ---------------------------------------------------------------- lists


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 300


def test_readme_names_every_command_and_builder() -> None:
    shown = [line for line in commands(README) if "pairgen" in line.split()]
    assert {re.search(r"pairgen ([\w-]+)", line)[1] for line in shown} == set(COMMANDS)  # type: ignore[index]
    assert all(f"pairgen build {name} " in README for name in BUILDERS)


def test_readme_names_every_loss_and_sharing_level() -> None:
    share = next(option for option in fields(Config) if option.name == "share")
    levels = set(share.metadata["choices"]) - {"auto", "none"}
    cells = re.findall(r"^\| (`[^|]+`) \|", README, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)} >= {*LOSSES, *levels}


def test_tree_in_the_docstring_matches_the_package() -> None:
    shown = re.findall(r"^  (\w+(?:\.py|/))", str(pairgen.__doc__), re.MULTILINE)
    package = ROOT / "pairgen"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert sorted(shown) == sorted(modules | {f"{path.parent.name}/" for path in package.glob("*/__init__.py")})


def test_there_is_a_card_for_every_dataset() -> None:
    assert {card.stem for card in CARDS} == {name for name, builder in BUILDERS.items() if builder.hub}
    for card in CARDS:
        assert card.read_text("utf-8").startswith(f"---\nlicense: {BUILDERS[card.stem].license}\n")


def table_cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_results_of_studies_in_the_readme_are_those_of_the_evidence() -> None:
    """Row by row: the cells of the README are among those of one row of a report."""
    root = Path(__file__).parent
    evidence = (root / "bench" / "EVIDENCE.md").read_text("utf-8")
    reported = [table_cells(line) for line in evidence.splitlines() if line.startswith("| ")]
    section = README.partition("## Studies")[2].partition("\n## ")[0]
    rows = [table_cells(line) for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 3
    for row in rows:
        assert any(set(row) <= set(rest) for rest in reported if rest[0] == row[0]), row
    for path in re.findall(r"\]\((tests/bench/[^)]+)\)", section):
        assert (root.parent / path).is_file(), path
