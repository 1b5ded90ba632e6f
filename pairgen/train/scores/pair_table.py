"""Log-probs of the tokens of pairs, collected batch by batch: the table that a run leaves."""

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from pairgen.run_folder.measured import SCORED, SIDES, TEXTS
from pairgen.train.data.order import Indices
from pairgen.train.data.splits import TokenizedSplit
from pairgen.train.data.token_texts import TokenTexts, decoder
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import pair_fields
from pairgen.train.losses import Loss
from pairgen.train.scores.pair_logps import PairLogps

POLICY, REFERENCE = "", "reference_"
"""Prefixes of the columns of log-probs."""


class PairTable:
    """Pairs of a split, with log-probs of their tokens.

    There is a vector per column, in which each pair has its place, whichever process scores it.

    Args:
        name: of the split.
        groups: the indices of their groups, increasing.
        loss: what the run has log-probs of: with a reference, and of rejected completions, or without.
        tokenizer: a fast tokenizer of transformers.
    """

    def __init__(self, split: TokenizedSplit, name: str, groups: Indices, loss: Loss, tokenizer: Any) -> None:
        self.split, self.groups = split, groups
        self.pairs = split.groups.pairs[groups]
        """Pairs of each group."""
        self._name, self._tokenizer = name, tokenizer
        self._sides = SIDES if loss.uses_rejected else SIDES[:1]
        self._first_pair = np.concatenate([[0], np.cumsum(self.pairs)])
        prefixes = (POLICY, REFERENCE) if loss.needs_reference else (POLICY,)
        self._values = {prefix + side: self._empty(side) for prefix in prefixes for side in self._sides}

    def _empty(self, side: str) -> Tensor:
        return torch.zeros(int(self._starts[side][-1]))

    def add(self, first: int, batch: Batch, logps: PairLogps) -> None:
        """Add the log-probs of a batch of consecutive groups of the table, of which ``first`` is the first."""
        pair = int(self._first_pair[first])
        for prefix, values in ((POLICY, logps.policy), (REFERENCE, logps.reference)):
            if values is None:
                continue
            for side, rows, inside in zip(SIDES, values.split(batch.pairs), logps.mask.split(batch.pairs), strict=True):
                if side in self._sides:
                    found = rows[inside].float().cpu()  # the model computes them in float32: nothing is lost
                    start = int(self._starts[side][pair])
                    self._values[prefix + side][start : start + len(found)] = found

    def use_as_reference(self) -> None:
        """Keep the log-probs of the policy as those of the reference, too."""
        self._values |= {REFERENCE + side: self._values[side].clone() for side in self._sides}

    def has_reference(self, table: pa.Table) -> bool:
        """Whether a table of ``SCORED`` has reference log-probs of these pairs, and of no others of their split."""
        rows = self._rows(table)
        ids = ("dataset", "pair_id")
        same = all(
            name in rows.column_names and rows[name].equals(pa.chunked_array([self._columns[name]])) for name in ids
        )
        names = [REFERENCE + side for side in self._sides]
        return same and all(name in rows.column_names and not rows[name].null_count for name in names)

    def read_reference(self, table: pa.Table | None) -> None:
        """Take the reference log-probs from a table that has them. All processes but one give None."""
        for side in self._sides:
            values = self._empty(side)
            if table is not None:
                values += torch.tensor(pc.list_flatten(self._rows(table)[REFERENCE + side]).to_numpy())
            self._values[REFERENCE + side] = values

    def _rows(self, table: pa.Table) -> pa.Table:
        return table.filter(pc.equal(table["split"], self._name))

    def table(self, world: World) -> pa.Table:
        """A table of ``SCORED``, with the log-probs of all processes. Every process must call it."""
        columns = dict(self._columns)
        for name, vector in self._values.items():
            starts = self._starts[name.removeprefix(REFERENCE)]
            columns[name] = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), world.sum(vector.clone()).numpy())
        missing = {field.name: pa.nulls(int(self._first_pair[-1]), field.type) for field in SCORED}
        return pa.table({**missing, **columns}, SCORED)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        """Lengths, edits and ids of all pairs, see ``pair_fields``."""
        return pair_fields([self.split.groups[at] for at in self.groups])

    @cached_property
    def _starts(self) -> dict[str, NDArray[np.int64]]:
        """[pairs + 1] where the tokens of each pair's completion start in the vectors, and where the last ones stop."""
        lengths = self._fields["lengths"].numpy().reshape(2, -1)
        return {side: np.concatenate([[0], np.cumsum(row)]) for side, row in zip(SIDES, lengths, strict=True)}

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        """The columns that are the same whatever the model."""
        chosen_edit, rejected_edit = self._fields["edit"].numpy().astype(np.int32).reshape(2, -1, 2)
        columns = {
            "split": pa.array([self._name] * len(chosen_edit)),
            **self._ids(),
            "edit_start": pa.array(chosen_edit[:, 0]),
            "chosen_edit_stop": pa.array(chosen_edit[:, 1]),
        }
        rejected = {"rejected_edit_stop": pa.array(rejected_edit[:, 1])} if len(self._sides) > 1 else {}
        return columns | rejected | self._texts()

    def _ids(self) -> dict[str, pa.Array]:
        """The pairs' ids and the names of their datasets."""
        groups, names = self.split.groups, [name for name, _, _ in self.split.ranges()]
        tables = groups.table_of(self.groups)
        ids = [
            pair_id.removeprefix(groups.prefixes[table])
            for at, table in zip(self.groups, tables, strict=True)
            for pair_id in groups.pair_ids(at)
        ]
        datasets = [names[table] for table in np.repeat(tables, self.pairs)]
        return {"dataset": pa.array(datasets, pa.string()), "pair_id": pa.array(ids, pa.string())}

    def _texts(self) -> dict[str, pa.Array]:
        """The texts of the tokens of both completions of each pair."""
        texts, found = TokenTexts(decoder(self._tokenizer)), {side: list[list[str]]() for side in self._sides}
        for group in (self.split.groups[at] for at in self.groups):
            chosen, *rejected = texts.of(group.prompt, group.completions)
            found["chosen"] += [chosen] * group.pairs
            if "rejected" in found:
                found["rejected"] += rejected
        return {f"{side}_tokens": pa.array(rows, TEXTS) for side, rows in found.items()}
