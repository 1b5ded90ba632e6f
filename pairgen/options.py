"""Options as frozen dataclasses: one field per option holds its default, help text and limits.

The command line makes its flags from these fields, TOML files and manifests hold their values, and the checks here give
the same message for all of them.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

from pairgen.errors import UsageError

T = TypeVar("T")


def option(
    default: Any,
    help: str,
    *,
    choices: Collection[str] = (),
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    **more: Any,
) -> Any:
    """A dataclass field with its help text and the values it accepts.

    Args:
        choices: allowed values; a table is looked up at each check, so entries added later are accepted.
        at_least, at_most, above: bounds of a number.
        more: further metadata, for whoever reads the fields.
    """
    rules = {"choices": choices, "at_least": at_least, "at_most": at_most, "above": above}
    return field(default=default, metadata={"help": help, **rules, **more})


def flag(name: str) -> str:
    """The flag of an option: ``batch_size`` is ``--batch-size``."""
    return "--" + name.replace("_", "-")


def kind(item: "Field[Any]") -> Any:
    """The type of an option's value, without None: ``int`` for ``int | None``."""
    return next((part for part in get_args(item.type) if part not in (type(None), ...)), item.type)


def is_list(item: "Field[Any]") -> bool:
    """Whether an option takes several values, as ``tuple[str, ...]`` does."""
    return getattr(item.type, "__origin__", None) is tuple


def check(options: Any) -> None:
    """Check the values of an options object; call it from ``__post_init__``.

    A single string for an option that takes several becomes a tuple of one.

    Raises:
        UsageError: a value of another type, out of range, or not among the choices.
    """
    for item in fields(options):
        value = getattr(options, item.name)
        if is_list(item) and isinstance(value, (str, list)):
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(options, item.name, value)
        problem = _type_problem(item, value) or _range_problem(item, value)
        if problem:
            raise UsageError(f"{flag(item.name)} {value}: must be {problem}")


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """An options object from plain values, as a TOML file or the command line gives them.

    Raises:
        UsageError: an unknown option, or a value that the class does not accept.
    """
    check_names(cls, values, where)
    return cls(**values)


def check_names(cls: type[Any], values: Mapping[str, Any], where: str) -> None:
    """Raise UsageError for an unknown option, or a value of the wrong type; names ``where`` it was found."""
    known = {item.name: item for item in fields(cls)}
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{where}: unknown option {name}; available: {', '.join(known)}")
        problem = _type_problem(known[name], value)
        if problem:
            raise UsageError(f"{where}: {name} is {value!r} and must be {problem}")


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file. Raises UsageError if it cannot be read or is not valid TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: invalid TOML ({error})") from error


def arguments(options: Any) -> Iterator[str]:
    """The command-line words for every option that differs from its default."""
    for item in fields(options):
        value = getattr(options, item.name)
        if value == item.default:
            continue
        name = item.metadata.get("flag") or flag(item.name)
        if isinstance(value, bool):
            yield name if value else f"--no-{name[2:]}"
        else:
            for part in value if is_list(item) else (value,):
                yield from (name, str(part))


_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def _type_problem(item: "Field[Any]", value: Any) -> str:
    """What a value should have been, if its type is wrong."""
    wanted = kind(item)
    if is_list(item):
        texts = (value,) if isinstance(value, str) else value
        good = isinstance(texts, (list, tuple)) and all(isinstance(text, wanted) for text in texts)
        return "" if good else f"a list of {_KINDS[wanted].split()[-1]}s"
    if value is None and item.default is None:
        return ""
    accepted = (int, float) if wanted is float else (wanted,)
    good = isinstance(value, accepted) and (wanted is bool or not isinstance(value, bool))
    return "" if good else _KINDS[wanted]


def _range_problem(item: "Field[Any]", value: Any) -> str:
    """What a value should have been, if it is out of range."""
    rules = item.metadata
    if value is None:
        return ""
    if rules.get("choices") and value not in rules["choices"]:
        return f"one of {', '.join(rules['choices'])}"
    if isinstance(value, float) and not abs(value) < float("inf"):
        return "a finite number"
    if rules.get("at_least") is not None and value < rules["at_least"]:
        return f"at least {rules['at_least']}"
    if rules.get("at_most") is not None and value > rules["at_most"]:
        return f"at most {rules['at_most']}"
    if rules.get("above") is not None and value <= rules["above"]:
        return f"above {rules['above']}"
    return ""
