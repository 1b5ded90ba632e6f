"""Every format yields the rows that were written, whatever the size of blocks; invalid input is one message."""

import csv
import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.building.reading import Reader
from pairgen.errors import InvalidRow, SourceError, UsageError, WrongColumns
from pairgen.sources import formats
from pairgen.sources.formats import Columns
from pairgen.sources.origin import Source

Row = dict[str, Any]
COLUMNS = frozenset({"query", "response"})
ROWS: list[Row] = [
    {"query": "How many pens?", "response": "He buys 3 * 4 = 12 pens.\nThe answer is: 12", "type": "GSM_AnsAug"},
    {"query": 'A "quoted", cut\tcell', "response": "naïve e\u0301 日本 😀👩‍👩‍👧", "type": "x"},
    {"query": "line\u2028separator\x85next", "response": "\\n is no newline; \\u0041", "type": ""},
    *({"query": f"q{index}", "response": f"r{index} " * (index % 9 + 1), "type": "t"} for index in range(40)),
]


def as_lines(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def as_list(path: Path, rows: list[Row]) -> None:
    path.write_text(json.dumps(rows, indent=1), "utf-8")


def as_csv(path: Path, rows: list[Row], dialect: str = "excel") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), dialect=dialect)
        writer.writeheader()
        writer.writerows(rows)


def as_tsv(path: Path, rows: list[Row]) -> None:
    as_csv(path, rows, "excel-tab")


def as_parquet(path: Path, rows: list[Row]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)


def as_arrow(path: Path, rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=5)


WRITERS: dict[str, Callable[[Path, list[Row]], None]] = {
    "rows.jsonl": as_lines,
    "rows.ndjson": as_lines,
    "lines.json": as_lines,
    "list.json": as_list,
    "rows.csv": as_csv,
    "rows.tsv": as_tsv,
    "rows.parquet": as_parquet,
    "rows.arrow": as_arrow,
    "UPPER.JSONL": as_lines,
}
PACKED = ("rows.jsonl", "lines.json", "list.json", "rows.csv", "rows.tsv")


def pack(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def read(path: Path, skipped: list[str] | None = None, block_bytes: int = formats.BLOCK_BYTES) -> list[Row]:
    """The rows of a file, as a build reads them. Unreadable ones go to ``skipped``, if given."""
    source = Source(Columns(COLUMNS, frozenset({"type"})), {}, (path,))
    reader = Reader({"train": source}, block_bytes, skip_invalid=skipped is not None)
    formats.check_rows(path, source.columns)
    rows, positions = [], [0]
    for batch in reader.batches():
        positions.append(batch.position)
        found, invalid = pickle.loads(pickle.dumps(batch)).rows()  # noqa: S301 - as a worker process receives it
        reader.report("train", invalid)
        rows += (row for _, row in found)
        if skipped is not None:
            skipped += (f"{row.location}: {row.problem}" for row in invalid)
    assert positions == sorted(positions)
    assert positions[-1] <= path.stat().st_size
    return rows


@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 20])
@pytest.mark.parametrize("name", WRITERS)
def test_a_limit_yields_the_first_rows(name: str, block_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, ROWS)
    for limit in (1, 5, len(ROWS) - 1, len(ROWS), len(ROWS) + 1):
        source = Source(Columns(COLUMNS), {}, (path, path), limit=limit)
        blocks = (pickle.loads(pickle.dumps(block)) for _, block in source.blocks(block_bytes))  # noqa: S301
        rows = [row["query"] for block in blocks for _, row in block.rows() if isinstance(row, dict)]
        assert rows == [row["query"] for row in [*ROWS, *ROWS][:limit]]


def test_nothing_is_read_after_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(ROWS)[:-1] + "damaged")
    source = Source(Columns(COLUMNS), {}, (path, file_with(tmp_path, "other.json", "damaged")), limit=3)
    assert sum(1 for _, block in source.blocks(300) for _ in block.rows()) == 3


