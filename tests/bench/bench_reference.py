"""Memory and time of looking up reference log-probs of many pairs.

    python tests/bench/bench_reference.py [--pairs 5000000] [--tokens 8] [--batch 16]

Writes token groups of one pair and log-probs as a run leaves them, a record batch per batch of pairs, in a temporary
folder; then, in a process of its own, does what a run does: finds the batches that are missing (none), reads what is
known, and takes the log-probs of each of a thousand batches of another order, as in a second epoch. Files are
memory-mapped: what the kernel keeps of them is not counted as memory of the process.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from pairgen.train.data.groups import SCHEMA, GroupTable
from pairgen.train.reference import cache
from pairgen.train.reference.passes import ReferencePass

PART = 100_000
"""Groups in a record batch of the tokens."""
STEPS = 1000


def write_groups(file: Path, count: int) -> None:
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for first in range(0, count, PART):
            rows = min(PART, count - first)
            once, twice, thrice = (pa.array(np.arange(rows + 1, dtype=np.int32) * times) for times in (1, 2, 3))
            ids = pa.array([pair_id(index) for index in range(first, first + rows)])
            tokens = pa.array(np.ones(4 * rows, np.int32))
            completions = pa.ListArray.from_arrays(
                pa.array(np.arange(2 * rows + 1, dtype=np.int32)), tokens[: 2 * rows]
            )
            columns = [
                pa.ListArray.from_arrays(thrice, tokens[: 3 * rows]),
                pa.ListArray.from_arrays(twice, completions),
                pa.ListArray.from_arrays(once, ids),
                pa.ListArray.from_arrays(twice, tokens[: 2 * rows]),
                pa.ListArray.from_arrays(twice, tokens[: 2 * rows]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def pair_id(index: int) -> str:
    """As long as those of MetaMath's pairs."""
    return f"metamath-{index:016x}-0"


def batches_of(count: int, size: int, seed: int) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    return [order[first : first + size] for first in range(0, count, size)]


def reference_pass(folder: Path, size: int, seed: int = 0) -> ReferencePass:
    groups = GroupTable([pa.ipc.open_file(pa.memory_map(str(folder / "groups.arrow"))).read_all()])
    batches = batches_of(len(groups), size, seed)
    return ReferencePass(groups, batches, [folder], lambda _: None, "bench", exact=True)  # type: ignore[arg-type, return-value]


def write_logps(folder: Path, size: int, tokens: int) -> None:
    """What ``compute_missing`` writes, without a model."""
    work = reference_pass(folder, size)
    with pa.OSFile(str(folder / "logps.arrows"), "wb") as sink, pa.ipc.new_stream(sink, cache.SCHEMA) as stream:
        for batch, key in zip(work.batches, work.keys, strict=True):
            starts = pa.array(np.arange(len(batch) + 1, dtype=np.int32) * tokens)
            values = np.repeat(-batch.astype(np.float32), tokens)
            lists = [pa.ListArray.from_arrays(starts, pa.array(sign * values)) for sign in (1, 2)]
            ids = [pair_id(index) for index in batch.tolist()]
            stream.write_batch(pa.record_batch([pa.array(ids), pa.array([key] * len(ids)), *lists], cache.SCHEMA))


class Peak:
    """The highest ``resident`` inside a block, over what there was before."""

    def __enter__(self) -> "Peak":
        self.before = self.most = resident()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.done.wait(0.02):
            self.most = max(self.most, resident())

    @property
    def added(self) -> int:
        return self.most - self.before


def resident() -> int:
    """Bytes of the process that are no files."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(fields["RssAnon"].split()[0])


def look_up(folder: Path, size: int) -> None:
    work = reference_pass(folder, size)
    with Peak() as peak:
        started = time.perf_counter()
        missing = work.missing()
        found_missing = time.perf_counter()
        known = work.known()
        read = time.perf_counter()
    assert not missing
    groups = work.groups
    del work, missing
    kept = resident() - peak.before
    again = batches_of(len(groups), size, 1)[:STEPS]
    ids = [[pair for index in batch for pair in groups.pair_ids(index)] for batch in again]
    started_steps = time.perf_counter()
    for batch, pairs in zip(again, ids, strict=True):
        values = known.tokens(pairs, 8)
        assert values[:, 0].tolist() == [-float(np.float32(index)) * sign for sign in (1, 2) for index in batch]
    took = (time.perf_counter() - started_steps) / len(again)
    memory = f"{peak.added / 1e6:,.0f} MB | {kept / 1e6:,.0f} MB"
    seconds = f"{found_missing - started:.1f} s | {read - found_missing:.1f} s | {1000 * took:.2f} ms"
    print(f"| {len(groups):,} | {memory} | {seconds} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--batch", type=int, default=16, help="pairs per batch")
    parser.add_argument("--tokens", type=int, default=8, help="tokens of a completion")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        look_up(arguments.folder, arguments.batch)
        return
    print("| pairs | peak | kept | finding what is missing | reading what is known | log-probs of a batch |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_groups(Path(folder) / "groups.arrow", arguments.pairs)
        write_logps(Path(folder), arguments.batch, arguments.tokens)
        subprocess.run([sys.executable, __file__, "--folder", folder, "--batch", str(arguments.batch)], check=True)


if __name__ == "__main__":
    main()
