"""The invariants of the row schema, and vectorized checks of them; ``validate`` applies them to a dataset."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Postfix, Prefix

from pairgen.pairs import edits
from pairgen.pairs.evidence import are_edited_texts, follows, has_value, is_confirmed, is_step_of
from pairgen.pairs.masks import Mask, Rows, is_set, mask
from pairgen.pairs.messages import Message, is_conversation, plain_prompt
from pairgen.pairs.record import CHECKS

WHITESPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The characters for which ``str.isspace`` is true; Arrow's definition differs."""


# ---------------------------------------------------------------- checks of single rows


def _either(fails: Callable[[Any], Any]) -> Callable[[Rows], Mask]:
    """A check of both completions, unless rejected is empty: violated where either fails it."""
    return lambda rows: mask(fails(rows["chosen"])) | (mask(fails(rows["rejected"])) & ~is_sft(rows))


def is_sft(rows: Rows | pa.RecordBatch) -> Mask:
    """Where rejected is empty, as in data for supervised fine-tuning."""
    return mask(pc.equal(rows["rejected"], ""))


def _prompt_end(rows: Rows) -> Mask:
    last = pc.utf8_slice_codeunits(rows["prompt"], -1)
    return mask(pc.is_in(last, value_set=pa.array(list(WHITESPACE))))


def _span_bounds(rows: Rows) -> Mask:
    (start, *stops), lengths = rows.spans, rows.lengths
    fits = [(start <= stop) & (stop <= length) for stop, length in zip(stops, lengths, strict=True)]
    violated: Mask = ~((start >= 0) & fits[0] & fits[1])
    return violated


def _shared(rows: Rows, measure: Any) -> NDArray[np.int64]:
    shared: NDArray[np.int64] = process.cpdist(
        rows.chosen, rows.rejected, scorer=measure.similarity, dtype=np.int64, workers=-1
    )
    return shared


def _span_tail(rows: Rows) -> Mask:
    tail, other = (length - stop for length, stop in zip(rows.lengths, rows.spans[1:], strict=True))
    violated: Mask = (tail != other) | (_shared(rows, Postfix) < tail)
    return violated


def _edit_distance(rows: Rows) -> Mask:
    off = np.abs(rows["edit_distance"].to_numpy() - edits.distances(rows.chosen, rows.rejected, workers=-1))
    violated: Mask = ~(off <= 1e-6)  # NaN compares as False and is a violation
    return violated


def _check(rows: Rows) -> Mask:
    known = mask(pc.is_in(rows["check"], value_set=pa.array(CHECKS)))
    return is_set(rows, "correct", "corrupted", "check") & ~known


def _error(rows: Rows) -> Mask:
    violated: Mask = is_set(rows, "error") & (~is_set(rows, "check") | mask(pc.equal(rows["error"], "")))
    return violated


def _reason(rows: Rows) -> Mask:
    unchecked = mask(pc.equal(rows["check"], "unchecked"))
    violated: Mask = unchecked != is_set(rows, "reason")
    return violated


def _step(rows: Rows) -> Mask:
    step, steps = rows["step"], rows["steps"]
    fits = pc.and_(pc.greater_equal(step, 1), pc.less_equal(step, steps))
    return is_set(rows, "step", "steps") & ~mask(fits)


# ---------------------------------------------------------------- checks of one row at a time


def _each(where: Callable[[Rows], Mask], names: Sequence[str], holds: Callable[..., bool]) -> Callable[[Rows], Mask]:
    """A check of these columns in the rows that ``where`` selects, one row at a time."""

    def check(rows: Rows) -> Mask:
        found = where(rows)
        if found.any():
            columns = [rows[name].filter(pa.array(found)).to_pylist() for name in names]
            found[found] = [not holds(*row) for row in zip(*columns, strict=True)]
        return found

    return check


def _is_verified(rows: Rows) -> Mask:
    return mask(pc.equal(rows["check"], "verified"))


def _are_all_changes(changes: list[dict[str, Any] | None], *pair: Any) -> bool:
    spans = [tuple(change.values())[:4] if change else (None,) * 4 for change in changes]
    return edits.consists_of(edits.Edit(*pair[:3]), spans, *pair[3:])


