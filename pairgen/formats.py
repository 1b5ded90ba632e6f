"""Readers of row files. Each format has a cutter, which says where a file can be cut, and a reader of one cut.

A cut is ``(start, stop, size)``: bytes for JSON Lines, row groups for Parquet, record batches for Arrow; formats that
can only be read from the front are one cut. ``size`` is in bytes, for progress bars.
"""

import contextlib
import csv
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import BrokenRow, SourceError, UsageError, WrongColumns

CUT_BYTES = 8 << 20
_READ_BYTES = 1 << 20

Row = dict[str, Any]
Cut = tuple[int, int, int]
Numbered = Iterator[tuple[int, Row | str]]
"""Row numbers, counted from the start of the cut, with the row, or with what is wrong with it."""

ENDINGS = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}


def kind_of(path: Path) -> str:
    """The reader for a file, by its ending; a ``.json`` file of one object a line counts as JSON Lines.

    Raises:
        UsageError: an ending nobody reads.
    """
    endings = [ending.lower() for ending in path.suffixes]
    packed = endings[-1:] == [".gz"]
    ending = (endings[:-1] if packed else endings)[-1:]
    kind = ENDINGS.get(ending[0] if ending else "")
    if kind is None or (packed and kind in ("parquet", "arrow")):
        raise UsageError(f"{path}: its ending says nothing; rows are read from {', '.join(ENDINGS)} and .gz of texts")
    if kind == "list" and not _starts_with_bracket(path):
        return "lines"
    return kind


def _starts_with_bracket(path: Path) -> bool:
    with _open_text_bytes(path) as file:
        try:
            return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{path}: cannot be unpacked ({error}); get the file again") from error


