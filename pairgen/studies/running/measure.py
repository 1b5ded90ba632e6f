"""Log-probs of pairs, token by token, after a run: the numbers that all reports are made of."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pairgen.train.config import Config
    from pairgen.train.loop import Trainer

TOKENS = pa.list_(pa.float32())
SCORED = pa.schema(
    {
        "split": pa.string(),
        "pair_id": pa.string(),
        "chosen": TOKENS,
        "rejected": TOKENS,
        "edit_start": pa.int32(),
        "chosen_edit_stop": pa.int32(),
        "rejected_edit_stop": pa.int32(),
    }
)
"""One row per pair: log-probs of the tokens of both completions, EOS included, in nats; token indices of the edit."""

Numbers = NDArray[np.float64]
PARTS = ("before", "at", "after")


# ---------------------------------------------------------------- scoring


def score(trainer: "Trainer", measured: int) -> pa.Table:
    """Log-probs under the current policy, of held-out pairs and the first ``measured`` training pairs, in ``SCORED``.

    Batches, and so rounding, are the same for every run on the same data.
    """
    rows = [*_rows(trainer, "train", measured), *_rows(trainer, "eval", 0)]
    return pa.Table.from_pylist(rows, SCORED)


def score_start(config: "Config", measured: int, folder: Path) -> pa.Table:
    """The same for the model that a run starts from: reference log-probs, also for losses that need none."""
    from pairgen.progress import ignore
    from pairgen.train.context import RunContext
    from pairgen.train.distributed import World
    from pairgen.train.prepare import prepare

    context = RunContext(folder, folder / "tokens", World(), ignore, ignore)
    trainer = prepare(replace(config, out=str(folder), loss="simpo").resolved(), context)
    trainer.log.close()
    return score(trainer, measured)


def _rows(trainer: "Trainer", name: str, most: int) -> Iterator[dict[str, Any]]:
    import torch

    from pairgen.train.data.order import chunks

    split = trainer.data.pairs if name == "train" else trainer.data.evaluation
    if split is None:
        return
    pairs = split.groups.pairs
    stop = max(1, int(np.searchsorted(np.cumsum(pairs), most or np.inf, side="right")))
    objective = trainer.objective
    objective.module.eval()
    for first, last in chunks(pairs[:stop], trainer.config.batch_size):
        groups = [split.groups[at] for at in range(first, last)]
        batch = objective.forward.layout(groups).to(objective.forward.device)
        with torch.no_grad():
            logps = objective.forward.token_logps(objective.module, batch).cpu().numpy()
        lengths, edit = batch.lengths.tolist(), batch.edit.tolist()
        for row, pair_id in enumerate(batch.pair_ids):
            other = row + batch.pairs
            yield {
                "split": name,
                "pair_id": pair_id,
                "chosen": logps[row, : lengths[row]],
                "rejected": logps[other, : lengths[other]],
                "edit_start": edit[row][0],
                "chosen_edit_stop": edit[row][1],
                "rejected_edit_stop": edit[other][1],
            }


# ---------------------------------------------------------------- reading


class Measured:
    """The pairs of a run, with log-probs under its policy and under its reference.

    ``side`` is ``chosen`` or ``rejected``, ``of`` is ``policy`` or ``reference``; P is the number of pairs.
    """

    def __init__(self, policy: pa.Table, reference: pa.Table) -> None:
        """Args: two tables of ``SCORED`` with the same pairs in the same order."""
        if policy["pair_id"] != reference["pair_id"]:
            raise ValueError("policy and reference were measured on different pairs")
        self.tables = {"policy": policy, "reference": reference}

    @classmethod
    def read(cls, policy: Path, reference: Path) -> "Measured":
        """Read what ``score`` measured, from Parquet files."""
        return cls(pq.read_table(policy), pq.read_table(reference))

    def split(self, name: str) -> "Measured":
        """The pairs of one split: ``train`` or ``eval``."""
        return self._where(np.asarray(self.tables["policy"]["split"]) == name)

    def _where(self, chosen: NDArray[np.bool_]) -> "Measured":
        return Measured(*(table.filter(pa.array(chosen)) for table in self.tables.values()))

    def __len__(self) -> int:
        return int(self.tables["policy"].num_rows)

    @property
    def pair_ids(self) -> list[str]:
        """[P]."""
        return list(self.tables["policy"]["pair_id"].to_pylist())

    @cached_property
    def _edit(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        table = self.tables["policy"]
        start = table["edit_start"].to_numpy().astype(np.int64)
        return {
            side: (start, table[f"{side}_edit_stop"].to_numpy().astype(np.int64)) for side in ("chosen", "rejected")
        }

    def tokens(self, side: str, of: str = "policy") -> list[Numbers]:
        """[P] log-probs of each completion's tokens, in nats."""
        return [np.asarray(row.values, dtype=np.float64) for row in self.tables[of][side]]

    def sums(self, side: str, of: str = "policy") -> Numbers:
        """[P] log-prob of each completion, in nats."""
        return np.array([row.sum() for row in self.tokens(side, of)])

    def logratio(self, side: str) -> Numbers:
        """[P] log pi(y|x) - log pi_ref(y|x), in nats."""
        return self.sums(side) - self.sums(side, "reference")

    @property
    def margin(self) -> Numbers:
        """[P] chosen log-ratio minus rejected log-ratio, in nats."""
        return self.logratio("chosen") - self.logratio("rejected")

    def offsets(self, side: str) -> list[NDArray[np.int64]]:
        """[P] each token's offset from the edit: 0 at it, -1 just before it, 1 just after it."""
        found = []
        for tokens, start, stop in zip(self.tokens(side), *self._edit[side], strict=True):
            at = np.arange(len(tokens))
            found.append(np.where(at < start, at - start, np.where(at < stop, 0, at - np.maximum(stop, start) + 1)))
        return found

    def pooled(self, side: str, part: str, of: str = "policy") -> float:
        """Mean log-prob per token before, at or after the edit, over the tokens of all pairs; NaN if there are none."""
        return float(np.mean(self._values(side, part, of))) if len(self) else float("nan")

    def _values(self, side: str, part: str, of: str) -> Numbers:
        values, offsets = np.concatenate(self.tokens(side, of)), np.concatenate(self.offsets(side))
        sign = PARTS.index(part) - 1
        found: Numbers = values[np.sign(offsets) == sign]
        return found if len(found) else np.array([np.nan])

    def profile(self, side: str, of: str, first: int, last: int) -> Numbers:
        """[last - first + 1] mean log-prob of the tokens at each offset from the edit; NaN where there are none."""
        values, offsets = np.concatenate(self.tokens(side, of)), np.concatenate(self.offsets(side))
        inside = (offsets >= first) & (offsets <= last)
        size = last - first + 1
        counts = np.bincount(offsets[inside] - first, minlength=size)
        totals = np.bincount(offsets[inside] - first, values[inside], minlength=size)
        means: Numbers = np.divide(totals, counts, out=np.full(size, np.nan), where=counts > 0)
        return means