def file_with(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def message(error: pytest.ExceptionInfo[BaseException]) -> str:
    """What a person reads; held to be one line without a parser's jargon around it."""
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


# ---------------------------------------------------------------- whole files


@pytest.mark.parametrize("block", [64, 700, 1 << 20])
@pytest.mark.parametrize("name", [*WRITERS, *(f"{name}.gz" for name in PACKED)])
def test_every_format_yields_the_rows(name: str, block: int, tmp_path: Path) -> None:
    plain = tmp_path / name.removesuffix(".gz")
    WRITERS[plain.name](plain, ROWS)
    assert read(pack(plain) if name.endswith(".gz") else plain, block_bytes=block) == ROWS


@pytest.mark.parametrize("name", [*WRITERS, *(f"{name}.gz" for name in PACKED)])
def test_positions_move_evenly(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.text, "BUFFER_BYTES", 1000)
    plain = tmp_path / name.removesuffix(".gz")
    rows = [
        {"query": f"{index * 7919 % 10_007}", "response": f"{hash((index, 1))}", "type": ""} for index in range(9000)
    ]
    WRITERS[plain.name](plain, rows)
    path = pack(plain) if name.endswith(".gz") else plain
    blocks = formats.read(path, Columns(COLUMNS), 1000)
    positions = [block.position for block in blocks for _ in block.rows()]
    size = path.stat().st_size
    assert len(positions) == len(rows)
    assert positions[-1] > 0.9 * size
    for index in range(0, len(positions), 1000):
        assert abs(positions[index] / size - index / len(rows)) < 0.2


def test_unwanted_columns_are_not_read(tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.parquet", "rows.arrow"):
        WRITERS[name](tmp_path / name, [{**row, "heavy": "x" * 1000} for row in ROWS])
        assert read(tmp_path / name) == ROWS


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_a_table_without_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    empty = pa.Table.from_pylist(ROWS).slice(0, 0)
    if name.endswith("parquet"):
        pq.write_table(empty, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, empty.schema):
            pass
    assert read(path) == []


def test_shards_of_a_saved_dataset_are_in_order(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved", num_shards=3)
    files = formats.shards(tmp_path / "saved")
    assert len(files) == 3
    assert [row for file in files for row in read(file)] == ROWS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "was not written by save_to_disk"),
        ("[]", "was not written by save_to_disk"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "gone.arrow: listed in state.json but missing"),
    ],
)
def test_invalid_state_json(content: str, words: str, tmp_path: Path) -> None:
    file_with(tmp_path, "state.json", content)
    with pytest.raises(SourceError, match=words) as error:
        formats.shards(tmp_path)
    assert str(tmp_path) in message(error)


# ---------------------------------------------------------------- layouts of JSON

SOME_ROWS = st.lists(
    st.fixed_dictionaries({"query": st.text(max_size=12), "response": st.text(max_size=30)}), max_size=12
)
LAYOUT = st.tuples(
    st.sampled_from(["\n", "\r\n"]),  # line ends
    st.booleans(),  # byte order mark
    st.booleans(),  # a line end behind the last row
    st.lists(st.integers(0, 12), max_size=3),  # blank lines, and in front of which rows
    st.booleans(),  # only ASCII
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=SOME_ROWS, layout=LAYOUT)
def test_json_lines_in_any_layout(
    rows: list[Row], layout: tuple[str, bool, bool, list[int], bool], tmp_path: Path
) -> None:
    end, mark, closed, blanks, ascii_only = layout
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    for at in blanks:
        lines.insert(min(at, len(lines)), "  ")
    content = end.join(lines) + (end if closed else "")
    path = file_with(tmp_path, "rows.jsonl", (b"\xef\xbb\xbf" if mark else b"") + content.encode())
    assert read(path) == rows


