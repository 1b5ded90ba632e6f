"""The rows of all parts of a source are its rows, with their numbers, wherever it is cut."""

import gzip
import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.errors import SourceError
from pairgen.sources import formats
from pairgen.sources.formats import Block, Columns
from pairgen.sources.locate import resolve
from pairgen.sources.origin import Source

COLUMNS = Columns(frozenset({"query", "response"}), None)

Read = list[tuple[str, str, int, Any]]
"""File, unit and number of each row, and the row."""

PIECES = [
    b'{"query": "a", "response": "b"}',
    b'{"query": "caf\xc3\xa9", "response": "\\n"}',
    b'{"query": "\xff", "response": "b"}',
    b'{"query": "a", "resp',
    b"[1, 2]",
    b"[{",
    b"}, {",
    b"NaN",
    b"",
    b" ",
    b"\t",
    b"\x0b\x0c",
    b"\0",
    b"\xef\xbb\xbf",
    "\u2028\x85".encode(),
]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\n\r", b""]
LINES = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(ENDS)), max_size=12).map(
    lambda pairs: b"".join(piece + end for piece, end in pairs)
)
BYTES = st.integers(1, 200)


def rows_in(blocks: Iterable[tuple[str, Block]]) -> Read:
    return [(file, block.unit, number, row) for file, block in blocks for number, row in block.rows()]


def whole(source: Source, block_bytes: int = 1 << 20) -> Read | str:
    try:
        return rows_in(source.blocks(block_bytes))
    except SourceError as error:
        return str(error)


def in_parts(source: Source, part_bytes: int, block_bytes: int) -> Read | str:
    """As another process reads the parts. Progress never goes back, and ends with all bytes."""
    rows: Read = []
    positions = [0]
    try:
        for part in source.parts(part_bytes):
            for file, block in pickle.loads(pickle.dumps(part))(block_bytes):  # noqa: S301
                positions.append(block.position)
                rows += rows_in([(file, block)])
    except SourceError as error:
        return str(error)
    assert positions == sorted(positions)
    assert positions[-1] <= source.size
    return rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    contents=st.lists(LINES, min_size=1, max_size=2),
    mark=st.booleans(),
    name=st.sampled_from(["rows.jsonl", "rows.ndjson", "rows.json", "rows.jsonl.gz"]),
    part_bytes=BYTES,
    block_bytes=BYTES,
)
def test_any_text_in_parts(
    contents: list[bytes], mark: bool, name: str, part_bytes: int, block_bytes: int, tmp_path: Path
) -> None:
    files = []
    for number, content in enumerate(contents):
        files.append(tmp_path / f"{number}-{name}")
        content = (b"\xef\xbb\xbf" if mark else b"") + content
        files[-1].write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    source = Source(COLUMNS, {}, tuple(files))
    assert in_parts(source, part_bytes, block_bytes) == whole(source, block_bytes)


def lines(rows: list[dict[str, Any]], path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def arrow_file(rows: list[dict[str, Any]], path: Path, is_stream: bool) -> None:
    table = pa.Table.from_pylist(rows)
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)


WRITERS = {
    "rows.jsonl": lines,
    "rows.json": lines,
    "rows.parquet": lambda rows, path: pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7),
    "stream.arrow": lambda rows, path: arrow_file(rows, path, is_stream=True),
    "file.arrow": lambda rows, path: arrow_file(rows, path, is_stream=False),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(WRITERS)), count=st.integers(1, 40), part_bytes=BYTES, block_bytes=BYTES)
def test_every_format_that_can_be_cut(name: str, count: int, part_bytes: int, block_bytes: int, tmp_path: Path) -> None:
    rows = [{"query": f"q{index}", "response": "r" * (index % 9)} for index in range(count)]
    files = (tmp_path / name, tmp_path / f"more-{name}")
    for file in files:
        WRITERS[name](rows, file)
    source = Source(COLUMNS, {}, files, names={"query": "response"})
    found = in_parts(source, part_bytes, block_bytes)
    assert found == whole(source)
    assert [row["response"] for *_, row in found] == [row["response"] for row in [*rows, *rows]]


@pytest.mark.parametrize("name", WRITERS)
def test_parts_are_small_and_have_about_the_size_asked_for(name: str, tmp_path: Path) -> None:
    rows = [{"query": f"question {index}", "response": "answer " * 20} for index in range(400)]
    WRITERS[name](rows, tmp_path / name)
    source = Source(COLUMNS, {}, (tmp_path / name,))
    parts = list(source.parts(source.size // 10))
    assert 5 <= len(parts) <= 30
    assert max(len(pickle.dumps(part)) for part in parts) < 2000


def test_parts_of_the_sample() -> None:
    source = resolve(["sample:100"], "metamath", None, Columns(frozenset()))["train"]
    assert len(list(source.parts(9_000))) == 12
    assert in_parts(source, 9_000, 2_500) == whole(source)


@pytest.mark.parametrize("limit", [1, 39, 40, 41, 100])
def test_a_limit_holds_over_all_files(limit: int, tmp_path: Path) -> None:
    files = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    for file in files:
        lines([{"query": "q", "response": f"{file.name} {index}"} for index in range(40)], file)
    source = Source(COLUMNS, {}, files, limit=limit)
    found = in_parts(source, 100, 100)
    assert found == whole(source)
    assert len(found) == min(limit, 80)


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "list.json", "rows.jsonl.gz"])
def test_what_cannot_be_cut_is_one_part(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    objects = [json.dumps({"query": f"q{index}", "response": "r"}) for index in range(50)]
    content = {
        "rows.csv": "query,response\n" + '"two\nlines",r\n' * 50,
        "rows.tsv": "query\tresponse\n" + "q\tr\n" * 50,
        "list.json": f"[{','.join(objects)}]",
    }.get(name, "\n".join(objects))
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    source = Source(COLUMNS, {}, (path,))
    assert len(list(source.parts(10))) == 1
    found = in_parts(source, 10, 100)
    assert found == whole(source)
    assert len(found) == 50


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines([{"query": "q", "response": "r"}] * 50, path)
    *_, last = formats.parts(path, COLUMNS, 100)
    lines([{"query": "q", "response": "r"}] * 10, path)
    with pytest.raises(SourceError, match="became shorter while it was read"):
        list(last(100))
