"""Each invariant, violated alone, is found; and valid datasets have no violations."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.rows import CORRUPTION, as_batch, change_manifest, good_pairs, good_rows, make_folder, pair, reseal
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.pairs import dataset as store
from pairgen.pairs import edits
from pairgen.pairs.invariants import INVARIANTS, WHITESPACE, violated_rows
from pairgen.pairs.masks import Rows
from pairgen.pairs.record import SCHEMA, Change, to_batch
from pairgen.pairs.validate import Violation, violations

Break = Callable[[Path], store.PairDataset]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def row(at: int, split: str = "train", **values: Any) -> Break:
    """Change values of one row."""

    def apply(path: Path) -> store.PairDataset:
        rows = good_rows()
        rows[split][at].update(values)
        return make_folder(path, rows)

    return apply


def swapped(at: int, chosen: str, rejected: str, **other: Any) -> Break:
    """Replace a pair."""

    def apply(path: Path) -> store.PairDataset:
        pairs = good_pairs()
        pairs["train"][at] = pair(chosen, rejected, "swapped", **other)
        return make_folder(path, pairs)

    return apply


def manifest(change: Callable[[dict[str, Any]], Any]) -> Break:
    def apply(path: Path) -> store.PairDataset:
        make_folder(path, good_pairs())
        return change_manifest(path, change)

    return apply


def shard(change: Callable[[Path], Any], seal: bool = True) -> Break:
    """Change the one shard of train."""

    def apply(path: Path) -> store.PairDataset:
        dataset = make_folder(path, good_pairs())
        change(dataset.splits["train"].shards[0])
        return reseal(path) if seal else store.open_pairs(path)

    return apply


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(file: Path) -> None:
        with pa.ipc.open_stream(file.read_bytes()) as reader:
            table = change(reader.read_all())
        with pa.ipc.new_stream(str(file), table.schema) as writer:
            writer.write_table(table)

    return apply


def without_utf8(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"the sun", b"the s\xffn"))


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


NO_EVIDENCE = dict.fromkeys(("expression", "correct_value", "corrupted_value"))

# A corruption that is as right as the original.
SPAN = {"edit_start": 7, "chosen_edit_stop": 8, "rejected_edit_stop": 10}
NOT_WRONG = {**CORRUPTION, **SPAN, "corrupted": "2.0", "corrupted_value": "2/1"}

# Two changes of one pair: " 1 + 1 = 2, so 4." became " 1 + 1 = 13, so 5.".
TWO_CHANGES = [
    {"start": 9, "chosen_stop": 10, "rejected_start": 9, "rejected_stop": 11},
    {"start": 15, "chosen_stop": 16, "rejected_start": 16, "rejected_stop": 17},
]


def two_changes(*changed: dict[str, int | str | None]) -> Break:
    """Replace a pair by one with two changes, each with some values changed."""
    changes = [{**change, **values} for change, values in zip(TWO_CHANGES, changed, strict=False)]

    def apply(path: Path) -> store.PairDataset:
        rows = good_rows()
        rows["train"][3] = to_batch([pair(" 1 + 1 = 2, so 4.", " 1 + 1 = 13, so 5.", "two")]).to_pylist()[0]
        rows["train"][3]["edits"] = changes
        return make_folder(path, rows)

    return apply


# A wrong operator: " 3 * 4 = 12 pens" became " 3 + 4 = 7 pens".
WRONG_STEP = [
    dict(zip(Change._fields, (3, 4, 3, 4, "*", "+", None), strict=True)),
    dict(zip(Change._fields, (9, 11, 9, 10, "12", "7", "3 + 4"), strict=True)),
]
OF_STEP = {
    "correct": "12",
    "corrupted": "7",
    "correct_value": "12/1",
    "corrupted_value": "7/1",
    "expression": "3 * 4",
    "check": "verified",
    "strategy": "result",
    "error": "operator",
    "edits": WRONG_STEP,
}


def wrong_step(*changed: dict[str, Any], **values: Any) -> Break:
    """Replace a pair by one with a wrong operator, with some values of its edits and columns changed."""
    edits_ = [{**edit, **other} for edit, other in zip(WRONG_STEP, changed or ({}, {}), strict=False)]

    def apply(path: Path) -> store.PairDataset:
        rows = good_rows()
        rows["train"][3] = to_batch([pair(" 3 * 4 = 12 pens", " 3 + 4 = 7 pens", "wrong")]).to_pylist()[0]
        rows["train"][3].update({**OF_STEP, "edits": edits_, **values})
        return make_folder(path, rows)

    return apply


# invariant -> ways to violate it, each with the split and row where it must be found
BREAKS: dict[str, list[tuple[Break, str, int | None]]] = {
    "shard_bytes": [
        (shard(lambda file: file.write_bytes(file.read_bytes() + b"\0" * 8), seal=False), "train", None),
        (manifest(lambda splits: splits["eval"]["shards"][0].update(xxh3="0" * 32)), "eval", None),
    ],
    "readable": [
        (shard(lambda file: file.write_bytes(b"not Arrow")), "train", None),
        (shard(lambda file: file.write_bytes(file.read_bytes()[:-700])), "train", None),
        (shard(without_utf8), "train", None),
    ],
    "schema": [
        (shard(rewrite(lambda table: table.drop_columns("prompt"))), "train", None),
        (
            shard(
                rewrite(lambda table: table.set_column(table.schema.names.index("strategy"), "strategy", table["step"]))
            ),
            "train",
            None,
        ),
        (shard(rewrite(lambda table: table.append_column("prompt", table["prompt"]))), "train", None),
        (
            shard(
                rewrite(
                    lambda table: table.set_column(
                        table.schema.names.index("step"), "step", table["step"].cast(pa.int64())
                    )
                )
            ),
            "train",
            None,
        ),
    ],
    "manifest_pairs": [
        (manifest(lambda splits: splits["train"].update(pairs=5)), "train", None),
        (manifest(lambda splits: splits["eval"]["shards"][0].update(pairs="1")), "eval", None),
    ],
    "manifest_rows": [
        (manifest(lambda splits: splits["train"].update(rows=9)), "train", None),
        (manifest(lambda splits: splits["train"].update(drops={"too long": 4})), "train", None),
        (manifest(lambda splits: splits["train"].update(drops={"too long": 5})), "train", None),
        (manifest(lambda splits: splits["eval"].update(rows=None)), "eval", None),
    ],
    "not_null": [(row(0, "eval", prompt=None), "eval", 0), (row(3, edit_distance=None), "train", 3)],
    "pair_id": [(row(2, pair_id="c-1"), "train", 2), (row(0, "eval", pair_id="a-2"), "eval", 0)],
    "group_id": [
        (row(2, group_id="another"), "train", 2),
        (row(0, "eval", group_id="What shines?| the sun"), "eval", 0),
    ],
    "prompt_empty": [(row(3, prompt=""), "train", 3)],
    "prompt_end": [(row(0, prompt=f"How many?{space}"), "train", 0) for space in " \n\x1c\x85\u2028"],
    "completion_start": [
        (swapped(3, "2 + 2", " 2 + 2"), "train", 3),
        (swapped(3, " 2 + 2", "\t2 + 2"), "train", 3),
    ],
    "completion_text": [
        (swapped(3, " \u3000", " no"), "train", 3),
        (swapped(3, " no", "\x1c"), "train", 3),
        (swapped(3, "", " no"), "train", 3),
    ],
    "sft": [(swapped(3, " no", ""), "train", 3)],
    "messages": [
        (row(0, messages=messages), "train", 0)
        for messages in (
            [],
            [None],
            [message("user", "What?")],
            [message("assistant", "How many?")],
            [message("user", "How many?"), message("assistant", "The sun.")],
            [message("tool", "How"), message("user", "many?")],
            [{"role": None, "content": "How many?"}],
        )
    ],
    "differ": [(swapped(3, " the same", " the same"), "train", 3)],
    "span_bounds": [
        (row(1, edit_start=-1), "train", 1),
        (row(1, chosen_edit_stop=9), "train", 1),
        (row(1, rejected_edit_stop=4), "train", 1),
        (row(1, edit_start=2**31 - 1), "train", 1),
    ],
    "span_prefix": [(row(1, edit_start=6), "train", 1)],
    "span_tail": [
        (row(1, chosen_edit_stop=6, rejected_edit_stop=7), "train", 1),
        (row(1, rejected_edit_stop=9), "train", 1),
    ],
    "edit_distance": [(row(1, edit_distance=value), "train", 1) for value in (0.25, -1.0, float("nan"), float("inf"))],
    "literals": [
        (row(0, correct="3"), "train", 0),
        (row(0, corrupted="3"), "train", 0),
        (row(0, correct=None), "train", 0),
        (row(0, corrupted=None), "train", 0),
    ],
    "edits": [
        *(
            (two_changes(*({name: TWO_CHANGES[at][name] + by} if at == of else {} for at in (0, 1))), "train", 3)
            for of in (0, 1)
            for name in TWO_CHANGES[of]
            for by in (-1, 1, 100)
        ),
        (two_changes({"start": 8, "rejected_start": 8}, {}), "train", 3),  # begins before the edit span
        (two_changes({}, {"chosen_stop": 17, "rejected_stop": 18}), "train", 3),  # ends after it
        (two_changes({"chosen_stop": 15, "rejected_stop": 16}, {"start": 14, "rejected_start": 15}), "train", 3),
        (two_changes({"start": None}, {}), "train", 3),
        (two_changes({}), "train", 3),
        (two_changes(), "train", 3),
        (row(1, edits=[None]), "train", 1),
    ],
    "carried": [
        (two_changes({}, {"correct": "4", "corrupted": "5", "expression": "4 + 2"}), "train", 3),
        (two_changes({}, {"correct": "9", "corrupted": "5"}), "train", 3),
        (two_changes({}, {"correct": "4", "corrupted": "6", "expression": "4 + 2"}), "train", 3),
        (two_changes({}, {"correct": "4", "corrupted": "5", "expression": "4 +"}), "train", 3),
    ],
    "check": [(row(0, check="surely"), "train", 0), (row(0, check=None), "train", 0), (row(1, check=""), "train", 1)],
    "error": [(row(1, error="result"), "train", 1), (row(0, error=""), "train", 0)],
    "wrong_step": [
        (row(0, error="operator"), "train", 0),
        (
            row(0, error="result", edits=[dict(zip(Change._fields, (9, 10, 9, 11, "2", "13", "1+2"), strict=True))]),
            "train",
            0,
        ),
        (wrong_step({}, {"expression": "3 + 5"}), "train", 3),
        (wrong_step({}, {"expression": "3 +"}), "train", 3),
    ],
    "reason": [
        (row(0, reason="so it is"), "train", 0),
        (row(0, check="unchecked", **NO_EVIDENCE), "train", 0),
        (row(1, reason="so it is"), "train", 1),
    ],
    "step": [
        (row(0, step=3), "train", 0),
        (row(0, step=0), "train", 0),
        (row(0, steps=None), "train", 0),
        (row(1, step=1), "train", 1),
    ],
    "evidence": [
        *((row(3, **{name: None}), "train", 3) for name in ("expression", "correct_value", "corrupted_value")),
        (row(0, check="unchecked", reason="so it is"), "train", 0),
    ],
    "value_format": [
        (row(3, correct_value=value), "train", 3) for value in ("two", "1/0", "2/", "0.5", "", "+2", "٢", "2\n")
    ],
    "values": [
        (row(3, corrupted_value="2"), "train", 3),
        (row(3, corrupted_value="12/1"), "train", 3),
        (row(3, correct_value="4/3"), "train", 3),
        (row(3, correct_value="1" * 5000), "train", 3),  # more digits than Python reads as one integer
    ],
    "recomputed": [
        (row(3, expression="1 + 2"), "train", 3),
        (row(3, expression="1/0"), "train", 3),
        (row(3, expression="1 +"), "train", 3),
        (swapped(3, "\n1+1 = 2.", "\n1+1 = 2.0.", **NOT_WRONG), "train", 3),
    ],
    "expression": [(row(3, expression=text), "train", 3) for text in ("__import__('os')", "", "2 × 3", "1+1\n", "x")],
}


def test_each_invariant_has_a_violation_here() -> None:
    assert set(BREAKS) == set(INVARIANTS)


@pytest.mark.parametrize(
    ("kind", "at"), [(kind, at) for kind, breaks in BREAKS.items() for at in range(len(breaks))], ids=str
)
def test_violations_finds_each_violation_and_no_other(kind: str, at: int, tmp_path: Path) -> None:
    break_it, split, where = BREAKS[kind][at]
    found = violations(break_it(tmp_path / "out"))
    assert [(one.kind, one.count, one.split, one.row) for one in found] == [(kind, 1, split, where)], [*map(str, found)]
    assert found[0].value
    assert "\n" not in str(found[0])


@pytest.mark.parametrize("batch", [1, 2, 10])
def test_violations_of_a_valid_dataset_is_empty(tmp_path: Path, batch: int) -> None:
    assert violations(make_folder(tmp_path / "out", good_pairs(), batch, drops={"too long": 3})) == []


def test_violations_of_a_pair_with_two_changes_is_empty(tmp_path: Path) -> None:
    assert violations(two_changes({}, {})(tmp_path / "out")) == []
    named = {"correct": "4", "corrupted": "5", "expression": "4 + 1"}
    assert violations(two_changes({}, named)(tmp_path / "named")) == []


@pytest.mark.parametrize(
    "valid",
    [
        wrong_step(),
        wrong_step(error="my-own-kind"),
        row(0, error="result"),
    ],
)
def test_violations_of_a_wrong_step_is_empty(valid: Break, tmp_path: Path) -> None:
    assert violations(valid(tmp_path / "out")) == []


def test_violation_names_row_value_and_rule(tmp_path: Path) -> None:
    rows = good_rows()
    rows["train"][2]["prompt"] = rows["train"][3]["prompt"] = "P" * 1_000_000 + "\x1b[31m "
    rows["train"][2]["group_id"] = "own"
    found = violations(make_folder(tmp_path / "out", rows))
    assert [(one.kind, one.count) for one in found] == [("prompt_end", 2)]
    line = str(found[0])
    assert line.startswith("prompt_end: 2 rows, first at train[2]: prompt='PPPP")
    assert "expected: prompt has no trailing whitespace" in line
    assert len(line) < 200
    assert "\x1b" not in line


def test_repeated_pair_id_names_both_rows(tmp_path: Path) -> None:
    (found,) = violations(BREAKS["pair_id"][1][0](tmp_path / "out"))
    assert found == Violation("pair_id", 1, "eval", 0, "pair_id='a-2'; compare train[2]")


def test_row_numbers_count_over_shards_and_rows_with_nulls(tmp_path: Path) -> None:
    rows = [{**good_rows()["train"][0], "pair_id": f"c-{at}"} for at in range(9)]
    rows[0]["source"] = rows[4]["source"] = None
    rows[7]["check"] = "surely"
    rows[8]["pair_id"] = "c-5"
    found = violations(make_folder(tmp_path / "out", {"train": rows}))
    assert [(one.kind, one.count, one.row) for one in found] == [("not_null", 2, 0), ("pair_id", 1, 8), ("check", 1, 7)]


def test_unreadable_shard_does_not_hide_violations_in_others(tmp_path: Path) -> None:
    rows = good_rows()
    rows["eval"][0]["check"] = "surely"
    dataset = make_folder(tmp_path / "out", rows)
    dataset.splits["train"].shards[0].write_bytes(b"")
    found = violations(dataset)
    assert [one.kind for one in found] == ["shard_bytes", "readable", "check"]


def test_whitespace_is_that_of_str_isspace() -> None:
    assert "".join(letter for code in range(sys.maxunicode + 1) if (letter := chr(code)).isspace()) == WHITESPACE


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=6))
@settings(deadline=None)
def test_pairs_from_edit_spans_violate_nothing(made: list[tuple[str, str, str]]) -> None:
    pairs = [pair(f" x{a}", f" x{b}!" if a == b else f" x{b}", f"{at}", f"{p}?") for at, (p, a, b) in enumerate(made)]
    masks = violated_rows(to_batch(pairs))
    assert [kind for kind, violated in masks.items() if violated.any()] == []


def test_pairs_in_many_scripts_violate_nothing(tmp_path: Path) -> None:
    odd = ["e\u0301", "👩\u200d👩\u200d👧", "\u202eabc", "\x00", "\U0010ffff", "नि", "각", "🇪🇺", "\ufeff", "ß", "ﬁ"]
    pairs = [pair(f" {a}x{b}", f" {b}x{a}", f"{a}-{b}", f"{a}?") for a in odd for b in odd if a != b]
    assert violations(make_folder(tmp_path / "out", {"train": pairs}, batch=7)) == []


# ---------------------------------------------------------------- reference implementations of vectorised checks


def in_bounds(row: dict[str, Any]) -> bool:
    start, stop, other = row["edit_start"], row["chosen_edit_stop"], row["rejected_edit_stop"]
    return 0 <= start <= stop <= len(row["chosen"]) and start <= other <= len(row["rejected"])


def completions(row: dict[str, Any]) -> list[str]:
    """Chosen, and rejected unless it is empty."""
    return [row["chosen"], *([row["rejected"]] if row["rejected"] else [])]


REFERENCE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "prompt_empty": lambda row: row["prompt"] == "",
    "prompt_end": lambda row: row["prompt"].rstrip() != row["prompt"],
    "completion_start": lambda row: any(text[:1] not in (" ", "\n") for text in completions(row)),
    "completion_text": lambda row: any(not text.strip() for text in completions(row)),
    "differ": lambda row: row["chosen"] == row["rejected"],
    "span_bounds": lambda row: not in_bounds(row),
    "span_prefix": lambda row: row["chosen"][: row["edit_start"]] != row["rejected"][: row["edit_start"]],
    "span_tail": lambda row: row["chosen"][row["chosen_edit_stop"] :] != row["rejected"][row["rejected_edit_stop"] :],
}
near = st.text("ab \n\u3000é\U0001f98a", max_size=6)


@st.composite
def wild_rows(draw: st.DrawFn) -> dict[str, Any]:
    numbers = st.integers(-2, 8)
    return {
        **good_rows()["train"][1],
        **{name: draw(near) for name in ("prompt", "chosen", "rejected")},
        **{name: draw(numbers) for name in ("edit_start", "chosen_edit_stop", "rejected_edit_stop")},
    }


@given(st.lists(wild_rows(), min_size=1, max_size=5))
@settings(deadline=None)
def test_vectorised_checks_equal_plain_python(rows: list[dict[str, Any]]) -> None:
    batch = Rows(as_batch(rows))
    for kind, reference in REFERENCE.items():
        invariant = INVARIANTS[kind]
        checked = np.array([not any(REFERENCE[name](row) for name in invariant.requires) for row in rows])
        expected = np.array([reference(row) for row in rows])
        assert invariant.violated is not None
        assert (invariant.violated(batch) & checked).tolist() == (expected & checked).tolist(), kind


changes = st.none() | st.fixed_dictionaries(dict.fromkeys(TWO_CHANGES[0], st.none() | st.integers(-2, 20)))
wild = {
    pa.string(): st.none() | texts | st.sampled_from(["verified", "unchecked", "1/0", "2", "1+1"]),
    pa.int32(): st.none() | st.integers(-(2**31), 2**31 - 1),
    pa.float32(): st.none() | st.floats(width=32),
    SCHEMA.field("messages").type: st.none()
    | st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "tool"]), "content": texts}), max_size=2),
    SCHEMA.field("edits").type: st.none() | st.lists(changes, max_size=3),
}


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_checks_accept_any_values(data: st.DataObject) -> None:
    one = {**good_rows()["train"][0], **CORRUPTION}
    for name in data.draw(st.sets(st.sampled_from(SCHEMA.names), min_size=1, max_size=4)):
        value = data.draw(wild[SCHEMA.field(name).type])
        if value is not None or name not in SCHEMA.names[:10]:
            one[name] = value
    batch = Rows(as_batch([one]))
    for invariant in INVARIANTS.values():
        if invariant.violated:
            assert invariant.violated(batch).shape == (1,)


def test_violations_survives_flipped_bytes(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs())
    file = dataset.splits["train"].shards[0]
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        assert "shard_bytes" in {one.kind for one in violations(dataset)}


def test_edit_distance_rule_is_the_default_metric() -> None:
    assert INVARIANTS["edit_distance"].rule == edits.METRICS["levenshtein"].definition
