"""Keys from the bytes of a terminal."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.report.viewer.key_codes import Decoder


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page up", "page down"]),
        (b"\x1b[1;5C\x1b[3;2~", ["right", "delete"]),
        (b"\x1b[H\x1b[1~\x1bOF\x1b[8~", ["home", "home", "end", "end"]),
        (b"\r\n \t\x7f\x08", ["enter", "enter", "space", "tab", "backspace", "backspace"]),
        (b"\x03\x0c\x15\x17\x1a", ["ctrl-c", "ctrl-l", "ctrl-u", "ctrl-w", "ctrl-z"]),
        ("ä漢🦊".encode(), ["ä", "漢", "🦊"]),
        (b"\xff", ["\ufffd"]),
        (b"\x1b[200~\x1b[<0;1;1M\x00", []),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
    ],
)
def test_keys(data: bytes, keys: list[str]) -> None:
    assert Decoder().keys(data) == keys


def test_escape_is_a_key_if_nothing_follows() -> None:
    decoder = Decoder()
    assert decoder.keys(b"\x1b") == []
    assert decoder.is_waiting
    assert decoder.flush() == ["escape"]
    assert not decoder.is_waiting
    assert decoder.keys(b"q") == ["q"]


@given(
    st.lists(st.sampled_from(["a", "漢", "\x1b[A", "\x1bOB", "\x1b[5~", "\x1b[1;5C", "\r", "\x03", "🦊"]), max_size=8),
    st.lists(st.integers(0, 30), max_size=5),
)
def test_cuts_between_reads_change_nothing(parts: list[str], cuts: list[int]) -> None:
    data = "".join(parts).encode()
    whole, pieces = Decoder(), Decoder()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [key for start, stop in itertools.pairwise(bounds) for key in pieces.keys(data[start:stop])]
    assert found == whole.keys(data)
    assert len(found) == len(parts)


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    decoder = Decoder()
    assert all(decoder.keys(data) + decoder.flush())