def _open_text_bytes(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb", buffering=_READ_BYTES)


# ---------------------------------------------------------------- cutting


def _cut_lines(path: Path, columns: frozenset[str]) -> list[Cut]:
    """Byte ranges of about ``CUT_BYTES`` that end where lines end."""
    del columns
    size = path.stat().st_size
    if path.suffix.lower() == ".gz":
        return [(0, -1, size)]
    marks = [0]
    with path.open("rb") as file:
        while marks[-1] + CUT_BYTES < size:
            file.seek(marks[-1] + CUT_BYTES)
            file.readline()
            marks.append(min(file.tell(), size))
    if marks[-1] < size:
        marks.append(size)
    return [(start, stop, stop - start) for start, stop in itertools.pairwise(marks)]


def _one_cut(path: Path, columns: frozenset[str]) -> list[Cut]:
    del columns
    return [(0, -1, path.stat().st_size)]


def _cut_csv(path: Path, columns: frozenset[str]) -> list[Cut]:
    with _open_csv(path) as reader:
        check_columns(path, next(reader, []), columns)
    return _one_cut(path, columns)


def _cut_parquet(path: Path, columns: frozenset[str]) -> list[Cut]:
    with _arrow_errors(path), pq.ParquetFile(path) as file:
        check_columns(path, file.schema_arrow.names, columns)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        return [(index, index + 1, group.total_byte_size) for index, group in enumerate(groups) if group.num_rows]


def _cut_arrow(path: Path, columns: frozenset[str]) -> list[Cut]:
    """Ranges of record batches of about ``CUT_BYTES``; finding them touches no row."""
    cuts, start, size = [], 0, 0
    with _arrow_errors(path), pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        check_columns(path, reader.schema.names, columns)
        index = -1
        for index, batch in enumerate(reader):
            size += batch.nbytes
            if size >= CUT_BYTES:
                cuts.append((start, index + 1, size))
                start, size = index + 1, 0
        if start <= index:
            cuts.append((start, index + 1, size))
    return cuts


CUTTERS: dict[str, Callable[[Path, frozenset[str]], list[Cut]]] = {
    "lines": _cut_lines,
    "list": _one_cut,
    "csv": _cut_csv,
    "parquet": _cut_parquet,
    "arrow": _cut_arrow,
}


# ---------------------------------------------------------------- reading


def read(
    kind: str,
    path: Path,
    start: int,
    stop: int,
    columns: frozenset[str],
    optional: frozenset[str],
    skipped: list[str] | None,
) -> Iterator[Row]:
    """The rows of one cut that are whole and have every column of ``columns``; see ``sources.rows``."""
    wanted = columns | optional
    first_checked = False
    for number, row in READERS[kind](path, start, stop, wanted):
        if type(row) is dict:
            if columns <= row.keys():
                yield row
                first_checked = True
                continue
            if not first_checked and skipped is None:
                check_columns(path, list(row), columns)
            problem = f"has no {', '.join(sorted(columns - row.keys()))}"
        else:
            problem = str(row)
        broken = BrokenRow(_where(kind, path, start, number), problem)
        if skipped is None:
            raise broken
        skipped.append(f"{broken.where}: {problem}")


def check_columns(path: Path, found: list[str], wanted: frozenset[str]) -> None:
    """Raise WrongColumns, naming what was found and what was wanted, unless every wanted column is there."""
    if not wanted <= set(found):
        raise WrongColumns(
            f"{path}: has the columns {', '.join(map(str, found)) or '(none)'}; "
            f"{', '.join(sorted(wanted))} are needed: is it the right file for this dataset?"
        )


def _where(kind: str, path: Path, start: int, number: int) -> str:
    if kind == "lines":
        return f"{path}: line {_lines_before(path, start) + number + 1}"
    if kind == "csv":
        return f"{path}: line {number}"
    return f"{path}: row {number + 1}"


def _lines_before(path: Path, stop: int) -> int:
    """Lines in the first ``stop`` bytes; counted only when a row is broken."""
    lines = 0
    with _open_text_bytes(path) as file:
        while stop > 0 and (block := file.read(min(stop, _READ_BYTES))):
            lines += block.count(b"\n")
            stop -= len(block)
    return lines


def _read_lines(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    del wanted
    loads = orjson.loads
    with _open_text_bytes(path) as file:
        file.seek(start)
        left = stop - start if stop >= 0 else 1 << 62
        try:
            for number, line in enumerate(file):
                left -= len(line)
                try:
                    row = loads(line)
                    yield number, (row if type(row) is dict else "is no JSON object")
                except orjson.JSONDecodeError as error:
                    if number == 0 and start == 0 and line[:3] == b"\xef\xbb\xbf":
                        if line[3:].strip():
                            yield number, _row_or_problem(line[3:])
                    elif line.strip():
                        yield number, f"is broken JSON ({_short(error)})"
                if left <= 0:
                    break
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: ends too early or is damaged ({error}); get the file again") from error


def _row_or_problem(line: bytes) -> Row | str:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"is broken JSON ({_short(error)})"
    return row if type(row) is dict else "is no JSON object"


def _short(error: Exception) -> str:
    return str(error).split(": line ")[0]


def _read_list(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    """A JSON list, one element at a time, so that memory holds one block of the file and not the list.

    A broken element ends the reading: nothing says where the next one would begin.
    """
    del start, stop, wanted
    decode = json.JSONDecoder().raw_decode
    buffer, position, number = "", 0, 0
    with _open_text_bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig") as file:

        def more() -> bool:
            nonlocal buffer, position
            try:
                block = file.read(max(_READ_BYTES, len(buffer) - position))
            except UnicodeDecodeError as error:
                raise SourceError(f"{path}: row {number + 1} or a later one is no UTF-8 ({error.reason})") from error
            except (EOFError, OSError, zlib.error) as error:
                raise SourceError(f"{path}: ends too early or is damaged ({error}); get the file again") from error
            buffer, position = buffer[position:] + block, 0
            return bool(block)

        def next_sign() -> str:
            nonlocal position
            while True:
                while position < len(buffer) and buffer[position] in " \t\r\n":
                    position += 1
                if position < len(buffer):
                    return buffer[position]
                if not more():
                    return ""

        def next_element() -> Any:
            nonlocal position
            while True:
                sign = next_sign()
                try:
                    row, position = decode(buffer, position)
                    return row
                except (json.JSONDecodeError, RecursionError) as error:
                    if not (sign and isinstance(error, json.JSONDecodeError) and _may_be_cut(error) and more()):
                        raise _no_way_on(f"{path}: row {number + 1}", f"is broken JSON ({_short(error)})") from error

        next_sign()
        position += 1  # the opening bracket, which `kind_of` saw
        while (sign := next_sign()) != "]":
            if number:
                if sign != ",":
                    raise _no_way_on(f"{path}: row {number}", "is not followed by a comma or the end of the list")
                position += 1
            row = next_element()
            yield number, _whole(row)
            number += 1


def _whole(row: Any) -> Row | str:
    r"""The row, or what is wrong with it: Python's parser takes half a surrogate pair (``"\ud83d"``)."""
    if type(row) is not dict:
        return "is no JSON object"
    try:
        orjson.dumps(row)
    except orjson.JSONEncodeError as error:
        if "surrogates" in str(error):
            return "holds half a surrogate pair, which is no valid Unicode"
    return row


def _no_way_on(where: str, problem: str) -> SourceError:
    """For a fault behind which no next row can be found, so that it cannot be skipped."""
    return SourceError(f"{where} {problem}; nothing behind it can be read, mend it or get the file again")


def _may_be_cut(error: json.JSONDecodeError) -> bool:
    """Whether more of the file could mend an error: it is at the end of what was read, or in a string without end."""
    return error.pos > len(error.doc) - 20 or error.msg.startswith("Unterminated string")


def _read_csv(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    """Cells that hold a JSON list or object, as columns of choices do, are read as such; all others are text."""
    del start, stop
    with _open_csv(path) as reader:
        names: list[str] = next(reader, [])
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                yield reader.line_num, f"has {len(cells)} cells, the header has {len(names)}"
                continue
            row = {name: _cell(cell) for name, cell in zip(names, cells, strict=True) if name in wanted}
            yield reader.line_num, row


@contextlib.contextmanager
def _open_csv(path: Path) -> Iterator[Any]:
    """The lines of a CSV file, cut into cells; what is wrong with it in one sentence."""
    csv.field_size_limit(1 << 27)
    dialect = "excel-tab" if ".tsv" in [ending.lower() for ending in path.suffixes] else "excel"
    with _open_text_bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        reader = csv.reader(file, dialect, strict=True)
        try:
            yield reader
        except csv.Error as error:
            raise _no_way_on(f"{path}: line {reader.line_num}", f"is broken CSV ({error})") from error
        except UnicodeDecodeError as error:
            where = f"{path}: line {reader.line_num + 1} or a later one"
            raise _no_way_on(where, f"is no UTF-8 ({error.reason})") from error
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: ends too early or is damaged ({error}); get the file again") from error


def _cell(cell: str) -> Any:
    if cell[:1] in ("[", "{"):
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            return cell
    return cell


def _read_parquet(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    with _arrow_errors(path), pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name in wanted]
        number = sum(file.metadata.row_group(index).num_rows for index in range(start))
        for batch in file.iter_batches(1024, list(range(start, stop)), columns=names):
            yield from enumerate(batch.to_pylist(), number)
            number += batch.num_rows


def _read_arrow(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    with _arrow_errors(path), pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        names = [name for name in reader.schema.names if name in wanted]
        number = 0
        for index, batch in enumerate(reader):
            if index >= stop:
                return
            if index >= start:
                yield from enumerate(batch.select(names).to_pylist(), number)
            number += batch.num_rows


READERS: dict[str, Callable[[Path, int, int, frozenset[str]], Numbered]] = {
    "lines": _read_lines,
    "list": _read_list,
    "csv": _read_csv,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
}


@contextlib.contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what pyarrow found wrong with a file."""
    try:
        yield
    except (pa.lib.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({str(error).partition(chr(10))[0]}); get it again") from error


def shards(folder: Path) -> list[Path]:
    """The Arrow files of a folder that ``save_to_disk`` wrote, in order.

    Raises:
        SourceError: ``state.json`` is broken, or names a file that is not there.
    """
    try:
        state = orjson.loads((folder / "state.json").read_bytes())
        files = [folder / Path(entry["filename"]).name for entry in state["_data_files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{folder / 'state.json'}: is not what save_to_disk writes ({error!r})") from error
    for file in files:
        if not file.is_file():
            raise SourceError(f"{file}: named in state.json but not there; get the folder again")
    return files
