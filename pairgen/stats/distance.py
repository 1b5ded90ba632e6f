"""Edit distances between chosen and rejected: the stored column, or another metric over another unit."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.errors import UsageError, in_short, install_hint
from pairgen.pairs import edits

Units = Sequence[Sequence[Hashable]]
"""Per text, the sequence that is compared."""


class Unit(NamedTuple):
    """What a distance counts.

    ``split`` takes all texts of a batch, since units are comparable within one call only, and the tokenizer or None.
    """

    definition: str
    split: Callable[[list[str], Any], Units]


def _characters(texts: list[str], _: Any) -> Units:
    return texts


def _words(texts: list[str], _: Any) -> Units:
    number = defaultdict[str, int](count().__next__).__getitem__  # a number per word: smaller and faster than strings
    return [list(map(number, text.split())) for text in texts]


def _tokens(texts: list[str], tokenizer: Any) -> Units:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


UNITS: dict[str, Unit] = {
    "char": Unit("code points", _characters),
    "word": Unit("whitespace-separated words", _words),
    "token": Unit("tokens (of the completion alone, no special tokens)", _tokens),
}


def definition(metric: str = "levenshtein", unit: str = "char", tokenizer: str | None = None) -> str:
    """One line that defines the distance exactly."""
    text = f"{edits.METRICS[metric].definition}, over {UNITS[unit].definition}"
    return f"{text}, tokenizer {tokenizer}" if tokenizer else text


def check_choice(metric: str, unit: str, tokenizer: str | None) -> None:
    """Raise UsageError for an unknown metric or unit, or a tokenizer without its unit or the reverse."""
    for what, name, table in (("metric", metric, edits.METRICS), ("unit", unit, UNITS)):
        if name not in table:
            raise UsageError(f"--{what} must be one of {', '.join(table)}, got {name!r}")
    if unit == "token" and not tokenizer:
        raise UsageError("--unit token requires --tokenizer ID (a Hub id or a folder)")
    if unit != "token" and tokenizer:
        raise UsageError(f"--tokenizer {tokenizer} is only valid with --unit token, not with --unit {unit}")


def stored(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """The stored column: Levenshtein over code points. A copy, so that no shard stays mapped."""
    values: NDArray[np.float32] = batch["edit_distance"].to_numpy(zero_copy_only=False).copy()
    return values


def measure(metric: str, unit: str, tokenizer: str | None) -> Callable[[pa.RecordBatch], NDArray[np.float32]]:
    """A function from a batch to the distance of each pair; the default metric and unit read the stored column.

    Raises:
        UsageError: see ``check_choice``, and for a tokenizer that cannot be loaded.
    """
    check_choice(metric, unit, tokenizer)
    if (metric, unit) == ("levenshtein", "char"):
        return stored
    loaded = load_tokenizer(tokenizer) if tokenizer else None
    return partial(_computed, metric=metric, unit=unit, tokenizer=loaded)


def _computed(batch: pa.RecordBatch, metric: str, unit: str, tokenizer: Any) -> NDArray[np.float32]:
    texts = batch["chosen"].to_pylist() + batch["rejected"].to_pylist()
    sequences = UNITS[unit].split(texts, tokenizer)
    return edits.distances(sequences[: batch.num_rows], sequences[batch.num_rows :], metric, workers=-1)


def load_tokenizer(name: str) -> Any:
    """Load a tokenizer by Hub id or folder, without running code from its repository.

    Raises:
        UsageError: transformers is not installed, or it cannot load that tokenizer.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise UsageError(f"--unit token needs transformers, which is not installed; {install_hint('train')}") from None
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # a broken folder raises anything from OSError to AttributeError
        reason = in_short(error, 200)
        raise UsageError(
            f"--tokenizer {name}: cannot be loaded ({reason}); give a Hub id or a folder with a tokenizer"
        ) from error
