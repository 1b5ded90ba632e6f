"""The pager as its reader sees it, without a terminal: keys in, screens out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.readers import STOP, read, small_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.errors import InvalidMarks, UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.report.filter import select
from pairgen.report.viewer import reading
from pairgen.report.viewer.actions import KEYS
from pairgen.report.viewer.marks import read_marks
from pairgen.report.viewer.reading import Options
from pairgen.report.viewer.view_state import Size

TOTAL = 14


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    return small_dataset(tmp_path_factory.mktemp("pairs") / "pens")


def typed(text: str, key: str = "enter") -> list[str]:
    return ["space" if character == " " else character for character in text] + [key]


def shown_id(lines: list[str]) -> str:
    return lines[1].strip("─ ")


# ---------------------------------------------------------------- moving


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ([], 1),
        (["right", "right", "left"], 2),
        (["left"], 1),
        (["G"], TOTAL),
        (["G", "right"], TOTAL),
        (["end", "g"], 1),
        (typed("7"), 7),
        ([*typed("1x", "backspace"), "2", "enter"], 12),
        ([":", *typed("lamp-1")], 8),
        ([":", *typed("eval-1")], 13),
        (typed("99"), TOTAL),
        (typed("0"), 1),
        (["3", "escape"], 1),
        (["down"], 2),
        (["G", "b"], 13),
    ],
)
def test_moving(pairs: PairDataset, keys: list[str], at: int) -> None:
    state, keyboard = read(pairs, keys)
    assert state.at + 1 == at
    assert keyboard.shown[0].startswith(f"{at} of {TOTAL} ")
    assert shown_id(keyboard.shown) == state.row["pair_id"]


def test_a_long_pair_scrolls_before_the_next_one_follows(pairs: PairDataset) -> None:
    state, _ = read(pairs, [*typed("10"), "o", "down", "down"])
    assert (state.at, state.scroll) == (9, 2)
    downs = 0
    while state.at == 9:
        downs += 1
        state, keyboard = read(pairs, [*typed("10"), "o", *["space"] * downs])
    assert downs > 2
    assert state.at == 10
    state, keyboard = read(pairs, [*typed("10"), "o", *["space"] * downs, "up"])
    assert state.at == 9
    assert any("edit distance" in line for line in keyboard.shown), "from below, a pair is entered at its end"


def test_a_prompt_is_folded_where_it_repeats(pairs: PairDataset) -> None:
    _, keyboard = read(pairs, [":", *typed("lamp-0")])
    assert "  What shines?" in keyboard.shown
    _, keyboard = read(pairs, [":", *typed("lamp-1")])
    assert "  What shines?" not in keyboard.shown
    assert any("the prompt of the pair before" in line for line in keyboard.shown)
    _, keyboard = read(pairs, [":", *typed("lamp-1"), "o"])
    assert "  What shines?" in keyboard.shown
    _, keyboard = read(pairs, [":", *typed("lamp-1"), "o", "right"])
    assert "  What shines?" not in keyboard.shown, "the next pair is folded again"
    _, keyboard = read(pairs, [":", *typed("lamp-1"), "O", "right"])
    assert "  What shines?" in keyboard.shown
    _, keyboard = read(pairs, [":", *typed("lamp-1")], Options(full=True))
    assert "  What shines?" in keyboard.shown


def test_a_long_prompt_leaves_room_for_the_completions(pairs: PairDataset) -> None:
    _, keyboard = read(pairs, [":", *typed("long-1")])
    at = keyboard.shown.index("  [... o shows it in full ...]")
    assert keyboard.shown[2] == "prompt"
    assert keyboard.shown[at + 5] == "chosen"
    assert keyboard.shown[at + 4].endswith("long?")
    _, keyboard = read(pairs, [":", *typed("long-1"), "o"])
    assert "chosen" not in keyboard.shown


def test_controls_of_texts_are_escaped(pairs: PairDataset) -> None:
    _, keyboard = read(pairs, [":", *typed("control-1")])
    text = "\n".join(keyboard.shown)
    assert r"\x1b[" in text
    assert r"\u202eWhy" in text
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)


# ---------------------------------------------------------------- search and filter


def test_search_goes_to_matches_and_wraps(pairs: PairDataset) -> None:
    state, keyboard = read(pairs, ["/", *typed("sun"), STOP])
    assert state.row["pair_id"] == "lamp-0"
    assert "search sun 1 of 3" in keyboard.shown[0]
    state, _ = read(pairs, ["/", *typed("Sun"), STOP, "n", "n"])
    assert state.row["pair_id"] == "lamp-2"
    state, keyboard = read(pairs, ["/", *typed("Sun"), STOP, "n", "n", "n"])
    assert state.row["pair_id"] == "lamp-0"
    assert keyboard.shown[-1] == "search continued from the first pair"
    state, _ = read(pairs, ["/", *typed("Sun"), STOP, "N"])
    assert state.row["pair_id"] == "lamp-2"
    state, keyboard = read(pairs, ["/", *typed("nowhere"), STOP])
    assert state.at == 0
    assert keyboard.shown[-1] == "no match for 'nowhere'"
    state, _ = read(pairs, ["/", *typed("sun"), STOP, "escape"])
    assert not state.search.query


def test_search_begins_with_the_pair_that_is_shown(pairs: PairDataset) -> None:
    state, _ = read(pairs, [*typed("8"), "/", *typed("sun"), STOP])
    assert state.row["pair_id"] == "lamp-1"


def test_a_match_in_a_folded_part_is_shown(pairs: PairDataset) -> None:
    state, keyboard = read(pairs, ["/", *typed("shines"), STOP, "n"])
    assert state.row["pair_id"] == "lamp-1"
    assert "  What shines?" in keyboard.shown
    state, keyboard = read(pairs, ["/", *typed("how long"), STOP], size=Size(60, 12))
    assert any("How long?" in line for line in keyboard.shown)
    state, keyboard = read(pairs, ["/", *typed("end is 8"), STOP], size=Size(60, 12))
    assert state.row["pair_id"] == "long-1"


def test_filter_shows_only_what_meets_it(pairs: PairDataset) -> None:
    state, keyboard = read(pairs, ["f", *typed("prompt~shines & pair_id!=lamp-1"), STOP])
    assert [state.book.row(int(at))["pair_id"] for at in state.order] == ["lamp-0", "lamp-2"]
    assert keyboard.shown[0].startswith("1 of 2 ")
    state, keyboard = read(pairs, [":", *typed("lamp-2"), "f", *typed("prompt~shines"), STOP])
    assert state.row["pair_id"] == "lamp-2", "the pair that was shown stays"
    state, keyboard = read(pairs, ["f", *typed("prompt~nothing"), STOP, "right", "o", "+", "/", "5", "G", "n"])
    assert not len(state.order)
    assert "No pair matches the filter prompt~nothing." in keyboard.shown
    state, keyboard = read(pairs, ["f", *typed("prompt~nothing"), STOP, "f", "ctrl-u", "enter", STOP])
    assert len(state.order) == TOTAL


def test_an_invalid_filter_can_be_mended(pairs: PairDataset) -> None:
    state, keyboard = read(pairs, ["f", *typed("colour=red")])
    assert keyboard.shown[-1].startswith("filter: colour=red")
    assert any(line.startswith("colour=red: unknown column colour; available: prompt,") for line in keyboard.shown)
    state, _ = read(pairs, ["f", *typed("colour=red"), "ctrl-u", *typed("pair_id=lamp-1"), STOP])
    assert len(state.order) == 1


def test_search_stays_within_the_filter(pairs: PairDataset) -> None:
    state, _ = read(pairs, ["f", *typed("pair_id!=lamp-1"), "/", *typed("sun"), STOP, "n"])
    assert state.row["pair_id"] == "lamp-2", "a search waits for a filter that is not complete"
    state, _ = read(pairs, ["f", *typed("pair_id!=lamp-1"), STOP, "/", *typed("sun"), STOP, "n"])
    assert state.row["pair_id"] == "lamp-2"
    assert len(state.search.hits) == 2
    state, _ = read(pairs, ["/", *typed("sun"), STOP, "f", *typed("pair_id!=lamp-1"), STOP])
    assert len(state.search.hits) == 2, "the search begins anew"


@pytest.mark.parametrize("key", ["escape", "ctrl-c"])
def test_work_is_ended_and_the_pager_goes_on(pairs: PairDataset, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 0.0)
    state, keyboard = read(pairs, ["/", *typed("nowhere"), key, "right"])
    assert state.at == 1
    assert state.search.stopped
    assert any(screen[-1].startswith("search stopped at ") for screen in keyboard.screens)
    state, keyboard = read(pairs, ["f", *typed("prompt~shines"), key, "right"])
    assert len(state.order) == TOTAL
    assert any(screen[-1] == "filter canceled" for screen in keyboard.screens)
    with pytest.raises(KeyboardInterrupt):
        read(pairs, ["right", "ctrl-c"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(1, TOTAL),
    query=st.sampled_from(["sun", "pens", "1", "a ", "漢", "nowhere"]),
    moves=st.lists(st.sampled_from([STOP, "n", "N", "g", "G", "right", "left"]), max_size=8),
    seed=st.none() | st.integers(0, 3),
)
def test_matches_are_those_of_a_plain_loop(
    pairs: PairDataset, start: int, query: str, moves: list[str], seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is known of the matches at the time of a key, it leads where a loop over all pairs does."""
    monkeypatch.setattr(reading, "PIECE", 0.0)
    moves = [move for move in moves if move != STOP]
    keys = [*typed(str(start)), "/", *typed(query), STOP, *[key for move in moves for key in (move, STOP)]]
    state, _ = read(pairs, keys, Options(seed=seed))
    rows = [state.book.row(int(number)) for number in state.order]
    found = [
        at
        for at, row in enumerate(rows)
        if any(query.lower() in row[name].lower() for name in ("prompt", "chosen", "rejected"))
    ]
    assert state.search.hits.tolist() == found
    at = start - 1
    if found:
        at = next((hit for hit in found if hit >= at), found[0])
    for move in moves:
        if move in ("n", "N") and found:
            after, before = [hit for hit in found if hit > at], [hit for hit in found if hit < at]
            at = (after or found)[0] if move == "n" else (before or found)[-1]
        elif move in ("g", "G"):
            at = 0 if move == "g" else TOTAL - 1
        elif move in ("left", "right"):
            at = max(0, min(TOTAL - 1, at + (1 if move == "right" else -1)))
    assert state.at == at


