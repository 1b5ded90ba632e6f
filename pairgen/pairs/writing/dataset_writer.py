"""``DatasetWriter``: the one way to write a pair dataset. The folder appears once it is complete.

It is built in a hidden folder. The files through which ``datasets`` opens a folder (``dataset_dict.json`` and the card)
are written after the manifest, so that even the hidden folder cannot be opened before it is complete.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from pairgen.atomic import CHECKPOINT, move, os_errors, staging
from pairgen.errors import OutputExists, UsageError
from pairgen.pairs import card
from pairgen.pairs.dataset import (
    FORMAT,
    MANIFEST,
    Manifest,
    PairDataset,
    SplitInfo,
    open_pairs,
    read_shard,
    splits_of,
)
from pairgen.pairs.writing import unfinished
from pairgen.pairs.writing.shards import SplitWriter, write_json

_INCOMPLETE = "---\nconfigs:\n- config_name: default\n  data_files: incomplete/*.arrow\n---\n"
"""A card that names files which do not exist, so that ``load_dataset`` refuses the folder."""


class DatasetWriter:
    """Writes a dataset atomically::

        with DatasetWriter(out) as writer:
            writer.write("train", batch)
            dataset = writer.commit({"dataset": "metamath"})

    Leaving the block without ``commit`` leaves nothing behind, unless there is a checkpoint (``save``). The bytes
    written depend only on the rows of each split and their order, not on the batches in which they arrive.

    Args:
        overwrite: replace a pairgen dataset at ``out``, which stays in place until the new one is complete.
        resume: go on from the last checkpoint of a writer to ``out`` that was killed, if there is one. Without it, such
            a checkpoint is removed.

    Raises:
        UsageError: ``out`` is a URL.
        OutputExists: ``out`` is not empty and ``overwrite`` is False, or it is not a pairgen dataset.
        OutputError: the disk is full, ``out`` cannot be written, or what should be resumed is damaged or in use.
    """

    def __init__(self, out: str | os.PathLike[str], overwrite: bool = False, resume: bool = False) -> None:
        if "://" in os.fspath(out):
            raise UsageError(f"{out}: only builds and imports write to URLs; choose a local folder")
        self.out = Path(out).absolute()
        self._overwrite, self._resume = overwrite, resume
        self._splits: dict[str, SplitWriter] = {}
        self._folder: Path | None = None
        self.note: dict[str, Any] | None = None
        """What was noted at the checkpoint that the writer goes on from; None if it starts from nothing."""
        with os_errors(self.out):
            check_replaceable(self.out, overwrite)

    def __enter__(self) -> "DatasetWriter":
        with contextlib.ExitStack() as stack:
            stack.enter_context(os_errors(self.out, lambda: self.has_checkpoint))
            self._folder = stack.enter_context(staging(self.out, self._resume))
            (self._new / "README.md").write_text(_INCOMPLETE)
            if self._resume and self.has_checkpoint:
                self._restore()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for split in self._splits.values():
            split.abort()
        self._stack.__exit__(kind, error, traceback)

    # ------------------------------------------------------------ checkpoints

    @property
    def _new(self) -> Path:
        """The unfinished dataset."""
        assert self._folder is not None, "a writer works within its with block"
        return self._folder

    @property
    def beside(self) -> Path:
        """A hidden folder that exists as long as the unfinished dataset does, for files that belong to its work."""
        return self._new.parent

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to resume, should the block end without ``commit``."""
        return self._folder is not None and (self.beside / CHECKPOINT).exists()

    @property
    def closed_shards(self) -> int:
        """The number of shards that are complete, in all splits: a checkpoint is due when it grows."""
        return sum(split.closed for split in self._splits.values())

    def save(self, note: Mapping[str, Any]) -> None:
        """Write a checkpoint: a writer with ``resume`` goes on from here, with this ``note``, ready for JSON."""
        unfinished.save(self.beside, self._splits, note)

    def discard(self) -> None:
        """Remove the checkpoint: what was written cannot become a dataset."""
        if self._folder is not None:
            (self.beside / CHECKPOINT).unlink(missing_ok=True)

    def pair_ids(self) -> Iterator[pa.Array]:
        """The ids of all pairs that were written before the checkpoint from which the writer goes on."""
        for name, split in self._splits.items():
            for file in split.files():
                yield from (batch["pair_id"] for batch in read_shard(self._new / name / file))
            yield from split.pending()["pair_id"].chunks

    def _restore(self) -> None:
        checkpoint = unfinished.load(self.beside)
        self.note = checkpoint.note
        for name in ("dataset_dict.json", MANIFEST):  # of a writer that was killed in ``commit``
            (self._new / name).unlink(missing_ok=True)
        for folder in self._new.iterdir():
            if folder.is_dir() and folder.name not in checkpoint.states:  # a split that began after the checkpoint
                shutil.rmtree(folder)
        for name, state in checkpoint.states.items():
            self._splits[name] = SplitWriter.restored(self._new / name, state, checkpoint.pending[name])

    # ------------------------------------------------------------ rows

    def write(self, split: str, batch: pa.RecordBatch) -> None:
        """Append rows of ``SCHEMA`` to a split.

        Raises:
            OSError: the disk is full; the ``with`` block turns it into an OutputError.
            pyarrow.ArrowInvalid: the batch has another schema.
        """
        self._split(split).write(batch)

    def commit(
        self, manifest: Manifest, statistics: Callable[[PairDataset], dict[str, Any]] | None = None
    ) -> PairDataset:
        """Complete the dataset, move it to ``out`` and open it.

        Args:
            manifest: everything to record about the dataset. Its ``splits`` may hold ``rows`` and ``drops`` of each
                split; ``pairs`` and ``shards`` are added. Splits are listed in its order, then in the order of writing.
            statistics: computes the manifest's ``statistics`` from the complete rows.
        """
        listed = manifest.get("splits", {})
        splits: dict[str, SplitInfo] = {}
        for name in dict.fromkeys([*listed, *self._splits]):
            shards = self._split(name).finish(name)
            splits[name] = {**listed.get(name, {}), "pairs": sum(shard["pairs"] for shard in shards), "shards": shards}
        complete: Manifest = {"format": FORMAT, **manifest, "splits": splits}
        if statistics is not None:
            complete["statistics"] = statistics(PairDataset(self._new, complete, splits_of(self._new, splits)))
        write_json(self._new / MANIFEST, complete)
        write_json(self._new / "dataset_dict.json", {"splits": list(splits)})
        (self._new / "README.tmp").write_text(card.render(complete), "utf-8")
        (self._new / "README.tmp").replace(self._new / "README.md")
        check_replaceable(self.out, self._overwrite)
        self.discard()
        move(self._new, self.out, self._overwrite)
        return open_pairs(self.out)

    def _split(self, name: str) -> SplitWriter:
        if name not in self._splits:
            self._splits[name] = SplitWriter(self._new / name)
        return self._splits[name]


def check_replaceable(out: Path, overwrite: bool) -> None:
    """Raise OutputExists unless ``out`` is absent, empty, or a pairgen dataset that ``overwrite`` allows to replace."""
    if not os.path.lexists(out):
        return
    if not out.is_dir() or out.is_symlink():
        raise OutputExists(f"{out}: is a file or a symbolic link; choose another --out")
    if not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise OutputExists(f"{out}: contains files that pairgen did not write; choose another --out")
    if not overwrite:
        raise OutputExists(f"{out}: already exists; replace it with --overwrite, or choose another --out")