def _are_prompt(messages: list[dict[str, str] | None], prompt: str) -> bool:
    found = [Message(str(message["role"]), str(message["content"])) for message in messages if message]
    return len(found) == len(messages) and is_conversation(found) and plain_prompt(found) == prompt


# ---------------------------------------------------------------- evidence of corruptions


def _evidence(rows: Rows) -> Mask:
    complete = np.logical_and.reduce([is_set(rows, name) for name in (*_LITERALS, "expression", *_VALUES)])
    violated: Mask = np.where(_is_verified(rows), ~complete, is_set(rows, "expression", *_VALUES))
    return violated


_EXACT = r"\A-?[0-9]+(/[0-9]*[1-9][0-9]*)?\z"
_ARITHMETIC = r"\A([0-9+\-*/()., ]|sqrt|pi)+\z"


def _no_match(name: str, pattern: str) -> Callable[[Rows], Mask]:
    return lambda rows: mask(pc.invert(pc.match_substring_regex(rows[name], pattern)))


def _value_format(rows: Rows) -> Mask:
    return _no_match("correct_value", _EXACT)(rows) | _no_match("corrupted_value", _EXACT)(rows)


# ---------------------------------------------------------------- the table


class Invariant(NamedTuple):
    """A rule that every dataset keeps.

    ``columns`` are shown where a row violates it. ``violated`` gives a mask of the rows that do; it is None for rules
    about files and about all rows together, which ``validate`` checks. Rows that violate one of ``requires`` are not
    checked: the text before a span that is out of bounds cannot be compared.
    """

    rule: str
    columns: tuple[str, ...] = ()
    violated: Callable[[Rows], Mask] | None = None
    requires: tuple[str, ...] = ()


_STOPS = ("edit_start", "chosen_edit_stop", "rejected_edit_stop")
_TEXTS = ("chosen", "rejected")
_SPANS = ("span_bounds", "span_prefix", "span_tail")
_LITERALS = ("correct", "corrupted")
_VALUES = ("correct_value", "corrupted_value")