# ---------------------------------------------------------------- options of the command


def test_options_choose_the_pairs_that_the_printed_output_has(pairs: PairDataset) -> None:
    for seed in (None, 0, 1):
        for where in ((), ("prompt~pens",)):
            state, _ = read(pairs, [STOP], Options(where=where, seed=seed, limit=4))
            ids = [state.book.row(int(number))["pair_id"] for number in state.order]
            assert ids == [row["pair_id"] for row in select(pairs, 4, where, seed=seed)]
    state, _ = read(pairs, [], Options(split="eval"))
    assert len(state.order) == 2
    with pytest.raises(UsageError, match="unknown split"):
        read(pairs, [], Options(split="other"))
    with pytest.raises(UsageError, match="unknown column colour"):
        read(pairs, [], Options(where=("colour=red",)))


# ---------------------------------------------------------------- marks


def test_marks_are_kept_and_shown_again(pairs: PairDataset, tmp_path: Path) -> None:
    file = tmp_path / "new" / "marks.jsonl"
    options = Options(marks=file)
    keys = ["+", "right", "-", "m", *typed("odd, see 漢"), "right", "m", *typed("only a note"), "right", "+", "u"]
    read(pairs, keys, options)
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == [
        {"pair_id": "sum-0", "mark": "good", "note": None},
        {"pair_id": "sum-1", "mark": "bad", "note": "odd, see 漢"},
        {"pair_id": "sum-2", "mark": None, "note": "only a note"},
    ]
    _, keyboard = read(pairs, ["right"], options)
    assert keyboard.shown[0].startswith(f"2 of {TOTAL}  bad  note  3 marked")
    assert any(line.startswith("note") and line.rstrip().endswith("odd, see 漢") for line in keyboard.shown)
    for condition, ids in (("mark=bad", 1), ("mark=none", 12), ("mark!=good", 13), ("note~odd", 1), ("note!=odd", 14)):
        state, _ = read(pairs, [STOP], options._replace(where=(condition,)))
        assert len(state.order) == ids, condition
    rows = select(pairs, 20, ["mark=bad"], marks=read_marks(file))
    assert [(row["mark"], row["note"]) for row in rows] == [("bad", "odd, see 漢")]


