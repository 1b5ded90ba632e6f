"""The row schema: preference pairs in Arrow, and the reasons why source rows yield none.

Columns have plain types, so that pandas, TRL, ``load_from_disk``, ``load_dataset(folder)`` and ``datasets`` 2.14 and
later open them (dictionary-encoded strings do not open in ``datasets`` 2 and 3).
"""

from collections.abc import Iterable, Sequence
from math import nan
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import pyarrow as pa

from pairgen.pairs import edits
from pairgen.pairs.messages import Message

# ---------------------------------------------------------------- the listing of all columns


class Change(NamedTuple):
    """One of several changes between two completions; spans count code points of chosen and rejected.

    ``expression`` is set for results: the calculation of the result as it is in rejected.
    """

    start: int
    chosen_stop: int
    rejected_start: int
    rejected_stop: int
    correct: str | None = None
    corrupted: str | None = None
    expression: str | None = None


class Provenance(NamedTuple):
    """The columns that record how a corruption was made and verified; all null for a choice from the source."""

    correct: Annotated[str | None, "the original value, as written"] = None
    corrupted: Annotated[str | None, "the wrong value, as written"] = None
    correct_value: Annotated[str | None, "exact value of correct as p/q; null if unchecked"] = None
    corrupted_value: Annotated[str | None, "exact value of corrupted as p/q; null if unchecked"] = None
    expression: Annotated[str | None, "the calculation as plain ASCII arithmetic, parseable by sympy"] = None
    check: Annotated[
        str | None, "verified if exact arithmetic confirms that correct is right and corrupted is wrong, else unchecked"
    ] = None
    reason: Annotated[str | None, "why it is unchecked; null if verified"] = None
    strategy: Annotated[str | None, "the kind of value that was corrupted"] = None
    step: Annotated[int | None, "which result of the solution was corrupted, counted from 1"] = None
    steps: Annotated[int | None, "number of results in the solution"] = None
    edits: Annotated[
        tuple[Change, ...] | None,
        "every change, where a pair has several: those in a calculation, then its result, which is the first with an "
        "expression (as it is in rejected), then what follows from it; null if the edit span is the only one",
    ] = None
    error: Annotated[
        str | None,
        "kind of error: result (wrong result of the right calculation), or operator, swap, omit or operand (right "
        "result of a wrong calculation); null in datasets of a format before 5",
    ] = None

    def shifted(self, by: int) -> "Provenance":
        """The same for texts that have this many code points more in front."""
        if not by or self.edits is None:
            return self
        return self._replace(
            edits=tuple(
                edit._replace(
                    start=edit.start + by,
                    chosen_stop=edit.chosen_stop + by,
                    rejected_start=edit.rejected_start + by,
                    rejected_stop=edit.rejected_stop + by,
                )
                for edit in self.edits
            )
        )


class Pair(NamedTuple):
    """One row: its columns in order, followed by those of ``provenance``.

    This and ``Provenance`` are the only place where columns are listed. A column is nullable if its type allows None.
    """

    prompt: Annotated[str, "the prompt, without trailing whitespace"]
    chosen: Annotated[str, "the preferred completion, including its leading space or newline"]
    rejected: Annotated[str, "the rejected completion; differs from chosen; empty in data for supervised fine-tuning"]
    pair_id: Annotated[str, "unique id, derived only from the source row"]
    group_id: Annotated[str, "shared by exactly those pairs that have the same prompt and chosen"]
    source: Annotated[str, "dataset and type, e.g. metamath/GSM_AnsAug"]
    edit_start: Annotated[int, "start of the edited span in code points; the texts before it are equal"]
    chosen_edit_stop: Annotated[int, "end of the edited span in chosen, exclusive"]
    rejected_edit_stop: Annotated[int, "end of the edited span in rejected; the texts after the stops are equal"]
    edit_distance: Annotated[float, "Levenshtein distance over code points / longer length, 0 to 1"] = nan
    """Filled in by ``to_batch``, which computes it for many pairs at once."""
    row: Annotated[str | None, "the source row: file and line or row number, counted from 1"] = None
    row_id: Annotated[str | None, "the id that the source gives the row; null if it has none"] = None
    messages: Annotated[
        tuple[Message, ...] | None, "the prompt as chat messages, if the source has several; null if it is plain text"
    ] = None
    provenance: Provenance = Provenance()