INVARIANTS: dict[str, Invariant] = {
    "shard_bytes": Invariant("each shard has the size and xxh3 hash recorded in the manifest"),
    "readable": Invariant("each shard is an Arrow stream of valid UTF-8"),
    "schema": Invariant("every required column, and each column of the schema in its type"),
    "manifest_pairs": Invariant("as many pairs as the manifest records"),
    "manifest_rows": Invariant("every source row yields at least one pair or is counted as dropped"),
    "not_null": Invariant("no nulls in required columns"),
    "pair_id": Invariant("pair_id is unique in the dataset", ("pair_id",)),
    "group_id": Invariant(
        "group_id is shared by exactly those pairs that have the same prompt, messages and chosen",
        ("group_id", "prompt", "chosen"),
    ),
    "prompt_empty": Invariant("prompt is not empty", ("prompt",), lambda rows: mask(pc.equal(rows["prompt"], ""))),
    "prompt_end": Invariant("prompt has no trailing whitespace", ("prompt",), _prompt_end),
    "messages": Invariant(
        "messages, if set, are a conversation that ends with a user message, and prompt is its plain text",
        ("messages", "prompt"),
        _each(lambda rows: is_set(rows, "messages"), ("messages", "prompt"), _are_prompt),
    ),
    "completion_text": Invariant(
        "completions are not blank",
        _TEXTS,
        _either(lambda texts: pc.equal(pc.utf8_trim(texts, characters=WHITESPACE), "")),
    ),
    "sft": Invariant("rejected is empty in data for supervised fine-tuning, and only there", ("rejected",)),
    "completion_start": Invariant(
        "completions start with a space or a newline",
        _TEXTS,
        _either(lambda texts: pc.invert(pc.match_substring_regex(texts, r"\A[ \n]"))),
        ("completion_text",),
    ),
    "differ": Invariant(
        "chosen and rejected differ", _TEXTS, lambda rows: mask(pc.equal(rows["chosen"], rows["rejected"]))
    ),
    "span_bounds": Invariant("0 <= edit_start <= each stop <= length of its completion", _STOPS, _span_bounds),
    "span_prefix": Invariant(
        "the texts before the edit are equal",
        (*_STOPS, *_TEXTS),
        lambda rows: _shared(rows, Prefix) < rows.spans[0],
        ("span_bounds",),
    ),
    "span_tail": Invariant("the texts after the edit are equal", (*_STOPS, *_TEXTS), _span_tail, ("span_bounds",)),
    # The last three imply that the spans themselves differ.
    "edit_distance": Invariant(edits.METRICS["levenshtein"].definition, ("edit_distance", *_TEXTS), _edit_distance),
    "literals": Invariant(
        "correct is the edited span of chosen, corrupted is that of rejected; of several edits, the result's",
        (*_LITERALS, *_STOPS, *_TEXTS),
        _each(
            lambda rows: is_set(rows, *_LITERALS), (*_LITERALS, "error", "edits", *_STOPS, *_TEXTS), are_edited_texts
        ),
        _SPANS,
    ),
    "edits": Invariant(
        "edits, if set, are in order, begin and end with the edited span, and the texts between them are equal",
        ("edits", *_STOPS, *_TEXTS),
        _each(lambda rows: is_set(rows, "edits"), ("edits", *_STOPS, *_TEXTS), _are_all_changes),
        _SPANS,
    ),
    "carried": Invariant(
        "each edit has the texts that it names, and the expression of one after the result gives what is in rejected",
        ("edits", *_TEXTS),
        _each(lambda rows: is_set(rows, "edits"), ("error", "edits", *_TEXTS), follows),
        ("edits",),
    ),
    "check": Invariant(f"check is {' or '.join(CHECKS)} for a corruption, and null otherwise", ("check",), _check),
    "error": Invariant("error is set for corruptions only", ("error", "check"), _error),
    "reason": Invariant("reason is set exactly for unchecked corruptions", ("check", "reason"), _reason),
    "step": Invariant(
        "1 <= step <= steps, or both are null (not the result of a calculation)", ("step", "steps"), _step
    ),
    "evidence": Invariant(
        "expression and both values are set exactly for verified pairs",
        ("expression", *_VALUES),
        _evidence,
        ("literals", "check"),
    ),
    "value_format": Invariant("a value is an integer or p/q", _VALUES, _value_format),
    "values": Invariant(
        "correct_value is the exact value of correct, corrupted_value is that of corrupted",
        ("correct", "corrupted", *_VALUES),
        _each(
            _is_verified,
            ("correct", "correct_value", "corrupted", "corrupted_value"),
            lambda correct, value, corrupted, other: has_value(correct, value) and has_value(corrupted, other),
        ),
        ("literals", "evidence", "value_format"),
    ),
    "expression": Invariant(
        "only digits, + - * / ( ) . , spaces, sqrt and pi", ("expression",), _no_match("expression", _ARITHMETIC)
    ),
    "recomputed": Invariant(
        "the value of expression is what correct states (exactly or rounded), and not what corrupted states",
        ("expression", *_LITERALS),
        _each(_is_verified, ("expression", *_LITERALS), is_confirmed),
        ("literals", "evidence", "expression"),
    ),
    "wrong_step": Invariant(
        "a wrong result leaves its calculation as it is; a wrong calculation is changed by edits before its result, "
        "and the value of its new expression is exactly that of corrupted, and not that of expression",
        ("error", "expression", *_LITERALS, "edits"),
        _each(
            lambda rows: _is_verified(rows) & is_set(rows, "error"),
            ("error", "expression", "corrupted", "edits"),
            is_step_of,
        ),
        ("error", "recomputed", "edits"),
    ),
}


def violated_rows(batch: pa.RecordBatch) -> dict[str, Mask]:
    """For each invariant of single rows, the rows of a batch that violate it.

    Args:
        batch: rows of ``SCHEMA`` without nulls in required columns.
    """
    rows = Rows(batch)
    masks: dict[str, Mask] = {}
    for kind, invariant in INVARIANTS.items():
        if invariant.violated is not None:
            violated = invariant.violated(rows)
            for name in invariant.requires:
                violated = violated & ~masks[name]
            masks[kind] = violated
    return masks
