"""Whatever a file contains, its rows are read, or counted as unreadable, or an error names the file."""

import codecs
import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pairgen.building.reading import Reader
from pairgen.errors import SourceError
from pairgen.sources import formats
from pairgen.sources.formats import Columns
from pairgen.sources.locate import resolve

Row = dict[str, Any]
COLUMNS = Columns(frozenset({"query", "response"}), frozenset({"type"}))


class Case(NamedTuple):
    """A file, the rows in it that can be read, and the number of those that cannot."""

    name: str
    content: bytes
    rows: list[Row]
    unreadable: int = 0


class Outcome(NamedTuple):
    rows: list[Row]
    unreadable: int


def read_all(path: Path, block_bytes: int) -> Outcome | SourceError:
    """Rows with the columns that are read, and the number of skipped ones, as a build reads them; or why it stops."""
    rows: list[Row] = []
    try:
        source = resolve([str(path)], "metamath", None, COLUMNS)["train"]
        reader = Reader({"train": source}, block_bytes, skip_invalid=True)
        for batch in reader.batches():
            found, invalid = batch.rows()
            reader.report("train", invalid)
            rows += (
                {name: value for name, value in row.items() if name in ("query", "response", "type")}
                for _, row in found
            )
    except SourceError as error:
        return error
    return Outcome(rows, reader.skipped["train"])


def check(case: Case, path: Path, block_bytes: int, is_compressed: bool) -> None:
    path = path / (f"{case.name}.gz" if is_compressed else case.name)
    path.write_bytes(gzip.compress(case.content) if is_compressed else case.content)
    outcome = read_all(path, block_bytes)
    if isinstance(outcome, SourceError):
        assert str(outcome).startswith(str(path))
        assert "\n" not in str(outcome)
        assert case.unreadable or not case.rows, f"a file of valid rows was refused: {outcome}"
    else:
        assert outcome == Outcome(case.rows, case.unreadable)


# ---------------------------------------------------------------- texts

ODD = [
    '"',
    '""',
    "'",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\ufeff",
    "\u2028",
    "}, {",
    "],[",
    "\\",
    "é😀",
    "[1",
    "NaN",
    ",",
    "a b",
]
TEXT = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8), st.lists(st.sampled_from(ODD), max_size=5).map("".join)
)
PLAIN = TEXT.map(lambda text: "".join(" " if character in "\t\n\r" else character for character in text))
"""A text without the characters that end a cell or a line."""


NO_RETURNS = TEXT.map(lambda text: text.replace("\r", " "))
"""Python's csv module does not quote a carriage return."""


def table(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.fixed_dictionaries({"query": text, "response": text, "type": text}), max_size=8)


# ---------------------------------------------------------------- JSON

BAD_LINES = [
    '{"query": "a", "resp',
    "[1, 2]",
    "null",
    "3",
    '{"query": "a"}',
    "\0",
    r'{"query": "\ud800", "response": ""}',
    "junk",
]


@st.composite
def json_lines(draw: st.DrawFn) -> Case:
    rows = draw(table(TEXT))
    bad = draw(st.lists(st.sampled_from(BAD_LINES), max_size=3))
    extra = draw(st.sampled_from(["", ', "score": NaN', ', "score": Infinity', ', "big": 1' + "0" * 400]))
    lines = [json.dumps(row, ensure_ascii=draw(st.booleans()))[:-1] + extra + "}" for row in rows]
    for line in bad:
        lines.insert(draw(st.integers(1 if lines else 0, len(lines))), line)
    for at in draw(st.lists(st.integers(0, len(lines)), max_size=3)):
        lines.insert(at, draw(st.sampled_from(["", "  ", "\t"])))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    content = end.join(lines) + draw(st.sampled_from(["", end]))
    mark = codecs.BOM_UTF8 if draw(st.booleans()) else b""
    return Case("rows.jsonl", mark + content.encode(), rows, len(bad))


@st.composite
def json_document(draw: st.DrawFn) -> Case:
    rows = draw(table(TEXT))
    indent, ascii_only = draw(st.sampled_from([None, 0, 2])), draw(st.booleans())

    def dumps(value: Any) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    cut = draw(st.integers(0, len(rows)))
    frame = pd.DataFrame(rows, columns=["query", "response", "type"])
    layouts: dict[str, Callable[[], str]] = {
        "list": lambda: dumps(rows),
        "list after list": lambda: dumps(rows[:cut]) + "\n" + dumps(rows[cut:]),
        "lines after a list": lambda: dumps(rows[:cut]) + "\n" + "\n".join(map(json.dumps, rows[cut:])),
        "objects": lambda: "\n".join(map(dumps, rows)),
        "NaN": lambda: dumps([{**row, "score": float("nan")} for row in rows]),
        "data": lambda: dumps({"version": "1", "data": rows}),
        "lists by column": lambda: dumps(frame.to_dict("list")),
        **{
            orient: lambda orient=orient: dumps(frame.to_dict(orient)) for orient in ("dict", "split", "tight", "index")
        },
    }
    layout = draw(st.sampled_from(sorted(layouts)))
    if not rows:
        assume(layout in ("list", "list after list"))
    mark = codecs.BOM_UTF8 if draw(st.booleans()) else b""
    return Case("rows.json", mark + layouts[layout]().encode(), rows)


