"""The documents say what is so: every command in them parses, every command is in them."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from pairgen.builders import BUILDERS
from pairgen.cli import app
from pairgen.pairs.record import COLUMNS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CARDS = sorted((ROOT / "data_cards").glob("*.md"))
TEXTS = {"README.md": README, **{card.name: card.read_text("utf-8") for card in CARDS}}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GROUP = typer.main.get_command(app)


def commands(text: str) -> list[str]:
    lines = [line for kind, body in FENCE.findall(text) if kind == "bash" for line in body.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith("pairgen ")]


@pytest.mark.parametrize("line", sorted({line for text in TEXTS.values() for line in commands(text)}))
def test_every_fenced_command_parses(line: str) -> None:
    _, name, *words = shlex.split(line)
    context = GROUP.commands[name].make_context(name, words)  # type: ignore[attr-defined]
    assert context.params


def test_every_command_and_builder_is_in_the_readme() -> None:
    used = {line.split()[1] for line in commands(README)}
    assert used == set(GROUP.commands)  # type: ignore[attr-defined]
    assert all(f"pairgen build {name}" in README for name in BUILDERS)
    assert all(f"`{name}`" in README for name in COLUMNS)


def test_python_in_the_readme_compiles() -> None:
    blocks = [body for kind, body in FENCE.findall(README) if kind == "python"]
    assert blocks
    for body in blocks:
        ast.parse(body)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= targets
    assert {"setup", "demo", "test", "check", "bench", "clean"} <= targets


def test_paths_in_the_readme_exist() -> None:
    tree = next(body for _, body in FENCE.findall(README) if body.startswith("pairgen/"))
    named = re.findall(r"([a-z_]+(?:\.py|/))(?=\s)", tree.split("tests/")[0].removeprefix("pairgen/"))
    assert len(named) > 10
    for name in named:
        assert (ROOT / "pairgen" / name).exists(), name
    there = {path.name for path in (ROOT / "pairgen").glob("*.py")} - {"__init__.py", "__main__.py"}
    there |= {f"{path.parent.name}/" for path in (ROOT / "pairgen").glob("*/__init__.py")}
    assert there <= set(named)


def test_there_is_a_card_for_every_builder() -> None:
    assert {card.stem for card in CARDS} == set(BUILDERS)
    for card in CARDS:
        text = card.read_text("utf-8")
        assert text.startswith(f"---\nlicense: {BUILDERS[card.stem].license}\n")
        assert commands(text), "a card says how its figures are printed"
