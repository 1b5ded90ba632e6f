"""Reference log-probs: computed before training, cached on disk by pair, and written as they are computed.

They are kept next to the dataset in ``reference/<model>-<forward>-<tokens>-v<FORMAT>/``, named by what they were
computed from: a fingerprint of the model, the precision and layout of its forward passes, and a hash of the token ids.
Every run with the same reference uses them. Each process writes an Arrow stream of its own; of a stream that was cut
short, the complete record batches count.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from pairgen.atomic import os_errors, write_text
from pairgen.errors import RunFolderError
from pairgen.run_folder import REFERENCE, REFERENCE_MODEL
from pairgen.train.config import Config
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.order import chunks
from pairgen.train.data.splits import TokenizedSplit
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.model.fingerprint import fingerprint
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Forward

FORMAT = 2
"""Version of ``SCHEMA``, part of a cache's name."""

SCHEMA = pa.schema({"pair": pa.string(), "chosen": pa.list_(pa.float32()), "rejected": pa.list_(pa.float32())})
"""Per pair: its key, and the log-prob of each token of both completions, in nats."""


class ReferenceLogps:
    """Reference log-probs by pair, read from the memory-mapped files when they are needed."""

    def __init__(self, batches: Iterable[pa.RecordBatch] = ()) -> None:
        self._rows: dict[str, tuple[pa.RecordBatch, int]] = {}
        self.add(batches)

    def add(self, batches: Iterable[pa.RecordBatch], prefix: str = "") -> None:
        """Add pairs, with ``prefix`` prepended to their keys; a pair that is already known keeps its values."""
        for batch in batches:
            for row, key in enumerate(batch["pair"].to_pylist()):
                self._rows.setdefault(prefix + key, (batch, row))

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def tokens(self, keys: Sequence[str], width: int, rejected: bool = True) -> Tensor:
        """Log-probs of all tokens of P pairs.

        Args:
            width: tokens of the longest completion.
            rejected: whether the batch contains rejected completions; if not, their rows repeat chosen.

        Returns:
            [2P, width] float64: chosen of each pair, then rejected of each; 0 after a completion's end.
        """
        values = np.zeros((2 * len(keys), width))
        columns = ("chosen", "rejected" if rejected else "chosen")
        for line, (column, key) in zip(values, product(columns, keys), strict=True):
            batch, row = self._rows[key]
            found = batch[column][row].values.to_numpy()
            line[: len(found)] = found
        return torch.from_numpy(values)


def folder_of(dataset: Path, chosen: str, fallback: Path) -> Path:
    """The folder for a dataset's log-probs: ``chosen``, else inside the dataset, or ``fallback`` if it is read-only."""
    if chosen:
        return Path(chosen)
    folder = dataset / "reference"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    return folder if os.access(folder, os.W_OK) else fallback


def read(folder: Path) -> list[pa.RecordBatch]:
    """The complete record batches of all streams in a folder."""
    found: list[pa.RecordBatch] = []
    for file in sorted(folder.glob("*.arrows")):
        try:
            with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
                while True:
                    found.append(reader.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):  # its end, or the process that wrote it was killed
            continue
    return found


@dataclass(frozen=True)
class ReferencePass:
    """A pass of the reference model over the groups whose indices are ``needed``."""

    groups: GroupTable
    needed: NDArray[np.int64]
    score: Callable[[Sequence[TokenGroup]], tuple[Batch, Tensor]]
    """Returns the batch of groups, and [2P, T] log-probs of its completions' tokens."""
    pairs_at_once: int