NESTED_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "query": st.sampled_from(["a", "}, {", "},{", "]", '\\"},{', "x" * 50]),
            "response": st.one_of(st.text(max_size=9), st.lists(st.just({"a": "b"}), max_size=3)),
        }
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=NESTED_ROWS, block=st.integers(2, 400), indent=st.sampled_from([None, 0, 3]))
def test_boundaries_of_objects_inside_rows_of_a_list(
    rows: list[Row], block: int, indent: int | None, tmp_path: Path
) -> None:
    path = file_with(tmp_path, "rows.json", json.dumps(rows, indent=indent))
    assert read(path, block_bytes=block) == rows


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=SOME_ROWS, block=st.integers(2, 40), indent=st.sampled_from([None, 0, 3]), ascii_only=st.booleans())
def test_json_list_in_blocks_of_any_size(
    rows: list[Row], block: int, indent: int | None, ascii_only: bool, tmp_path: Path
) -> None:
    path = file_with(tmp_path, "rows.json", json.dumps(rows, indent=indent, ensure_ascii=ascii_only))
    assert read(path, block_bytes=block) == rows


def test_number_at_the_end_of_a_block(tmp_path: Path) -> None:
    rows = [{"query": 1234567890 * 10**index, "response": -12.5e-7} for index in range(8)]
    path = file_with(tmp_path, "rows.json", json.dumps(rows))
    for block in range(2, 80):
        assert read(path, block_bytes=block) == rows


# ---------------------------------------------------------------- bad input

GOOD = '{"query": "a", "response": "b"}\n'
DEEP = '{"query": "a", "response": ' + "[" * 100_000 + "}\n"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('{"query": "a", "resp', "invalid JSON"),
        ("[1, 2]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('{"query": "a"}', "has no response"),
        (b'{"query": "a", "response": "\xff\xfe"}', "is not UTF-8"),
        (r'{"query": "a", "response": "\ud800"}', "contains half a surrogate pair"),
        (DEEP, "invalid JSON (nested too deeply)"),
        ("\x00\x00", "invalid JSON"),
    ],
)
@pytest.mark.parametrize(("before", "packed"), [(0, False), (7, False), (7, True)])
def test_invalid_line_is_located(bad: str | bytes, words: str, before: int, packed: bool, tmp_path: Path) -> None:
    line = bad if isinstance(bad, bytes) else bad.encode()
    good = GOOD.encode()
    path = file_with(tmp_path, "rows.jsonl", good * before + b"\n" + line + b"\n" + good * 3)
    path = pack(path) if packed else path
    where = f"{path}: line {before + 2}"
    with pytest.raises(InvalidRow) as error:
        read(path)
    assert message(error).startswith(f"{where}: {words}")
    assert "--on-error skip" in str(error.value)
    skipped: list[str] = []
    assert len(read(path, skipped)) == before + 3
    assert len(skipped) == 1
    assert skipped[0].startswith(f"{where}: {words}")


