"""What a reader thinks of pairs, kept in a file: good or bad, and a note.

The file has one JSON object per marked pair and line, ``{"pair_id": "a-1", "mark": "good", "note": null}``. Where a
pair has several lines, the last one counts.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pairgen.atomic import write_text
from pairgen.errors import InvalidMarks, OutputError

GOOD, BAD = "good", "bad"
NONE = "none"
"""What conditions call the mark of a pair that has none."""

MARK_COLUMNS = ("mark", "note")
"""The columns that marks add to pairs."""


class Mark(NamedTuple):
    """What a reader thinks of a pair."""

    mark: str | None = None
    """``GOOD``, ``BAD``, or None for a pair that only has a note."""
    note: str | None = None
    rest: Mapping[str, Any] = {}
    """What else the file says of the pair; it is kept."""

    def columns(self) -> dict[str, str | None]:
        """The values of ``MARK_COLUMNS``."""
        return {"mark": self.mark, "note": self.note}


Marks = Mapping[str, Mark]
"""Marks by pair id, in the order in which pairs were first marked."""


def mark_columns(pair_ids: pa.Array, marks: Marks) -> dict[str, pa.Array]:
    """``MARK_COLUMNS`` of pairs, for conditions: the mark is ``NONE`` where there is none, the note is null."""
    found = pc.index_in(pair_ids, value_set=pa.array(list(marks), pa.string()))
    given = [mark.columns() for mark in marks.values()]
    values = {name: pa.array([each[name] for each in given], pa.string()).take(found) for name in MARK_COLUMNS}
    return {**values, "mark": pc.fill_null(values["mark"], NONE)}


def read_marks(file: Path) -> dict[str, Mark]:
    """The marks in a file; none if it does not exist.

    Raises:
        InvalidMarks: the file cannot be read, or a line is no mark.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidMarks(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise InvalidMarks(f"{file}: invalid UTF-8 ({error})") from error
    marks: dict[str, Mark] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            pair_id, mark = _parse(line, f"{file}, line {number}")
            marks[pair_id] = mark
    return marks


def _parse(line: str, where: str) -> tuple[str, Mark]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidMarks(f"{where}: invalid JSON ({error}); fix or remove the line") from error
    if not isinstance(found, dict) or not isinstance(found.get("pair_id"), str):
        raise InvalidMarks(f"{where}: must be an object with a `pair_id`; fix or remove the line")
    mark, note = found.get("mark"), found.get("note")
    if mark not in (GOOD, BAD, None):
        raise InvalidMarks(f"{where}: `mark` must be {GOOD}, {BAD} or null, got {mark!r}; fix or remove the line")
    if not isinstance(note, str | None):
        raise InvalidMarks(f"{where}: `note` must be a text or null, got {note!r}; fix or remove the line")
    rest = {key: value for key, value in found.items() if key not in ("pair_id", *MARK_COLUMNS)}
    return found["pair_id"], Mark(mark, note or None, rest)


def save_mark(file: Path, pair_id: str, mark: Mark) -> dict[str, Mark]:
    """Write a mark, or remove it if it is neither a mark nor a note, and return what the file says now.

    Other marks stay as they are in the file, which another reader may have changed meanwhile. It is replaced as a
    whole: if that fails, it is as before.

    Raises:
        InvalidMarks: a line of the file is no mark.
        OutputError: it cannot be written.
    """
    path = Path(os.path.realpath(file))  # a symbolic link is followed, not replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            marks = read_marks(path)
            if mark.mark or mark.note:
                marks[pair_id] = mark._replace(rest=marks.get(pair_id, mark).rest)
            else:
                marks.pop(pair_id, None)
            write_text(path, "".join(_line(name, given) for name, given in marks.items()))
    except (OSError, OutputError) as error:
        reason = getattr(error.__cause__ or error, "strerror", None) or error
        raise OutputError(
            f"{file}: cannot be written ({reason}); this mark was not saved, earlier ones are unchanged"
        ) from error
    return marks


def _line(pair_id: str, mark: Mark) -> str:
    entry = {"pair_id": pair_id, **mark.columns(), **mark.rest}
    line = json.dumps(entry, ensure_ascii=False)
    return (line if line.isprintable() else json.dumps(entry)) + "\n"  # half a surrogate pair cannot be written


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until no other reader writes marks in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