def test_without_a_file_a_mark_says_how_to_keep_it(pairs: PairDataset) -> None:
    for key in "+-mu":
        _, keyboard = read(pairs, [key])
        assert keyboard.shown[-1] == "marks are not kept; start with --marks FILE to keep them"
    with pytest.raises(UsageError, match="mark=good: there are no marks; add --marks FILE"):
        read(pairs, [], Options(where=("mark=good",)))


def test_a_broken_line_is_named(pairs: PairDataset, tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"
    file.write_text('{"pair_id": "sum-0", "mark": "good", "note": null}\nbroken\n')
    with pytest.raises(InvalidMarks, match=r"marks\.jsonl, line 2: invalid JSON"):
        read(pairs, [], Options(marks=file))


def test_a_file_that_broke_meanwhile_is_left_alone(pairs: PairDataset, tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"

    def keys() -> Iterator[str]:
        yield "+"
        file.write_text("broken\n")
        yield from ("right", "-")

    state, keyboard = read(pairs, keys(), Options(marks=file))
    assert file.read_text() == "broken\n"
    assert "marks.jsonl, line 1: invalid JSON" in "".join(keyboard.shown)
    assert list(state.marks or ()) == ["sum-0"]


# ---------------------------------------------------------------- anything

ANY_KEY = st.sampled_from([*KEYS, "escape", "delete", "ctrl-u", "ctrl-w", "ctrl-d", STOP, *"0123xyzA漢"])
SIZES = st.builds(Size, st.integers(1, 90), st.integers(1, 30))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(ANY_KEY, max_size=25), size=SIZES, marked=st.booleans())
def test_any_keys_at_any_size(
    pairs: PairDataset, keys: list[str], size: Size, marked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key fails, the screen is never larger than the terminal (the keyboard checks it), a pair is always shown."""
    monkeypatch.setattr(reading, "PIECE", 0.0)
    options = Options(marks=tmp_path / "marks.jsonl" if marked else None)
    state, _ = read(pairs, keys, options, size)
    assert not len(state.order) or 0 <= state.at < len(state.order)
    assert state.scroll >= 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.sampled_from(["right", "left", "g", "G", "+", "-", "u", "m"]), max_size=12))
def test_the_file_has_what_the_keys_said(pairs: PairDataset, keys: list[str], tmp_path: Path) -> None:
    file = tmp_path / "marks.jsonl"
    file.unlink(missing_ok=True)
    read(pairs, [part for key in keys for part in ([key] if key != "m" else ["m", *typed("hm")])], Options(marks=file))
    ids = [row["pair_id"] for row in pairs]
    at, expected = 0, dict[str, tuple[str | None, str | None]]()
    for key in keys:
        at = {"right": min(at + 1, TOTAL - 1), "left": max(at - 1, 0), "g": 0, "G": TOTAL - 1}.get(key, at)
        mark, note = expected.get(ids[at], (None, None))
        if key in "+-":
            expected[ids[at]] = ("good" if key == "+" else "bad", note)
        elif key == "m":  # the note is extended
            expected[ids[at]] = (mark, (note or "") + "hm")
        elif key == "u":
            expected.pop(ids[at], None)
    found = {pair_id: (mark.mark, mark.note) for pair_id, mark in read_marks(file).items()}
    assert found == expected
