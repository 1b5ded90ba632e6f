"""The checkpoint of an unfinished dataset: one small file, replaced atomically, from which its writer goes on.

It is a hash, then an Arrow stream of the rows that are not in a shard yet, in the order of the splits. What else there
is to know is JSON in the metadata of its schema: ``splits``, with the state of each and its number of those rows, and
``note``, which belongs to whoever uses the writer.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import xxhash

from pairgen.atomic import CHECKPOINT
from pairgen.errors import OutputError
from pairgen.pairs.record import SCHEMA
from pairgen.pairs.writing.shards import SplitState, SplitWriter

_KEY = b"pairgen"
_HASH_BYTES = 16


class Checkpoint(NamedTuple):
    """What a writer had noted: the state of each split, its rows that were not in a shard yet, and the user's note."""

    states: dict[str, SplitState]
    pending: dict[str, pa.Table]
    note: dict[str, Any]


def save(folder: Path, splits: Mapping[str, SplitWriter], note: Mapping[str, Any]) -> None:
    """Replace the checkpoint in a folder. Raises OSError; the one before stays."""
    pending = {name: split.pending() for name, split in splits.items()}
    states = {name: {"state": split.state(), "pending": pending[name].num_rows} for name, split in splits.items()}
    schema = SCHEMA.with_metadata({_KEY: json.dumps({"splits": states, "note": note}).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        for table in pending.values():
            stream.write_table(table.replace_schema_metadata(schema.metadata))
    data = sink.getvalue()
    new = folder / f"{CHECKPOINT}.new"
    with new.open("wb") as file:
        file.write(xxhash.xxh3_128_digest(data))
        file.write(data)
    new.replace(folder / CHECKPOINT)


def load(folder: Path) -> Checkpoint:
    """The checkpoint in a folder. Raises OutputError if it is damaged."""
    path = folder / CHECKPOINT
    content = path.read_bytes()
    data = memoryview(content)[_HASH_BYTES:]
    if xxhash.xxh3_128_digest(data) != content[:_HASH_BYTES]:
        raise OutputError(f"{path}: is damaged, so the build cannot be resumed; start over without --resume")
    with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
        about = json.loads(stream.schema.metadata[_KEY])
        rows = stream.read_all().replace_schema_metadata()
    pending, first = {}, 0
    for name, split in about["splits"].items():
        pending[name] = rows.slice(first, split["pending"])
        first += split["pending"]
    return Checkpoint({name: split["state"] for name, split in about["splits"].items()}, pending, about["note"])