def compute_missing(
    work: ReferencePass, folder: Path, world: World = World(), progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Score the batches that contain a pair missing in ``folder``, and write them there.

    Groups of similar length are batched together. The batches depend on the needed groups, not on the missing ones, so
    that an interrupted pass ends with the same values. Each process takes every ``world.size``-th batch.

    Args:
        progress: called with the number of scored batches, and of all that are missing.
    """
    unknown = work.groups.unknown(ReferenceLogps(read(folder)))
    order = work.needed[np.argsort(work.groups.tokens[work.needed], kind="stable")]
    batches = [order[start:stop] for start, stop in chunks(work.groups.pairs[order], work.pairs_at_once)]
    missing = [batch for batch in batches[world.rank :: world.size] if unknown[batch].any()]
    if not missing:
        return
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(folder / f"{uuid4().hex}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
            for number, batch in enumerate(missing, 1):
                stream.write_batch(_scored(*work.score([work.groups[index] for index in batch])))
                sink.flush()
                progress(number, len(missing))


def _scored(batch: Batch, tokens: Tensor) -> pa.RecordBatch:
    """A row per pair. The model computes log-probs in float32, so storing them as float32 loses nothing."""
    rows = zip(tokens.float().cpu().numpy(), batch.lengths.tolist(), strict=True)
    values = [row[:length] for row, length in rows]
    return pa.record_batch([list(batch.pair_ids), values[: batch.pairs], values[batch.pairs :]], schema=SCHEMA)


@dataclass
class StartingModel:
    """The policy as it was before its first step, loaded when it is first needed."""

    load: Callable[[], Scorer]
    """Calls ``check_start``."""
    forward: Forward

    @cached_property
    def scorer(self) -> Scorer:
        """The model, in evaluation mode."""
        scorer: Scorer = self.load().eval()
        return scorer

    @torch.no_grad()
    def score(self, groups: Sequence[TokenGroup]) -> tuple[Batch, Tensor]:
        """A batch of groups and [2P, T] log-probs of its completions' tokens."""
        batch = self.forward.layout(groups).to(self.forward.device)
        return batch, self.forward.token_logps(self.scorer, batch)


def recorded_fingerprint(file: Path) -> str | None:
    """The fingerprint of the model that a run started from; None if it was not recorded. Raises RunFolderError."""
    try:
        recorded = json.loads(file.read_text("utf-8")).get("model") if file.is_file() else None
    except (ValueError, AttributeError) as error:
        raise RunFolderError(f"{file}: damaged ({error}); delete it to compute its fingerprint again") from None
    return None if recorded is None else str(recorded)


def check_start(model: torch.nn.Module, name: str, context: RunContext) -> None:
    """Record the fingerprint of the model that a run starts from or, in a resumed run, compare with it.

    Args:
        model: as it was loaded from ``name``, the value of --model.

    Raises:
        RunFolderError: the run started from another model, so its reference and the base of its adapter are lost.
    """
    file = context.folder / REFERENCE_MODEL
    found, recorded = fingerprint(model), recorded_fingerprint(file)
    if recorded is None and context.world.is_main:
        write_text(file, json.dumps({"model": found}))
    if recorded not in (None, found):
        raise RunFolderError(
            f"{context.folder}: --model {name} has changed since the run started (its config, its weights, or the "
            "version of transformers); restore it, or start a new run"
        )


def precompute(
    config: Config, needed: list[tuple[TokenizedSplit, NDArray[np.int64]]], model: StartingModel, context: RunContext
) -> ReferenceLogps:
    """Reference log-probs of the pairs of a run, computed where they are not in the cache.

    Args:
        needed: splits, and the indices of their groups that the run uses.
    """
    world, file = context.world, context.folder / REFERENCE_MODEL
    if world.is_main and recorded_fingerprint(file) is None:
        _ = model.scorer  # loading it records it
    world.barrier()
    prefix = f"{str(recorded_fingerprint(file))[:16]}-{model.forward.name}"
    pairs_at_once = config.micro_batch_size or config.batch_size
    known = ReferenceLogps()
    for split, indices in needed:
        tables = zip(split.datasets, split.groups.prefixes, split.groups.by_table(indices), strict=True)
        for tokens, key_prefix, groups in tables:
            folder = folder_of(tokens.dataset, config.reference_dir, context.folder / REFERENCE)
            folder /= f"{prefix}-{tokens.hash[:16]}-v{FORMAT}"
            work = ReferencePass(tokens.groups, groups, model.score, pairs_at_once)
            compute_missing(work, folder, world, partial(context.progress, f"{Phase.REFERENCE} {tokens.dataset.name}"))
            world.barrier()
            known.add(read(folder), key_prefix)
    return known