class Rejection(NamedTuple):
    """A rejected completion of an example, without the separator that starts completions, and its edit.

    ``edit`` counts code points of these texts. ``provenance`` is for corruptions only.
    """

    completion: str
    edit: edits.Edit
    provenance: Provenance = Provenance()


class DropRow(Exception):
    """A source row yields no pair. Reasons are counted, so ``reason`` names the problem without the row's values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


CHECKS = ("verified", "unchecked")
"""Values of ``check``."""

# ---------------------------------------------------------------- Arrow


class Column(NamedTuple):
    """A column of the schema: its Arrow type, whether it may be null, and its meaning in one line."""

    type: pa.DataType
    nullable: bool
    meaning: str


def _arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of a Python type: ``str | None`` is a string, a tuple of named tuples is a list of structs."""
    alternatives = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(alternatives[0]))
    if alternatives:
        return _arrow_type(alternatives[0])
    if hint in _ARROW_TYPES:
        return _ARROW_TYPES[hint]
    return pa.struct([pa.field(name, _arrow_type(part)) for name, part in get_type_hints(hint).items()])


_ARROW_TYPES = {str: pa.string(), int: pa.int32(), float: pa.float32()}


def _columns(record: type[tuple[Any, ...]]) -> dict[str, Column]:
    hints = get_type_hints(record, include_extras=True)
    annotated = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {
        name: Column(_arrow_type(hint), NoneType in get_args(hint), meaning)
        for name, (hint, meaning) in annotated.items()
    }


COLUMNS = {**_columns(Pair), **_columns(Provenance)}

SCHEMA = pa.schema([pa.field(name, column.type, nullable=True) for name, column in COLUMNS.items()])
"""Every field is declared nullable, as ``datasets`` itself writes them; ``validate`` finds nulls in other columns."""


def to_batch(pairs: Sequence[Pair]) -> pa.RecordBatch:
    """Pairs as one Arrow batch of ``SCHEMA``, with their edit distances."""
    columns = _transposed(pairs, Pair)
    columns |= _transposed(columns.pop("provenance"), Provenance)
    columns["edit_distance"] = edits.distances(columns["chosen"], columns["rejected"]).tolist()
    return pa.record_batch([pa.array(columns[name], COLUMNS[name].type) for name in COLUMNS], schema=SCHEMA)


def _transposed(records: Sequence[Any], record: Any) -> dict[str, Sequence[Any]]:
    names: tuple[str, ...] = record._fields
    values: Iterable[Sequence[Any]] = zip(*records, strict=True) if records else ((),) * len(names)
    return dict(zip(names, values, strict=True))


def conform(batch: pa.RecordBatch, names: Iterable[str] = tuple(COLUMNS)) -> pa.RecordBatch:
    """Some columns of a batch, in this order.

    A dataset may lack columns that are nullable (it may be older than them): they are null for every row. It may also
    have further columns, which are ignored.

    Raises:
        KeyError: a column that is not nullable is missing.
    """
    present = set(batch.schema.names)
    columns = {
        name: pa.nulls(batch.num_rows, COLUMNS[name].type)
        if name not in present and COLUMNS[name].nullable
        else batch[name]
        for name in names
    }
    return pa.record_batch(list(columns.values()), list(columns))


def features() -> dict[str, Any]:
    """``SCHEMA`` as the ``features`` of ``dataset_info.json``.

    A list is written as ``[item]``, which ``datasets`` reads in 2.14 as in 5.2; releases from 4 on write it as
    ``{"_type": "List"}``, which older ones cannot read.
    """
    return {field.name: _feature(field.type) for field in SCHEMA}


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": "float32" if kind == pa.float32() else str(kind), "_type": "Value"}