@pytest.mark.parametrize(
    ("rows", "number", "words"),
    [
        ([GOOD, "3", GOOD], 2, "is not a JSON object"),
        ([GOOD, '{"query": "a"}'], 2, "has no response"),
        ([GOOD, GOOD, r'{"query": "a", "response": "\ud83d?"}'], 3, "half a surrogate pair"),
        ([r'{"query": "a", "response": "b", "\udc00": 1}', GOOD], 1, "half a surrogate pair"),
    ],
)
def test_unusable_element_of_a_list_can_be_skipped(rows: list[str], number: int, words: str, tmp_path: Path) -> None:
    path = file_with(tmp_path, "rows.json", f"[{','.join(rows)}]")
    with pytest.raises(InvalidRow, match=words) as error:
        read(path)
    assert message(error).startswith(f"{path}: row {number}: ")
    skipped: list[str] = []
    assert len(read(path, skipped)) == len(rows) - 1
    assert len(skipped) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"[{GOOD},{GOOD}", "row 2 is not followed by a comma or the end of the list"),
        (f"[{GOOD},", "row 2 is invalid JSON"),
        (f"[{GOOD}{GOOD}]", "row 1 is not followed by a comma"),
        (f'[{GOOD},{{"query": "a', "row 2 is invalid JSON"),
        (f"[{GOOD},{{'query'}}]", "row 2 is invalid JSON"),
        (f"[{GOOD},]", "row 2 is invalid JSON"),
        ("[", "row 1 is invalid JSON"),
        ("[" * 100_000, "row 1 is invalid JSON"),
        (b'[{"query": "a", "response": "\xff"}]', "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("skipping", [False, True])
def test_invalid_list_is_one_message(content: str | bytes, words: str, skipping: bool, tmp_path: Path) -> None:
    path = file_with(tmp_path, "rows.json", content)
    with pytest.raises(SourceError) as error:
        read(path, [] if skipping else None, block_bytes=32)
    assert words in message(error)
    assert str(path) in str(error.value)
    assert "--on-error skip" not in str(error.value), "nothing after the fault can be read"


HEADER = "query,response\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEADER + "a,b\na,b,c\n", "line 3: has 3 cells, but the header has 2"),
        (HEADER + "a\n", "line 2: has 1 cell, but the header has 2"),
        (HEADER + '"a\nb",b\n\na,b,c\n', "line 5: has 3 cells"),
        (HEADER + 'a,"b"c"\n', "line 2: invalid CSV"),
        (HEADER + 'a,"b\n', "invalid CSV"),
        (HEADER.encode() + b"a,\xff\n", "line 2 is not UTF-8"),
        (
            "question,answer\na,b\n",
            "has the columns question, answer, but not query, response; check that the file fits",
        ),
        ("\n", r"has the columns \(none\), but"),
    ],
)
def test_invalid_csv(content: str | bytes, words: str, tmp_path: Path) -> None:
    path = file_with(tmp_path, "rows.csv", content)
    with pytest.raises(SourceError, match=words) as error:
        read(path)
    assert message(error).startswith(str(path))


def test_ragged_csv_can_be_skipped(tmp_path: Path) -> None:
    path = file_with(tmp_path, "rows.csv", HEADER + "a,b\nc\nd,e\n")
    skipped: list[str] = []
    assert read(path, skipped) == [{"query": "a", "response": "b"}, {"query": "d", "response": "e"}]
    assert skipped == [f"{path}: line 3: has 1 cell, but the header has 2"]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("harm", ["cut", "turned", "garbage"])
def test_damaged_gz(name: str, harm: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, [{**row, "query": f"{row['query']}{index}"} for index, row in enumerate(ROWS)])
    whole = pack(tmp_path / name).read_bytes()
    middle = len(whole) // 2
    harmed = {"cut": whole[:middle], "turned": whole[:-6] + b"\0\0\0\0\0\0", "garbage": b"no gzip at all"}[harm]
    path = file_with(tmp_path, f"{name}.gz", harmed)
    with pytest.raises(SourceError) as error:
        read(path, [])
    assert message(error).startswith(str(path))
    assert "download or copy it again" in str(error.value)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
