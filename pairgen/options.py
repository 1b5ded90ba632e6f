"""Options as frozen dataclasses: a field holds the default, the help text and the limits of one option.

The command line generates its flags from these fields, TOML files and manifests hold their values, and all of them are
checked here, with the same messages.
"""

import inspect
import re
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, get_args, get_origin

from pairgen.errors import UsageError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Rules(TypedDict, total=False):
    """The values that an option accepts, and how the command line shows it."""

    choices: Collection[str]
    """Allowed values. A table is looked up at each check, so entries added later are accepted."""
    besides: tuple[str, str]
    """Allowed values besides the choices: what messages call them, and their regular expression."""
    at_least: float
    at_most: float
    above: float
    aliases: tuple[str, ...]
    """Further names of the flag, such as ``-o``."""
    metavar: str
    """Placeholder of the value in the help."""
    may_change: bool
    """Whether a resumed run may use another value."""


def option(default: Any, help: str, **rules: Unpack[Rules]) -> Any:
    """A dataclass field for one option. Help that names its own default says ``Default: ...``."""
    return field(default=default, metadata={"help": help, **rules})


def flag(name: str) -> str:
    """The flag of an option: ``batch_size`` is ``--batch-size``."""
    return "--" + name.replace("_", "-")


def value_type(item: "Field[Any]") -> Any:
    """The type of an option's value: ``int`` for ``int | None``, ``str`` for ``tuple[str, ...]``."""
    return next((part for part in get_args(item.type) if part not in (type(None), ...)), item.type)


def is_list(item: "Field[Any]") -> bool:
    """Whether an option takes several values, as ``tuple[str, ...]`` does."""
    return get_origin(item.type) is tuple


def limits(item: "Field[Any]") -> str:
    """The range of a numeric option in words, such as ``at least 0`` or ``from 0 to 1``; empty if there is none."""
    rules = item.metadata
    if "above" in rules and "at_most" in rules:
        return f"above {rules['above']:g}, at most {rules['at_most']:g}"
    if "at_least" in rules and "at_most" in rules:
        return f"from {rules['at_least']:g} to {rules['at_most']:g}"
    words = {"at_least": "at least", "at_most": "at most", "above": "above"}
    return next((f"{text} {rules[key]:g}" for key, text in words.items() if key in rules), "")


def check(options: Any) -> None:
    """Check every value of an options object; call it from ``__post_init__``.

    For an option that takes several values, a list becomes a tuple and a single string a tuple of one.

    Raises:
        UsageError: a value of the wrong type, out of range, or not among the choices.
    """
    for item in fields(options):
        value = getattr(options, item.name)
        if is_list(item) and isinstance(value, (str, list)):
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(options, item.name, value)
        _require(item, value, flag(item.name))


def check_values(cls: type[Any], values: Mapping[str, Any], where: str) -> None:
    """Check plain values by option name, as a TOML file gives them.

    Raises:
        UsageError: an unknown option, or a value that ``check`` refuses; names ``where`` it was found.
    """
    known = {item.name: item for item in fields(cls)}
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{where}: unknown option {name}; available: {', '.join(known)}")
        _require(known[name], value, f"{where}: {name}")


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """An options object from plain values by option name.

    Raises:
        UsageError: an unknown option, or a value that the class does not accept.
    """
    check_values(cls, values, where)
    return cls(**values)


def with_signature(cls: type[Any], without: Collection[str] = ()) -> Callable[[F], F]:
    """Show the options of a class, which a function takes as ``**options``, in its signature, except some."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=item.default if item.default is not MISSING else inspect.Parameter.empty,
                annotation=item.type,
            )
            for item in fields(cls)
            if item.name not in signature.parameters and item.name not in without
        ]
        function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return function

    return decorate


def read_values(path: Path) -> dict[str, Any]:
    """The values of a TOML file, or of a YAML file if its name ends in .yaml or .yml.

    Raises:
        UsageError: it cannot be read, is invalid, or does not consist of names and values.
    """
    import yaml

    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    try:
        text = path.read_text("utf-8")
        values = yaml.safe_load(text) or {} if is_yaml else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: invalid {'YAML' if is_yaml else 'TOML'} ({reason})") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"{path}: must consist of options and their values, as in `loss: dpop`")
    return values


def arguments(options: Any) -> Iterator[str]:
    """The command-line arguments that reproduce an options object: a flag for each value that is not the default."""
    for item in fields(options):
        value = getattr(options, item.name)
        if value == item.default:
            continue
        name = flag(item.name)
        if isinstance(value, bool):
            yield name if value else f"--no-{name[2:]}"
        else:
            for part in value if is_list(item) else (value,):
                yield from (name, str(part))


def shown_command(words: Sequence[str], options: Any, without: Collection[str] = ()) -> str:
    """The command that gives a report, with the options that are not the defaults. Paths are shown by their last part.

    Args:
        words: the command and its arguments.
        options: an object of a class of options.
        without: options that do not change the report.
    """
    shown = ["pairgen", *words]
    for item in fields(options):
        value = getattr(options, item.name)
        if value != item.default and item.name not in without:
            for one in value if isinstance(value, tuple) else [value]:
                shown += [flag(item.name), Path(one).name if isinstance(one, str) else f"{one:g}"]
    return shlex.join(shown)


def _require(item: "Field[Any]", value: Any, name: str) -> None:
    problem = _type_problem(item, value) or _range_problem(item, value)
    if problem:
        raise UsageError(f"{name} must be {problem}, got {value!r}")


_TYPE_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def _type_problem(item: "Field[Any]", value: Any) -> str:
    """What the value should have been, if its type is wrong."""
    expected = value_type(item)
    accepted = (int, float) if expected is float else (expected,)
    if is_list(item):
        parts = (value,) if isinstance(value, str) else value
        valid = isinstance(parts, (list, tuple)) and all(isinstance(part, accepted) for part in parts)
        return "" if valid else f"a list in which each item is {_TYPE_NAMES[expected]}"
    if value is None and item.default is None:
        return ""
    valid = isinstance(value, accepted) and (expected is bool or not isinstance(value, bool))
    return "" if valid else _TYPE_NAMES[expected]


def _range_problem(item: "Field[Any]", value: Any) -> str:
    """What the value should have been, if it is out of range."""
    rules = item.metadata
    if value is None:
        return ""
    if rules.get("choices") and value not in rules["choices"]:
        name, pattern = rules.get("besides", ("", ""))
        if not pattern or not re.fullmatch(pattern, value):
            return f"one of {', '.join(rules['choices'])}" + (f", or {name}" if name else "")
    if isinstance(value, float) and not abs(value) < float("inf"):
        return "a finite number"
    below = ("at_least" in rules and value < rules["at_least"]) or ("above" in rules and value <= rules["above"])
    return limits(item) if below or ("at_most" in rules and value > rules["at_most"]) else ""
