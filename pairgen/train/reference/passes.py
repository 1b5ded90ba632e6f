"""Passes of the reference model over the batches of a run, as far as they are missing in the cache."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor

from pairgen.atomic import os_errors
from pairgen.run_folder import CHECKPOINTS, REFERENCE, REFERENCE_MODEL
from pairgen.train.config import Config
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.schedule import Scheduled
from pairgen.train.layout.batch import Batch
from pairgen.train.reference.cache import FORMAT, SCHEMA, ReferenceLogps, Stream, Wanted, folder_of, read
from pairgen.train.reference.hashes import digest, from_digests
from pairgen.train.reference.start import StartingModel, recorded_fingerprint


@dataclass(frozen=True)
class ReferencePass:
    """A pass of the reference model over batches of groups."""

    groups: GroupTable
    batches: Sequence[NDArray[np.int64]]
    """The groups of each batch of this process, as the policy will be given them."""
    folders: Sequence[Path]
    """Where the log-probs of each table of ``groups`` are kept."""
    score: Callable[[Sequence[TokenGroup]], tuple[Batch, Tensor]]
    """Returns the batch of groups, and [2P, T] log-probs of its completions' tokens."""
    setting: str = ""
    """What log-probs depend on to the last bit besides the model and the pairs of a batch; part of its key."""
    exact: bool = False
    """Whether pairs must have been scored in these very batches."""
    passes: Callable[[int], int] = lambda number: number
    """How many passes this process takes part in, given how many it needs: of a sharded model, the most of any."""

    @cached_property
    def keys(self) -> Sequence[str]:
        """The key of each batch: a hash of its pairs and the setting."""
        return self._wanted.batches

    @cached_property
    def _wanted(self) -> Wanted:
        keys, digests = [], bytearray()
        for batch in self.batches:
            ids = self._pair_ids(batch)
            keys.append(xxhash.xxh3_64_hexdigest(json.dumps([self.setting, *ids]).encode()))
            digests += b"".join(map(digest, ids))
        counts = [self.groups.pairs[batch].sum() for batch in self.batches]
        return Wanted(from_digests(digests), keys, np.array(counts, np.int64))

    def streams(self) -> list[Stream]:
        """What all processes have written so far."""
        folders = zip(self.folders, self.groups.prefixes, strict=True)
        return [stream for folder, prefix in folders for stream in read(folder, prefix, self._wanted)]

    def known(self) -> ReferenceLogps:
        """The same by pair."""
        return ReferenceLogps(self.streams())

    def missing(self) -> list[tuple[NDArray[np.int64], str]]:
        """The batches to score, each with its key."""
        is_known = self.known().contain(self._wanted.pairs, self.exact)
        stops = np.cumsum(self._wanted.counts)
        of_batches = zip(self.batches, self.keys, stops - self._wanted.counts, stops, strict=True)
        return [(batch, key) for batch, key, start, stop in of_batches if not is_known[start:stop].all()]

    def _pair_ids(self, batch: NDArray[np.int64]) -> list[str]:
        return [pair_id for index in batch for pair_id in self.groups.pair_ids(index)]


def compute_missing(work: ReferencePass, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Score the batches that contain a pair which is missing, and write them.

    Batches do not depend on what is missing, so that an interrupted pass ends with the same values.

    Args:
        progress: called with the number of scored batches, and of all that are missing.
    """
    missing = work.missing()
    passes = work.passes(len(missing))
    with contextlib.ExitStack() as streams:
        writers: dict[Path, Any] = {}
        for number, (batch, key) in enumerate(missing, 1):
            table = _scored(key, *work.score([work.groups[index] for index in batch]))
            table_of = np.repeat(work.groups.table_of(batch), work.groups.pairs[batch])
            for which in np.unique(table_of):
                rows = pa.array(np.flatnonzero(table_of == which))
                with os_errors(folder := work.folders[which]):
                    if folder not in writers:
                        writers[folder] = streams.enter_context(_stream(folder))
                    prefix = len(work.groups.prefixes[which])
                    sink, stream = writers[folder]
                    stream.write_batch(_without_prefix(table.take(rows), prefix))
                    sink.flush()
            progress(number, len(missing))
    for _ in range(len(missing), passes):
        work.score([work.groups[int(work.groups.tokens.argmin())]])


@contextlib.contextmanager
def _stream(folder: Path) -> Iterator[tuple[Any, Any]]:
    """A new file in a folder, and the Arrow stream that is written to it."""
    folder.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(folder / f"{uuid4().hex}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
        yield sink, stream


def _without_prefix(rows: pa.RecordBatch, length: int) -> pa.RecordBatch:
    """Rows whose keys lack the prefix that tells datasets apart."""
    keys = [key[length:] for key in rows["pair"].to_pylist()]
    return pa.record_batch([pa.array(keys, pa.string()), *rows.columns[1:]], schema=SCHEMA)


def _scored(key: str, batch: Batch, tokens: Tensor) -> pa.RecordBatch:
    """A row per pair. The model computes log-probs in float32, so storing them as float32 loses nothing."""
    rows = zip(tokens.float().cpu().numpy(), batch.lengths.tolist(), strict=True)
    values = [row[:length] for row, length in rows]
    columns = [list(batch.pair_ids), [key] * batch.pairs, values[: batch.pairs], values[batch.pairs :]]
    return pa.record_batch(columns, schema=SCHEMA)


def precompute(
    config: Config, schedule: Sequence[Scheduled], model: StartingModel, context: RunContext
) -> ReferenceLogps:
    """Reference log-probs of the pairs of a run, computed where they are not in the cache.

    Args:
        schedule: the batches that this process will give to the policy.
    """
    world, file = context.world, context.folder / REFERENCE_MODEL
    resumed = (context.folder / CHECKPOINTS).is_dir()
    device = model.forward.device
    if world.any_rank(world.is_main and recorded_fingerprint(file) is None, device):
        _ = model.scorer  # loading it records it
    world.barrier()
    prefix = f"{str(recorded_fingerprint(file))[:16]}-{model.forward.name}"
    streams: list[Stream] = []
    for split, batches, trained_on in schedule:
        folders = [
            folder_of(tokens.dataset, config.reference_dir, context.folder / REFERENCE)
            / f"{prefix}-{tokens.hash[:16]}-v{FORMAT}"
            for tokens in split.datasets
        ]
        setting = [
            config.max_packed_length,
            *_machine(device),
            *(tokens.hash for tokens in split.datasets),
        ]
        exact = model.forward.low_precision and not resumed
        score = model.score_with_gradients if exact and trained_on else model.score
        work = ReferencePass(split.groups, batches, folders, score, json.dumps(setting), exact)
        if world.size > 1:  # all take part in passes of a sharded model, and in loading the starting model
            work = replace(work, passes=partial(world.most, device=device))
        names = ", ".join(tokens.dataset.name for tokens in split.datasets)
        compute_missing(work, partial(context.progress, f"{Phase.REFERENCE} {names}"))
        world.barrier()
        streams += work.streams()
    return ReferenceLogps(streams)


def _machine(device: torch.device) -> tuple[str, str, int]:
    """What decides the order of the sums in a matrix product, besides its shape."""
    if device.type == "cuda":
        return torch.__version__, torch.cuda.get_device_name(device), 0
    return torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
