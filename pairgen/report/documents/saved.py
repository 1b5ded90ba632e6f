"""Reading the folder of a report, as ``bundle`` makes it."""

import dataclasses
import json
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pairgen.errors import InvalidReport
from pairgen.report.documents.content import Figure, Report
from pairgen.report.documents.markdown import FOLDER

SEQUENCE: Any = Sequence
NUMBERS = "report.json"
"""The file with all that is in a report."""


class SavedReport(NamedTuple):
    """A report as it was written."""

    report: Report
    drawings: Mapping[str, bytes]
    """The SVG files of its figures, by the names of the figures; some or all may be missing."""


def read_report(folder: Path) -> SavedReport:
    """Read the report in a folder.

    Raises:
        InvalidReport: a file is missing, unreadable or damaged.
    """
    file = folder / NUMBERS
    try:
        report: Report = _read(Report, json.loads(file.read_text("utf-8")))
        drawings = {
            figure.name: path.read_bytes()
            for figure in report.figures
            if (path := folder / FOLDER / f"{figure.name}.svg").is_file()
        }
    except OSError as error:
        raise InvalidReport(f"{error.filename or file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise InvalidReport(f"{file}: not a report of this release ({problem}); run the study again") from error
    return SavedReport(report, drawings)


def _read(hint: Any, value: Any) -> Any:
    """A value of JSON as the type that it was written from; null stands for NaN where a number is required."""
    kind = get_origin(hint) or hint
    if kind in (types.UnionType, Union):
        return _read(_member(get_args(hint), value), value)
    if kind is Figure:
        kinds = {found.__name__.lower(): found for found in Figure.__subclasses__()}
        return _read(kinds[value["kind"]], value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        names = [item.name for item in dataclasses.fields(kind) if item.name in value]  # others may be newer
        return kind(**{name: _read(hints[name], value[name]) for name in names})
    if kind is SEQUENCE:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, found {value!r:.60}")
        return [_read(get_args(hint)[0], item) for item in value]
    if kind is Mapping:
        return {name: _read(get_args(hint)[1], item) for name, item in value.items()}
    if kind is float and value is None:
        return math.nan
    numbers = (int, float) if kind is float else kind
    if kind in (str, float, int, bool) and not isinstance(value, numbers):
        raise TypeError(f"expected {kind.__name__}, found {value!r:.60}")
    return value


def _member(members: tuple[Any, ...], value: Any) -> Any:
    """The type of a union that a value of JSON has."""
    if isinstance(value, dict):
        return next((member for member in members if dataclasses.is_dataclass(member)), Any)
    if isinstance(value, list):
        return next((member for member in members if get_origin(member) is SEQUENCE), Any)
    return Any