@st.composite
def damaged_json(draw: st.DrawFn) -> Case:
    """A list followed by something else, cut, or with a changed byte: rows before the fault are not enough."""
    rows = draw(table(TEXT).filter(len))
    content = json.dumps(rows).encode()
    harm = draw(st.sampled_from([b"junk", b"]", b",", b'"', b"3", None]))
    content = content[: draw(st.integers(1, len(content) - 1))] if harm is None else content + b"\n" + harm
    return Case("rows.json", content, rows, unreadable=1)


# ---------------------------------------------------------------- CSV and TSV


def delimited(rows: list[Row], delimiter: str, quoting: int, end: str) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(
        buffer,
        ["query", "response", "type"],
        delimiter=delimiter,
        quoting=quoting,
        lineterminator=end,  # type: ignore[arg-type]
    )
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


@st.composite
def csv_file(draw: st.DrawFn) -> Case:
    rows = draw(table(NO_RETURNS))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    content = delimited(rows, ",", quoting, draw(st.sampled_from(["\n", "\r\n"])))
    ragged = draw(st.integers(0, 2))
    content += "a,b\n" * ragged
    return Case("rows.csv", (codecs.BOM_UTF8 if draw(st.booleans()) else b"") + content.encode(), rows, ragged)


@st.composite
def quoted_tsv(draw: st.DrawFn) -> Case:
    """Cells are quoted where needed, or all of them."""
    rows = draw(table(NO_RETURNS.map(lambda text: text.replace("\t", " "))))
    content = delimited(rows, "\t", draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])), "\n")
    return Case("rows.tsv", content.encode(), rows)


@st.composite
def raw_tsv(draw: st.DrawFn) -> Case:
    """Cells are never quoted, so that quotation marks are part of the text."""
    rows = draw(table(PLAIN.filter(lambda text: not text.startswith('"'))))
    lines = ["\t".join((row["query"], row["response"], row["type"])) for row in rows]
    assume(all(lines))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    content = end.join(["query\tresponse\ttype", *lines]) + draw(st.sampled_from(["", end]))
    return Case("rows.tsv", content.encode(), rows)


# ---------------------------------------------------------------- Arrow

EXTREME = pa.array([2**60, -(2**60), None, 0], pa.timestamp("ms"))


def arrow_table(rows: list[Row], extreme: bool) -> pa.Table:
    texts = pa.Table.from_pylist(
        rows, pa.schema([("query", pa.string()), ("response", pa.string()), ("type", pa.string())])
    )
    if not extreme:
        return texts
    return texts.set_column(2, "type", EXTREME.take(pa.array([index % 4 for index in range(len(rows))], pa.int64())))


@st.composite
def arrow_file(draw: st.DrawFn) -> Case:
    rows, extreme = draw(table(TEXT)), draw(st.booleans())
    data, size = arrow_table(rows, extreme), draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["parquet", "stream", "file", "feather"]))
    sink = pa.BufferOutputStream()
    if kind == "parquet":
        pq.write_table(data, sink, row_group_size=size)
    elif kind == "feather":
        pyarrow.feather.write_feather(data, sink, compression="lz4", chunksize=size)
    else:
        with (pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file)(sink, data.schema) as writer:
            writer.write_table(data, max_chunksize=size)
    if extreme:  # what Python cannot represent is missing
        times = [None if index % 4 == 2 else datetime(1970, 1, 1) for index in range(len(rows))]
        whole = [{**row, "type": time} for row, time in zip(rows, times, strict=True)]
        rows = [
            row if index % 4 in (2, 3) else {"query": row["query"], "response": row["response"]}
            for index, row in enumerate(whole)
        ]
    return Case("rows.parquet" if kind == "parquet" else "rows.arrow", sink.getvalue().to_pybytes(), rows)


# ---------------------------------------------------------------- the law

CASES = {
    "json lines": json_lines(),
    "json document": json_document(),
    "damaged json": damaged_json(),
    "csv": csv_file(),
    "quoted tsv": quoted_tsv(),
    "raw tsv": raw_tsv(),
    "arrow": arrow_file(),
}


def law(kind: str, examples: int, tmp_path: Path) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=CASES[kind], block_bytes=st.sampled_from([2, 60, 700, 1 << 20]), is_compressed=st.booleans())
    def holds(case: Case, block_bytes: int, is_compressed: bool) -> None:
        if not case.content:
            return
        seen["files"] += 1
        seen["rows"] += len(case.rows)
        check(case, tmp_path, block_bytes, is_compressed and formats.format_of(Path(case.name)).may_be_compressed)

    holds()
    return seen


@pytest.mark.parametrize("kind", CASES)
def test_no_row_is_lost(kind: str, tmp_path: Path) -> None:
    seen = law(kind, 40, tmp_path)
    assert seen["files"] > 20
    assert seen["rows"] > 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_no_row_is_lost_in_two_thousand_files(kind: str, tmp_path: Path) -> None:
    assert law(kind, 2000, tmp_path)["files"] > 1500
