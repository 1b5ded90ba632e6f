"""`pairgen show` in a real terminal."""

import json
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from helpers.disks import small_disk
from helpers.tmux import Terminal, terminal

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.writing import DatasetWriter


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    out = tmp_path_factory.mktemp("pager") / "pens"
    return build("metamath", out, BuildOptions(("sample:1500",), pairs_per_row=2))


def test_a_reader_walks_searches_filters_and_marks(pairs: PairDataset, tmp_path: Path) -> None:
    total, marks = len(pairs), tmp_path / "marks.jsonl"
    rows = list(pairs)
    with terminal("show", pairs.path, "--marks", marks) as tty:
        first = tty.wait(f"1 of {total:,} ")
        assert rows[0]["pair_id"] in first
        assert "? help  q quit" in first
        tty.press("Right", "Right", "Left")
        assert rows[1]["pair_id"] in tty.wait(f"2 of {total:,} ")
        tty.press("?")
        tty.wait("previous pair that matches the search")
        tty.press("x", "4", "5", "Enter")
        tty.wait(f"45 of {total:,} ")
        tty.press("+")
        tty.wait(f"45 of {total:,}  good")
        tty.press("Right", "-", "m")
        tty.type("not clear")
        tty.wait(f"46 of {total:,}  bad  note")
        word = max(re.findall("[a-z]+", rows[500]["prompt"]), key=len)
        texts = ["".join(row[name] for name in ("prompt", "chosen", "rejected")) for row in rows]
        found = [at for at, text in enumerate(texts) if word in text.lower()]
        at = next(at for at in found if at >= 45)
        tty.press("/")
        tty.type(word.upper())
        screen = tty.wait(f"search {word.upper()} {found.index(at) + 1:,} of {len(found):,} ")
        assert rows[at]["pair_id"] in screen
        assert re.search(rf"\x1b\[[0-9;]*7m *{word}", tty.screen("-e"), re.IGNORECASE), "matches are highlighted"
        tty.press("f")
        tty.type("mark=bad & check=verified")
        assert rows[45]["pair_id"] in tty.wait("1 of 1  bad  note")
        tty.resize(40, 12)
        narrow = tty.wait(lambda text: len(text.rstrip("\n").split("\n")[-1]) <= 40 and "quit" in text)
        assert narrow.startswith("1 of 1  bad  note")
        tty.press("q")
        tty.wait("[exit 0]")
        tty.type("hello")
        tty.wait("typed: hello")  # the terminal echoes again
    assert [json.loads(line) for line in marks.read_text().splitlines()] == [
        {"pair_id": rows[44]["pair_id"], "mark": "good", "note": None},
        {"pair_id": rows[45]["pair_id"], "mark": "bad", "note": "not clear"},
    ]
    with terminal("show", pairs.path, "--marks", marks, "--where", "mark=good", env={"NO_COLOR": "1"}) as tty:
        assert rows[44]["pair_id"] in tty.wait("1 of 1  good")
        assert not re.search("\x1b\\[[0-9;]*3[0-8]", tty.screen("-e"))


@pytest.mark.parametrize("how", ["q", "C-c", "TERM", "HUP"])
def test_the_terminal_is_as_it_was(how: str, pairs: PairDataset) -> None:
    with terminal("show", pairs.path) as tty:
        tty.wait("quit")
        if how in ("q", "C-c"):
            tty.press(how)
        else:
            (process,) = tty.processes()
            os.kill(process, getattr(signal, f"SIG{how}"))
        code = {"q": 0, "C-c": 130, "TERM": 128 + signal.SIGTERM, "HUP": 128 + signal.SIGHUP}[how]
        screen = tty.wait(f"[exit {code}]")
        assert pairs.path.name not in screen, "the alternate screen is gone"
        tty.type("hello")
        assert "hello\ntyped: hello" in tty.wait("typed: hello")


def test_what_does_not_page(pairs: PairDataset) -> None:
    for arguments, env in (
        (["--no-pager"], {}),
        (["--json"], {}),
        (["--where", "check=none"], {"TERM": "dumb"}),
    ):
        with terminal("show", pairs.path, *arguments, env=env, height=200) as tty:
            screen = tty.wait("[exit 0]")
            assert "q quit" not in screen
            assert ("no matching pairs" if "check=none" in arguments else "metamath/") in screen


def test_errors_are_printed_before_the_screen_changes(pairs: PairDataset, tmp_path: Path) -> None:
    (tmp_path / "marks.jsonl").write_text("{}\n")
    for arguments, code, words in (
        (["--where", "colour=red"], 2, "unknown column colour"),
        (["--split", "other"], 2, "unknown split"),
        (["--marks", tmp_path / "marks.jsonl"], 1, "marks.jsonl, line 1: must be an object"),
    ):
        with terminal("show", pairs.path, *arguments, width=300) as tty:
            assert words in tty.wait(f"[exit {code}]")


def test_a_full_disk_is_one_sentence_and_the_pager_goes_on(pairs: PairDataset, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3 * 4096) as disk, terminal("show", pairs.path, "--marks", disk / "m") as tty:
        tty.wait("quit")
        tty.press("+")
        tty.wait("  good")
        with (disk / "filler").open("wb", 0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        tty.press("Right", "-")
        tty.wait(lambda text: "No space left on device); this mark was not saved" in " ".join(text.split()))
        tty.press("Right")
        tty.wait("3 of ")
        assert len((disk / "m").read_text().splitlines()) == 1


# ---------------------------------------------------------------- many pairs


def many_pairs(small: PairDataset, out: Path, total: int) -> PairDataset:
    """The pairs of a small dataset over and over, each time with other ids."""
    table = small["train"].table()
    with DatasetWriter(out) as writer:
        for at in range(-(-total // table.num_rows)):
            part = table.slice(0, total - at * table.num_rows)
            for name in ("pair_id", "group_id"):
                ids = pc.binary_join_element_wise(part[name], str(at), "-")
                part = part.set_column(part.schema.get_field_index(name), pa.field(name, pa.string()), ids)
            for batch in part.combine_chunks().to_batches():
                writer.write("train", batch)
        return writer.commit({"splits": {"train": {"rows": total, "drops": {}}}})


def seconds(tty: Terminal, words: str) -> float:
    begun = time.perf_counter()
    tty.wait(words)
    return time.perf_counter() - begun


def answered(tty: Terminal, key: str, prompt: str, text: str, answer: str) -> float:
    """Seconds from a text that is typed after a key to what the screen says then."""
    tty.press(key)
    tty.wait(prompt)
    begun = time.perf_counter()
    tty.type(text)
    tty.wait(answer)
    return time.perf_counter() - begun


@pytest.mark.slow
def test_400_000_pairs(pairs: PairDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bounds are generous, for a machine that does other things as well; the times are printed."""
    many = many_pairs(pairs, tmp_path / "many", 400_000)
    assert len(open_pairs(many.path)) == 400_000
    with terminal("show", many.path) as tty:
        opening = seconds(tty, "1 of 400,000 ")
        searching = answered(tty, "/", "search:", "in no pair at all", "no match for 'in no pair at all'")
        conditions = "check=verified & chosen~pencil"
        filtering = answered(tty, "f", "filter:", conditions, f"filter {conditions}")
        tty.press("q")
        tty.wait("[exit 0]")
    with capsys.disabled():
        print(f"\n400,000 pairs: first screen {opening:.2f} s, search {searching:.2f} s, filter {filtering:.2f} s")
    assert opening < 30
    assert searching < 30
