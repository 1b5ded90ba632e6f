"""``sample`` and ``split``: selections by whole groups, which depend on the texts and the seed only."""

import os

import numpy as np
import pyarrow as pa

from pairgen.building.selection import shuffled_questions, text_key
from pairgen.errors import UsageError, count
from pairgen.exchange.curation.derive import TRAIN, Change, Keys, Rows, command_line, keys_of, read, write_derived
from pairgen.exchange.curation.questions import COLUMNS, question_reader
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress, ignore

READING = "reading pairs"
WRITING = "writing pairs"

NOT_CHOSEN = "not chosen"


def chosen_keys(keys: Keys, most: int, seed: int, purpose: str) -> Keys:
    """Distinct keys, in shuffled order, whose rows add up to ``most``, or to less if whole groups do not.

    Args:
        keys: the key of each row; rows with the same key belong together.
        purpose: with ``seed``, determines the order.
    """
    distinct, counts = shuffled_questions([keys], seed, purpose)
    chosen, missing = [], most
    for index, rows in enumerate(counts.tolist()):
        if rows <= missing:
            chosen.append(index)
            missing -= rows
            if not missing:
                break
    return distinct[chosen]


def _group_keys(dataset: PairDataset, split: str, progress: Progress) -> Keys:
    rows = read(dataset, READING, progress, ["group_id"])
    return np.concatenate(
        [np.empty(0, np.uint64), *(keys_of(batch["group_id"]) for name, batch in rows if name == split)]
    )


def _training_split(dataset: PairDataset, command: str) -> str:
    """The split that a command selects from: ``train``, or the only one. Raises UsageError."""
    if TRAIN in dataset.splits or len(dataset.splits) == 1:
        return TRAIN if TRAIN in dataset.splits else next(iter(dataset.splits))
    raise UsageError(f"{dataset.path}: has no train split, so `pairgen {command}` does not know what to select from")


# ---------------------------------------------------------------- sample


def sample(
    dataset: PairDataset,
    out: str | os.PathLike[str],
    pairs: int,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> PairDataset:
    """Write a random sample of the training pairs, by whole groups; other splits are copied.

    Groups are taken in shuffled order, except those with more pairs than are still needed, so that the sample has at
    most ``pairs`` pairs, and usually exactly as many. Rows keep their order.

    Args:
        progress: called with pairs.

    Raises:
        UsageError: ``pairs`` is below 1 or above what there is, or every group has more pairs.
        InvalidDataset: a damaged file.
        OutputError: ``out`` already exists or cannot be written.
    """
    split = _training_split(dataset, "sample")
    size = dataset.splits[split].pairs
    if not 1 <= pairs <= size:
        raise UsageError(f"--pairs {pairs}: {dataset.path} has {count(size, 'pair')} in {split}; choose 1 to {size}")
    chosen = chosen_keys(_group_keys(dataset, split, progress), pairs, seed, "sample")
    if not len(chosen):
        raise UsageError(f"--pairs {pairs}: every group of {dataset.path} has more pairs; ask for more pairs")
    change = Change(command_line("sample", [dataset], out, "--pairs", pairs, "--seed", seed))

    def rows() -> Rows:
        for name, batch in read(dataset, WRITING, progress):
            kept = batch
            if name == split:
                kept = batch.filter(pa.array(np.isin(keys_of(batch["group_id"]), chosen)))
                change.remove(name, NOT_CHOSEN, batch.num_rows - kept.num_rows)
            yield name, kept

    return write_derived(out, [dataset], rows(), change, overwrite)


# ---------------------------------------------------------------- split


def split(
    dataset: PairDataset,
    out: str | os.PathLike[str],
    eval_size: int,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> PairDataset:
    """Hold out pairs of a dataset without an eval split, by question: no question is in both splits.

    The question of a pair is its prompt without few-shot examples, template and system prompt (``question_reader``),
    ignoring case and white space; a MetaMath question that was rephrased is another question. As pairs of a group share
    their prompt, groups stay whole. Questions are taken in shuffled order, except those with more pairs than are still
    needed, so that eval has at most ``eval_size`` pairs.

    Args:
        progress: called with pairs.

    Raises:
        UsageError: there is an eval split, no pair would be left in one of the two, or ``eval_size`` is below 1.
        InvalidDataset: a damaged file.
        OutputError: ``out`` already exists or cannot be written.
    """
    source = _training_split(dataset, "split")
    size = dataset.splits[source].pairs
    if "eval" in dataset.splits:
        held_out = count(dataset.splits["eval"].pairs, "pair")
        raise UsageError(f"{dataset.path}: already has an eval split of {held_out}; choose a dataset without one")
    if not 1 <= eval_size < size:
        raise UsageError(f"--eval-size {eval_size}: {dataset.path} has {count(size, 'pair')}; choose 1 to {size - 1}")
    question_of = question_reader(dataset.manifest)

    def keys(batch: pa.RecordBatch) -> Keys:
        return np.array([text_key(text) for text in question_of(batch).to_pylist()], np.uint64)

    found = [keys(batch) for name, batch in read(dataset, READING, progress, COLUMNS) if name == source]
    chosen = chosen_keys(np.concatenate(found), eval_size, seed, "eval")
    if not len(chosen):
        raise UsageError(f"--eval-size {eval_size}: every question of {dataset.path} has more pairs; hold out more")
    change = Change(command_line("split", [dataset], out, "--eval-size", eval_size, "--seed", seed))

    def rows() -> Rows:
        for name, batch in read(dataset, WRITING, progress):
            is_held_out = np.isin(keys(batch), chosen) if name == source else np.zeros(batch.num_rows, bool)
            yield name, batch.filter(pa.array(~is_held_out))
            if is_held_out.any():
                change.remove(name, "held out", is_held_out.sum())
                yield "eval", batch.filter(pa.array(is_held_out))

    return write_derived(out, [dataset], rows(), change, overwrite)
