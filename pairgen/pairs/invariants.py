"""The promises of the row contract, each with how to tell where it is broken; ``validate`` holds a dataset to them."""

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Postfix, Prefix

from pairgen.pairs import edits
from pairgen.pairs.record import CHECKS

Mask = NDArray[np.bool_]
"""One truth per row: True where a promise is broken."""

WHITESPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What ``str.isspace`` says yes to; Arrow's own idea of white space differs."""


class Rows:
    """The rows of a batch that have a value wherever one is needed, in the forms that promises look at."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    def __getitem__(self, name: str) -> Any:
        return self.batch[name]

    @cached_property
    def chosen(self) -> list[str]:
        return list(self["chosen"].to_pylist())

    @cached_property
    def rejected(self) -> list[str]:
        return list(self["rejected"].to_pylist())

    @cached_property
    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Start, stop in chosen, stop in rejected."""
        start, stop, other = (
            self[name].to_numpy().astype(np.int64) for name in ("edit_start", "chosen_edit_stop", "rejected_edit_stop")
        )
        return start, stop, other

    @cached_property
    def lengths(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Code points of chosen and of rejected."""
        chosen, rejected = (pc.utf8_length(self[name]).to_numpy().astype(np.int64) for name in ("chosen", "rejected"))
        return chosen, rejected


# ---------------------------------------------------------------- promises of one row


def _mask(condition: Any) -> Mask:
    truth: Mask = condition.fill_null(False).to_numpy(zero_copy_only=False)
    return truth


def _is_set(rows: Rows, *names: str) -> Mask:
    """Where any of these columns holds a value."""
    truth: Mask = np.logical_or.reduce([_mask(rows[name].is_valid()) for name in names])
    return truth


def _either(of: Callable[[Any], Any]) -> Callable[[Rows], Mask]:
    """A promise that both completions make."""
    return lambda rows: _mask(of(rows["chosen"])) | _mask(of(rows["rejected"]))


def _prompt_end(rows: Rows) -> Mask:
    last = pc.utf8_slice_codeunits(rows["prompt"], -1)
    return _mask(pc.is_in(last, value_set=pa.array(list(WHITESPACE))))


def _span_bounds(rows: Rows) -> Mask:
    (start, *stops), lengths = rows.spans, rows.lengths
    fits = [(start <= stop) & (stop <= length) for stop, length in zip(stops, lengths, strict=True)]
    broken: Mask = ~((start >= 0) & fits[0] & fits[1])
    return broken


def _shared(rows: Rows, measure: Any) -> NDArray[np.int64]:
    shared: NDArray[np.int64] = process.cpdist(
        rows.chosen, rows.rejected, scorer=measure.similarity, dtype=np.int64, workers=-1
    )
    return shared


def _span_tail(rows: Rows) -> Mask:
    tail, other = (length - stop for length, stop in zip(rows.lengths, rows.spans[1:], strict=True))
    broken: Mask = (tail != other) | (_shared(rows, Postfix) < tail)
    return broken


def _edit_distance(rows: Rows) -> Mask:
    off = np.abs(rows["edit_distance"].to_numpy() - edits.distances(rows.chosen, rows.rejected, workers=-1))
    broken: Mask = ~(off <= 1e-6)  # so that NaN is broken too
    return broken


def _literals(rows: Rows) -> Mask:
    given = _is_set(rows, "correct", "corrupted")
    if not given.any():
        return given
    columns = rows["correct"].to_pylist(), rows["corrupted"].to_pylist(), *(part.tolist() for part in rows.spans)
    wrong: list[bool] = [
        chosen[start:stop] != correct or rejected[start:other] != corrupted
        for chosen, rejected, correct, corrupted, start, stop, other in zip(
            rows.chosen, rows.rejected, *columns, strict=True
        )
    ]
    broken: Mask = given & np.array(wrong)
    return broken


def _check(rows: Rows) -> Mask:
    known = _mask(pc.is_in(rows["check"], value_set=pa.array(CHECKS)))
    return _is_set(rows, "correct", "corrupted", "check") & ~known


def _reason(rows: Rows) -> Mask:
    unchecked = _mask(pc.equal(rows["check"], "unchecked"))
    broken: Mask = unchecked != _is_set(rows, "reason")
    return broken


def _step(rows: Rows) -> Mask:
    step, steps = rows["step"], rows["steps"]
    fits = pc.and_(pc.greater_equal(step, 1), pc.less_equal(step, steps))
    return _is_set(rows, "step", "steps") & ~_mask(fits)


def _evidence(rows: Rows) -> Mask:
    needed = ("expression", "correct_value", "corrupted_value")
    verified = _mask(pc.equal(rows["check"], "verified"))
    broken: Mask = verified & ~np.logical_and.reduce([_is_set(rows, name) for name in needed])
    return broken


_EXACT = r"\A-?[0-9]+(/[0-9]*[1-9][0-9]*)?\z"
_ARITHMETIC = r"\A([0-9+\-*/()., ]|sqrt|pi)+\z"


def _no_match(name: str, pattern: str) -> Callable[[Rows], Mask]:
    return lambda rows: _mask(pc.invert(pc.match_substring_regex(rows[name], pattern)))


def _exact_value(rows: Rows) -> Mask:
    return _no_match("correct_value", _EXACT)(rows) | _no_match("corrupted_value", _EXACT)(rows)


def _values_differ(rows: Rows) -> Mask:
    pairs = zip(rows["correct_value"].to_pylist(), rows["corrupted_value"].to_pylist(), strict=True)
    same = [a is not None and b is not None and _same_value(a, b) for a, b in pairs]
    return np.array(same, dtype=bool)


def _same_value(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return ("/" in a or "/" in b or a[-1:] == b[-1:]) and Fraction(a) == Fraction(b)
    except (ValueError, ZeroDivisionError):  # not a value (another promise), or more digits than Python reads
        return False


class Promise(NamedTuple):
    """What is wanted, the columns that show where it is not so, and for a promise of single rows how to tell.

    Rows that break one of ``needs`` are not looked at: a span out of bounds says nothing about prefixes.
    """

    wanted: str
    shows: tuple[str, ...] = ()
    broken: Callable[[Rows], Mask] | None = None
    needs: tuple[str, ...] = ()


_STOPS = ("edit_start", "chosen_edit_stop", "rejected_edit_stop")
_TEXTS = ("chosen", "rejected")
_VALUES = ("correct_value", "corrupted_value")

PROMISES: dict[str, Promise] = {
    "shard_bytes": Promise("each shard has the size and the xxh3 that the manifest gives"),
    "readable": Promise("each shard is an Arrow stream of valid text"),
    "schema": Promise("the columns of the contract, in its order, of its types"),
    "manifest_pairs": Promise("as many pairs as the manifest says"),
    "manifest_rows": Promise("every source row is dropped and counted, or makes at least one pair"),
    "not_null": Promise("no null in a column that must have a value"),
    "pair_id": Promise("a pair id is there once in the whole dataset", ("pair_id",)),
    "group_id": Promise(
        "one group id for exactly the pairs that share prompt and chosen", ("group_id", "prompt", "chosen")
    ),
    "prompt_empty": Promise("a prompt has text", ("prompt",), lambda rows: _mask(pc.equal(rows["prompt"], ""))),
    "prompt_end": Promise("a prompt ends without white space", ("prompt",), _prompt_end),
    "completion_text": Promise(
        "a completion has more than white space",
        _TEXTS,
        _either(lambda texts: pc.equal(pc.utf8_trim(texts, characters=WHITESPACE), "")),
    ),
    "completion_start": Promise(
        "a completion begins with a space or a newline",
        _TEXTS,
        _either(lambda texts: pc.invert(pc.match_substring_regex(texts, r"\A[ \n]"))),
        ("completion_text",),
    ),
    "differ": Promise(
        "chosen and rejected differ", _TEXTS, lambda rows: _mask(pc.equal(rows["chosen"], rows["rejected"]))
    ),
    "span_bounds": Promise("0 <= edit_start <= each stop <= its completion's length", _STOPS, _span_bounds),
    "span_prefix": Promise(
        "the texts before the edit are equal",
        (*_STOPS, *_TEXTS),
        lambda rows: _shared(rows, Prefix) < rows.spans[0],
        ("span_bounds",),
    ),
    "span_tail": Promise("the texts behind the stops are equal", (*_STOPS, *_TEXTS), _span_tail, ("span_bounds",)),
    # that the spans themselves differ follows from the last three
    "edit_distance": Promise(edits.METRICS["levenshtein"].definition, ("edit_distance", *_TEXTS), _edit_distance),
    "literals": Promise(
        "correct is the edited span of chosen, corrupted that of rejected",
        ("correct", "corrupted", *_STOPS, *_TEXTS),
        _literals,
        ("span_bounds", "span_prefix", "span_tail"),
    ),
    "check": Promise(f"a corruption is one of {', '.join(CHECKS)}", ("check",), _check),
    "reason": Promise(
        "a corruption has a reason where it is unchecked, and nowhere else", ("check", "reason"), _reason
    ),
    "step": Promise("1 <= step <= steps, or neither: the number is no calculation's result", ("step", "steps"), _step),
    "evidence": Promise("a verified pair has its expression and both values", ("expression", *_VALUES), _evidence),
    "exact_value": Promise("a value is an integer or p/q", _VALUES, _exact_value),
    "values_differ": Promise("the two values differ", _VALUES, _values_differ, ("exact_value",)),
    "expression": Promise(
        "digits, + - * / ( ) . , spaces, sqrt and pi alone", ("expression",), _no_match("expression", _ARITHMETIC)
    ),
}
