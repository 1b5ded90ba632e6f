"""The layout of the package: imports go one way, files and functions stay small, names differ."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "pairgen"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file.relative_to(PACKAGE): ast.parse(file.read_text("utf-8")) for file in FILES}

HEAVY = {"torch", "transformers", "datasets", "lm_eval", "matplotlib", "ray"}

# The parts of the package, and the parts each of them may import.
MAY_IMPORT = {
    "__init__": {"api", "building", "evaluate", "exchange", "pairs"},
    "api": {
        "builders",
        "building",
        "evaluate",
        "exchange",
        "options",
        "pairs",
        "progress",
        "report",
        "sources",
        "stats",
        "train",
    },
    "__main__": {"cli"},
    "errors": set(),
    "content_key": {"errors"},
    "atomic": {"errors"},
    "options": {"errors"},
    "progress": set(),
    "hub_client": set(),
    "run_folder": {"atomic", "errors"},
    "pairs": {"arithmetic", "atomic", "errors"},
    "sources": {"errors", "hub_client"},
    "arithmetic": set(),
    "builders": {"arithmetic", "errors", "pairs", "sources"},
    "stats": {"errors", "pairs"},
    "report": {"atomic", "errors", "pairs", "run_folder", "stats"},
    "building": {"atomic", "arithmetic", "builders", "errors", "options", "pairs", "progress", "sources", "stats"},
    "exchange": {
        "arithmetic",
        "atomic",
        "builders",
        "building",
        "errors",
        "hub_client",
        "options",
        "pairs",
        "progress",
        "run_folder",
        "sources",
        "stats",
    },
    "train": {"atomic", "errors", "hub_client", "options", "pairs", "progress", "run_folder"},
    "evaluate": {
        "atomic",
        "builders",
        "errors",
        "hub_client",
        "options",
        "pairs",
        "progress",
        "run_folder",
        "sources",
        "train",
    },
    "studies": {
        "arithmetic",
        "atomic",
        "builders",
        "building",
        "content_key",
        "errors",
        "evaluate",
        "exchange",
        "options",
        "pairs",
        "progress",
        "report",
        "run_folder",
        "sources",
        "stats",
        "train",
    },
    "recipes": {
        "atomic",
        "builders",
        "building",
        "content_key",
        "errors",
        "evaluate",
        "exchange",
        "options",
        "pairs",
        "progress",
        "report",
        "run_folder",
        "sources",
        "train",
    },
    "cli": {
        "atomic",
        "builders",
        "building",
        "errors",
        "evaluate",
        "exchange",
        "options",
        "pairs",
        "progress",
        "recipes",
        "report",
        "run_folder",
        "stats",
        "studies",
        "train",
    },
}


def part_of(module: str) -> str | None:
    """The part that a module belongs to; None outside the package."""
    words = module.split(".")
    if words[0] != "pairgen":
        return None
    return words[1] if len(words) > 1 else "__init__"


def imported_parts(tree: ast.Module) -> set[str]:
    """The parts that a file imports, at the top or inside functions."""
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            is_package = node.module == "pairgen"
            found |= {alias.name for alias in node.names} if is_package else {part_of(node.module)}
        elif isinstance(node, ast.Import):
            found |= {part_of(alias.name) for alias in node.names}
    return {part for part in found if part} - {"__init__", "__version__"}


def test_imports_go_one_way() -> None:
    for path, tree in TREES.items():
        own = path.with_suffix("").parts[0]
        assert own in MAY_IMPORT, f"{own}: add a line to MAY_IMPORT"
        assert imported_parts(tree) - {own} <= MAY_IMPORT[own], path


def test_no_part_imports_itself_through_others() -> None:
    visited: set[str] = set()

    def visit(part: str, above: tuple[str, ...]) -> None:
        assert part not in above, " -> ".join([*above, part])
        if part not in visited:
            for below in MAY_IMPORT[part]:
                visit(below, (*above, part))
            visited.add(part)

    for part in MAY_IMPORT:
        visit(part, ())
    assert visited == set(MAY_IMPORT)


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, pairgen.cli; pairgen.cli.load_app(); print(sorted({HEAVY | {'pandas'}!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_imports_nothing_heavy_itself() -> None:
    for path, tree in TREES.items():
        if path.parts[0] == "cli":
            modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            heavy = {module for module in modules if module and module.split(".")[0] in HEAVY}
            assert not heavy, path


def test_every_package_says_what_it_holds() -> None:
    undocumented = [path for path, tree in TREES.items() if path.name == "__init__.py" and not ast.get_docstring(tree)]
    assert not undocumented


def test_files_and_folders_stay_small() -> None:
    long = {path: lines for path in TREES if (lines := len((PACKAGE / path).read_text("utf-8").splitlines())) > 300}
    assert not long
    full = {
        folder: count for folder in {file.parent for file in FILES} if (count := len(list(folder.glob("*.py")))) > 12
    }
    assert not full


def test_functions_have_at_most_six_parameters() -> None:
    """Except commands, whose parameters are their command-line options. ``self`` does not count."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and path.parts[0] != "cli":
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = sum(argument.arg not in ("self", "cls", "ctx") for argument in arguments)
                count += bool(node.args.vararg) + bool(node.args.kwarg)
                assert count <= 6, f"{path}: {node.name}"


ENDINGS = ("s", "es", "r", "er", "d", "ed", "ing", "ion", "or")


def differ_by_an_ending(one: str, other: str) -> bool:
    """Whether a name is another one with a common ending: ``score`` and ``scorer``, ``load`` and ``loading``."""
    stems = {one, one.removesuffix("e")}
    return one != other and any(other == stem + ending for stem in stems for ending in ENDINGS)


def test_differ_by_an_ending() -> None:
    assert differ_by_an_ending("score", "scoring")
    assert differ_by_an_ending("dataset", "datasets")
    assert not differ_by_an_ending("text", "texture")


def test_no_two_modules_differ_by_an_ending() -> None:
    names = {path.parent.name if path.name == "__init__.py" else path.stem for path in TREES}
    assert not [(one, other) for one in names for other in names if differ_by_an_ending(one, other)]


def test_no_two_test_files_have_the_same_name() -> None:
    """pytest would refuse to run both."""
    names = [file.name for file in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
