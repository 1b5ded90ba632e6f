"""Imports go one way, the command line loads nothing heavy, and no file grows past reading."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pairgen"
FILES = sorted(PACKAGE.rglob("*.py"))

# Each part of the package, and the parts it may import. A part not listed here fails the test until it is.
MAY_IMPORT = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "atomic": {"errors"},
    "options": {"errors"},
    "progress": set(),
    "run_folder": {"errors"},
    "pairs": {"atomic", "errors"},
    "sources": {"errors"},
    "arithmetic": set(),
    "builders": {"arithmetic", "errors", "pairs", "sources"},
    "stats": {"errors", "pairs"},
    "report": {"errors", "pairs", "run_folder"},
    "building": {"atomic", "arithmetic", "builders", "errors", "options", "pairs", "progress", "sources", "stats"},
    "train": {"atomic", "errors", "options", "pairs", "progress", "run_folder"},
    "cli": {"builders", "building", "errors", "options", "pairs", "progress", "report", "run_folder", "stats", "train"},
}


def part_of(module: str) -> str | None:
    words = module.split(".")
    if words[0] != "pairgen":
        return None
    return words[1] if len(words) > 1 else "__init__"


def imported(file: Path) -> set[str]:
    """Parts of the package that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: imports are absolute"
            if node.module == "pairgen":
                found |= {alias.name for alias in node.names}
            elif part := part_of(node.module):
                found.add(part)
        elif isinstance(node, ast.Import):
            found |= {part for alias in node.names if (part := part_of(alias.name))}
    return found - {"__init__", "__version__"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_one_way(file: Path) -> None:
    own = file.relative_to(PACKAGE).with_suffix("").parts[0]
    assert own in MAY_IMPORT, f"{own}: give it a line in MAY_IMPORT"
    assert imported(file) - {own} <= MAY_IMPORT[own]


def test_no_part_imports_another_in_a_circle() -> None:
    seen: set[str] = set()

    def visit(part: str, above: tuple[str, ...]) -> None:
        assert part not in above, " -> ".join([*above, part])
        if part not in seen:
            for below in MAY_IMPORT[part]:
                visit(below, (*above, part))
            seen.add(part)

    for part in MAY_IMPORT:
        visit(part, ())
    assert seen == set(MAY_IMPORT)


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, pairgen.cli; print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= 400
