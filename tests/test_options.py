"""Options: checks, TOML, and the command-line arguments that reproduce them."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.options import arguments, check, check_values, flag, from_mapping, limits, option, read_values

COLOURS = {"red": 1, "blue": 2}


@dataclass(frozen=True)
class Options:
    data: tuple[str, ...] = option((), "Inputs.")
    name: str = option("x", "A name.")
    colour: str = option("red", "A colour.", choices=COLOURS)
    count: int = option(1, "A count.", at_least=0)
    size: int | None = option(None, "A size. Default: the count.", at_least=8)
    share: float = option(0.5, "A share.", at_least=0, at_most=1)
    rate: float = option(1e-3, "A rate.", above=0)
    fast: bool = option(False, "A flag.")
    careful: bool = option(True, "Another flag.")

    def __post_init__(self) -> None:
        check(self)


FIELDS = {item.name: item for item in fields(Options)}
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
VALID = st.builds(
    Options,
    data=st.lists(TEXTS, max_size=3).map(tuple),
    name=TEXTS,
    colour=st.sampled_from(["red", "blue"]),
    count=st.integers(0, 10**9),
    size=st.none() | st.integers(8, 10**6),
    share=st.floats(0, 1),
    rate=st.floats(1e-9, 1e9),
    fast=st.booleans(),
    careful=st.booleans(),
)


@given(VALID)
def test_from_mapping_reads_back_written_toml(tmp_path_factory: pytest.TempPathFactory, options: Options) -> None:
    path = tmp_path_factory.mktemp("toml") / "options.toml"
    values = {name: value for name, value in asdict(options).items() if value is not None}
    path.write_text(tomli_w.dumps({**values, "data": list(options.data)}), "utf-8")
    assert from_mapping(Options, read_values(path), str(path)) == options


@given(VALID)
def test_arguments_reproduce_the_options(options: Options) -> None:
    remaining = iter(arguments(options))
    values: dict[str, Any] = {}
    for word in remaining:
        name = word.removeprefix("--no-").removeprefix("--")
        if FIELDS[name].type is bool:
            values[name] = not word.startswith("--no-")
        elif name == "data":
            values.setdefault("data", []).append(next(remaining))
        else:
            kind = int if name in ("count", "size") else float if name in ("share", "rate") else str
            values[name] = kind(next(remaining))
    assert from_mapping(Options, values, "test") == options


def test_arguments_of_the_defaults_are_empty() -> None:
    assert list(arguments(Options())) == []
    assert from_mapping(Options, {}, "test") == Options()


def test_option_list_accepts_a_single_string() -> None:
    assert Options(data="a").data == ("a",)  # type: ignore[arg-type]
    assert Options(data=["a", "b"]).data == ("a", "b")  # type: ignore[arg-type]


INVALID = [
    ("data", 3, "a list in which each item is a string"),
    ("data", ["a", 3], "a list in which each item is a string"),
    ("name", 3, "a string"),
    ("name", None, "a string"),
    ("colour", "green", "one of red, blue"),
    ("count", 1.5, "an integer"),
    ("count", True, "an integer"),
    ("count", "1", "an integer"),
    ("count", -1, "at least 0"),
    ("size", 7, "at least 8"),
    ("share", 1.5, "from 0 to 1"),
    ("share", -0.5, "from 0 to 1"),
    ("share", math.nan, "a finite number"),
    ("rate", 0, "above 0"),
    ("rate", math.inf, "a finite number"),
    ("rate", False, "a number"),
    ("fast", 1, "true or false"),
]


@pytest.mark.parametrize(("name", "value", "expected"), INVALID)
def test_invalid_value_is_a_usage_error(name: str, value: Any, expected: str) -> None:
    with pytest.raises(UsageError) as direct:
        Options(**{name: value})
    assert str(direct.value).startswith(f"{flag(name)} must be {expected}, got ")
    with pytest.raises(UsageError) as from_file:
        check_values(Options, {name: value}, "a.toml")
    assert str(from_file.value) == f"a.toml: {name} must be {expected}, got {value!r}"


def test_unknown_option_is_an_error_that_lists_the_available() -> None:
    with pytest.raises(UsageError, match="unknown option color; available: data, name, colour"):
        check_values(Options, {"color": "red"}, "a.toml")


def test_float_option_accepts_an_integer() -> None:
    assert Options(rate=2).rate == 2


def test_choice_added_later_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLOURS, "green", 3)
    assert Options(colour="green").colour == "green"


def test_limits_describes_the_range() -> None:
    assert [limits(FIELDS[name]) for name in ("name", "count", "share", "rate")] == [
        "",
        "at least 0",
        "from 0 to 1",
        "above 0",
    ]


@pytest.mark.parametrize(("text", "problem"), [(None, "cannot be read"), ("a = ", "invalid TOML")])
def test_read_values_reports_unreadable_files(tmp_path: Path, text: str | None, problem: str) -> None:
    path = tmp_path / "a.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=problem):
        read_values(path)


@pytest.mark.parametrize("ending", [".yaml", ".yml", ".YML"])
def test_read_values_of_yaml(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"options{ending}"
    file.write_text("loss: dpop\nbeta: 0.1\ndata: [a, b]\ncompile: true\n")
    assert read_values(file) == {"loss": "dpop", "beta": 0.1, "data": ["a", "b"], "compile": True}
    file.write_text("")
    assert read_values(file) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "invalid YAML"),
        ("- a", "must consist of options and their values"),
        ("3: a", "must consist of options and their values"),
        ("!!python/object/apply:os.system ['true']", "invalid YAML"),
    ],
)
def test_read_values_refuses_other_yaml(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text(text)
    with pytest.raises(UsageError, match=words) as error:
        read_values(tmp_path / "options.yaml")
    assert "\n" not in str(error.value)