@pytest.mark.parametrize("harm", ["garbage", "cut", "short"])
def test_damaged_table(name: str, harm: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, ROWS)
    whole = path.read_bytes()
    path.write_bytes({"garbage": b"garbage" * 40, "cut": whole[: len(whole) // 2], "short": b"P"}[harm])
    with pytest.raises(SourceError, match="cannot be read") as error:
        read(path)
    assert message(error).startswith(str(path))


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_table_with_invalid_utf8(name: str, tmp_path: Path) -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, data])
    table = pa.table({"query": broken, "response": ["b"], "type": ["t"]})
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    with pytest.raises(SourceError, match="cannot be read") as error:
        read(path)
    assert message(error).startswith(str(path))


@pytest.mark.parametrize("name", WRITERS)
def test_wrong_columns_are_listed(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, [{"question": "a", "answer": "b"}])
    with pytest.raises(WrongColumns) as error:
        read(tmp_path / name)
    assert (
        f"{tmp_path / name}: has the columns question, answer, but not query, response; check that the file fits"
        in message(error)
    )


@pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.gz", "rows.parquet.gz", "rows.arrow.gz", "jsonl"])
def test_unsupported_extension(name: str, tmp_path: Path) -> None:
    path = file_with(tmp_path, name, GOOD)
    with pytest.raises(UsageError, match=r"\.jsonl, .*\.parquet") as error:
        formats.format_of(path)
    assert message(error).startswith(str(path))


def test_row_of_ten_megabytes(tmp_path: Path) -> None:
    rows = [{"query": "a", "response": "x" * 10_000_000}, {"query": "b", "response": "c"}]
    for name in ("rows.jsonl", "list.json", "rows.csv"):
        WRITERS[name](tmp_path / name, rows)
        assert read(tmp_path / name) == rows


# ---------------------------------------------------------------- files that are not what their name says


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows.parquet", "rows.arrow"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "is a Git LFS pointer"),
        ("query,response\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (gzip.compress(b"{}", mtime=0), "is compressed with gzip; add .gz to its name"),
        (b"PK\x03\x04rest", "is a zip archive; unpack it"),
    ],
)
def test_content_of_another_kind_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    path = file_with(tmp_path, name, content)
    with pytest.raises(SourceError, match=words) as error:
        read(path)
    assert message(error).startswith(str(path))


def test_table_under_the_name_of_another_format(tmp_path: Path) -> None:
    as_parquet(tmp_path / "rows.parquet", ROWS)
    as_arrow(tmp_path / "rows.arrow", ROWS)
    with pytest.raises(SourceError, match=r"is a Parquet file; name it \.parquet"):
        read((tmp_path / "rows.parquet").rename(tmp_path / "rows.jsonl"))
    with pytest.raises(SourceError, match="cannot be read"):
        read((tmp_path / "rows.arrow").rename(tmp_path / "rows2.parquet"))


def test_list_named_jsonl_is_read(tmp_path: Path) -> None:
    as_list(tmp_path / "rows.jsonl", ROWS)
    assert read(tmp_path / "rows.jsonl") == ROWS


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.arrow", "rows.parquet"])
def test_column_that_occurs_twice_is_named(name: str, tmp_path: Path) -> None:
    data = pa.Table.from_arrays([pa.array(["a"])] * 3, ["query", "response", "response"])
    if name.endswith("parquet"):
        pq.write_table(data, tmp_path / name)
    elif name.endswith("arrow"):
        with pa.OSFile(str(tmp_path / name), "wb") as sink, pa.ipc.new_stream(sink, data.schema) as stream:
            stream.write_table(data)
    else:
        (tmp_path / name).write_text("query,response,response\na,b,c\n".replace(",", "\t" if "tsv" in name else ","))
    with pytest.raises(WrongColumns, match="has 2 columns named response; rename or remove all but one") as error:
        read(tmp_path / name)
    assert message(error).startswith(str(tmp_path))


def test_arrow_file_with_a_value_out_of_range(tmp_path: Path) -> None:
    """A required column with such a value makes its row unreadable; the other rows are read."""
    times = pa.array([2**60, 0], pa.timestamp("ms"))
    data = pa.table({"query": times, "response": ["a", "b"]})
    pq.write_table(data, tmp_path / "rows.parquet")
    skipped: list[str] = []
    assert [row["response"] for row in read(tmp_path / "rows.parquet", skipped)] == ["b"]
    assert skipped[0].startswith(f"{tmp_path / 'rows.parquet'}: row 1: query cannot be read (")


def test_json_followed_by_other_text(tmp_path: Path) -> None:
    path = file_with(tmp_path, "rows.json", json.dumps(ROWS) + "\nnot a row\n")
    with pytest.raises(
        SourceError, match=f"row {len(ROWS)} is followed by text that is neither a JSON object nor a list"
    ):
        read(path)
