"""Going through all pairs, a batch of rows at a time, so that the reader never waits for an answer to a key."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pairgen.report.filter import Condition, matching_rows
from pairgen.report.viewer.book import Book
from pairgen.report.viewer.marks import Marks

Numbers = NDArray[np.int64]
"""Numbers of pairs, in the dataset or in a list of them."""

SEARCHED = ("prompt", "chosen", "rejected")


class Step(NamedTuple):
    """What a scan has found since its last step, which was a batch of rows ago."""

    share: float
    """Of all pairs that it has seen, 0 to 1. The scan is complete at 1."""
    stop: int
    """The number of the pair before which, from the first one that was scanned on, it has seen all."""
    found: Numbers


def hits(text: str, query: str) -> list[tuple[int, int]]:
    """Where a text has the query, in any case: starts and stops in code points. None for an empty query."""
    if not query:
        return []
    return [match.span() for match in re.finditer(re.escape(query), text, re.IGNORECASE)]


def contains(batch: pa.RecordBatch, query: str) -> pa.Array:
    """Which rows have the query, in any case, in their prompt, chosen or rejected."""
    found = [pc.match_substring(batch[name], query, ignore_case=True) for name in SEARCHED]
    return pc.or_(pc.or_(found[0], found[1]), found[2])


def search(book: Book, order: Numbers, query: str, start: int) -> Iterator[Step]:
    """Find the pairs that contain a text.

    Args:
        book: the dataset.
        order: the pairs among which it searches, at least one.
        query: the text, of at least one character.
        start: position in ``order`` of a pair. The scan begins with its batch, and goes through the dataset once.

    Yields:
        the positions in ``order`` of the pairs found.
    """
    positions = np.full(len(book), -1, np.int64)
    positions[order] = np.arange(len(order))
    first, done = book.batch_of(int(order[start])), 0
    for at in (*range(first, len(book.batches)), *range(first)):
        own = positions[book.starts[at] : book.starts[at + 1]]
        listed = np.flatnonzero(own >= 0)
        batch = book.batches[at].select(SEARCHED)
        batch = batch if len(listed) == batch.num_rows else batch.take(listed)
        done += len(own)
        stop = book.starts[at + 1] if at >= first else len(book)
        yield Step(done / len(book), stop, own[listed][np.asarray(contains(batch, query))])


def matching(book: Book, conditions: Sequence[Condition], marks: Marks | None) -> Iterator[Step]:
    """Find the pairs that meet every condition: yields their numbers in the dataset, ascending."""
    for start, stop, batch in zip(book.starts, book.starts[1:], book.batches, strict=False):
        yield Step(stop / len(book), stop, matching_rows(batch, conditions, marks) + start)


def shuffled(order: Numbers, seed: int) -> Numbers:
    """Pairs in random order: the first ones are those that ``select`` draws with this seed."""
    keys = np.random.default_rng(seed).random(len(order))
    return order[np.argsort(keys)]
