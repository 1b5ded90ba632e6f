"""The file of marks: read, changed as a whole, and never lost."""

import json
import os
from pathlib import Path

import pytest
from helpers.disks import small_disk
from hypothesis import given
from hypothesis import strategies as st

from pairgen.errors import InvalidMarks, OutputError
from pairgen.report.viewer.marks import Mark, read_marks, save_mark

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(changes=st.lists(st.tuples(TEXT, st.sampled_from(["good", "bad", None]), TEXT), max_size=10))
def test_the_last_mark_counts(
    changes: list[tuple[str, str | None, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("marks") / "marks.jsonl"
    expected: dict[str, tuple[str | None, str | None]] = {}
    for pair_id, mark, note in changes:
        saved = save_mark(file, pair_id, Mark(mark, note or None))
        expected[pair_id] = (mark, note or None)
        if not mark and not note:
            del expected[pair_id]
        assert saved == read_marks(file)
    assert {pair_id: mark[:2] for pair_id, mark in read_marks(file).items()} == expected


def test_of_several_lines_the_last_one_counts_and_other_fields_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"
    lines = [
        {"pair_id": "a", "mark": "good", "who": "Ann", "half": "\ud800"},
        {"pair_id": "b", "mark": "bad"},
        {"pair_id": "a", "mark": "bad", "note": "no", "who": "Bo"},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert {pair_id: mark[:2] for pair_id, mark in read_marks(file).items()} == {"a": ("bad", "no"), "b": ("bad", None)}
    save_mark(file, "a", Mark("good", "no"))
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert found[0] == {"pair_id": "a", "mark": "good", "note": "no", "who": "Bo"}
    assert len(found) == 2


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    save_mark(tmp_path / "link.jsonl", "a", Mark("good"))
    assert (tmp_path / "link.jsonl").is_symlink()
    assert list(read_marks(tmp_path / "real.jsonl")) == ["a"]


def test_two_readers_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"
    for at in range(20):
        if os.fork() == 0:
            save_mark(file, f"pair-{at}", Mark("good"))
            os._exit(0)
    for _ in range(20):
        os.wait()
    assert len(read_marks(file)) == 20


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "invalid JSON"),
        ("[" * 10_000, "invalid JSON"),
        ("[1]", "must be an object with a `pair_id`"),
        ('{"pair_id": 3}', "must be an object with a `pair_id`"),
        ('{"pair_id": "a", "mark": "great"}', "`mark` must be good, bad or null, got 'great'"),
        ('{"pair_id": "a", "mark": [1]}', r"`mark` must be good, bad or null, got \[1\]"),
        ('{"pair_id": "a", "note": 3}', "`note` must be a text or null, got 3"),
    ],
)
def test_a_broken_line_is_named(line: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"
    file.write_text(f'{{"pair_id": "b", "mark": "good"}}\n\n{line}\n')
    before = file.read_bytes()
    for call in (lambda: read_marks(file), lambda: save_mark(file, "c", Mark("good"))):
        with pytest.raises(InvalidMarks, match=rf"marks\.jsonl, line 3: {problem}.*fix or remove the line"):
            call()
    assert file.read_bytes() == before


def test_what_cannot_be_read_or_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidMarks, match="cannot be read"):
        read_marks(tmp_path)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(InvalidMarks, match="invalid UTF-8"):
        read_marks(tmp_path / "latin")
    with pytest.raises(OutputError, match=r"latin/marks.jsonl: cannot be written \(.*\); this mark was not saved"):
        save_mark(tmp_path / "latin" / "marks.jsonl", "a", Mark("good"))


def test_a_full_disk_loses_no_mark(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 5 * 4096) as disk:
        file = disk / "marks.jsonl"
        saved: dict[str, Mark] = {}

        def fill() -> None:
            for at in range(1000):
                saved.update(save_mark(file, f"pair-{at}", Mark("good", "x" * 100)))

        with pytest.raises(
            OutputError, match=r"cannot be written \(No space left on device\); this mark was not saved"
        ):
            fill()
        assert len(saved) > 5
        assert read_marks(file) == saved
        assert [path.name for path in disk.iterdir()] == ["marks.jsonl"]
