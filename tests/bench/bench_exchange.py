"""How fast duplicates and overlaps with an evaluation set are found and pairs exported, and the memory that takes.

    python tests/bench/bench_exchange.py [--pairs 400000] [--source GSM_AnsAug.json] [--against train.jsonl]

Pairs are those of some MetaMath rows (by default, of the built-in sample), over and over with other numbers in their
questions: nearly all prompts are distinct, and similar to many others. They are compared with the first 1,319 questions
of a GSM8K file (by default, of the sample). Each command runs in its own process, start to end; peaks of memory
(resident, including pages of mapped files) are those of a tenth of the pairs and of all.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.exchange.exports.targets import TARGETS
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.writing import DatasetWriter
from pairgen.sources import sample

QUESTIONS = 1319
"""As many as GSM8K's test split has."""

_NUMBER = re.compile(r"\d+")


def write_pairs(base: PairDataset, out: Path, count: int) -> None:
    """``count`` pairs: those of ``base``, and copies of them in which each number of the question is larger."""
    with DatasetWriter(out, overwrite=True) as writer:
        written = copy = 0
        while written < count:
            for batch in base.splits["train"].batches():
                part = batch.slice(0, count - written)
                writer.write("train", varied(part, copy) if copy else part)
                written += part.num_rows
            copy += 1
        writer.commit({"title": f"{count} pairs"})


def varied(batch: pa.RecordBatch, copy: int) -> pa.RecordBatch:
    def change(text: str) -> str:
        return _NUMBER.sub(lambda found: str(int(found[0]) + copy), text)

    texts = {
        "prompt": [change(text) for text in batch["prompt"].to_pylist()],
        "pair_id": [f"{text}/{copy}" for text in batch["pair_id"].to_pylist()],
        "group_id": [f"{text}/{copy}" for text in batch["group_id"].to_pylist()],
    }
    for name, values in texts.items():
        batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), pa.array(values))
    return batch


def write_questions(path: Path, given: Path | None) -> None:
    lines = given.read_text("utf-8").splitlines() if given else []
    rows = [json.loads(line) for line in lines] or [sample.row("gsm8k", "eval", index) for index in range(QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:QUESTIONS]), "utf-8")


def measure(words: list[str]) -> tuple[float, float, str]:
    """Seconds, peak memory in MB (Linux; 0 elsewhere), and the output of a command.

    The peak is read while it runs: what the system reports afterwards is never below the memory of this process.
    """
    start = time.perf_counter()
    peak = 0.0
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen([sys.executable, "-m", "pairgen", *words], stdout=output)
        while running.poll() is None:
            peak = max(peak, peak_of(running.pid))
            time.sleep(0.02)
        if running.returncode:
            raise SystemExit(f"{' '.join(words)} failed with exit code {running.returncode}")
        output.seek(0)
        return time.perf_counter() - start, peak, output.read()


def plain_writing(pairs: PairDataset, out: Path) -> dict[str, float]:
    """Seconds to write the columns of ``export --to trl`` at once, in this process, by the obvious calls."""
    table = pairs.splits["train"].table(list(TARGETS["trl"].schema)).combine_chunks()
    writers = {
        "by pyarrow's CSV writer": lambda: pyarrow.csv.write_csv(table, out),
        "by pyarrow's Parquet writer": lambda: pyarrow.parquet.write_table(table, out, compression="zstd"),
        "by pandas' to_json": lambda: table.to_pandas().to_json(out, orient="records", lines=True),
    }
    seconds = {}
    for what, write in writers.items():
        start = time.perf_counter()
        write()
        seconds[what] = time.perf_counter() - start
    return seconds


def peak_of(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM:")) / 1024


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=400_000)
    options.add_argument("--source", type=Path)
    options.add_argument("--against", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        questions, out = folder / "questions.jsonl", folder / "out"
        write_questions(questions, asked.against)
        build("metamath", folder / "base", BuildOptions((str(asked.source or "sample:4000"),)))
        commands = {
            "dedup, report": ["dedup"],
            "dedup, write": ["dedup", "--out", str(out), "--overwrite"],
            "decontaminate, report": ["decontaminate", "--against", str(questions)],
            "decontaminate, write": [
                *("decontaminate", "--against", str(questions), "--apply", "--out", str(out), "--overwrite"),
            ],
            "export, JSON Lines": ["export", "--out", str(out) + "-export", "--overwrite"],
            "export, Parquet": ["export", "--format", "parquet", "--out", str(out) + "-export", "--overwrite"],
            "sample": ["sample", "--pairs", str(asked.pairs // 20), "--out", str(out), "--overwrite"],
        }
        peaks: dict[str, list[float]] = {name: [] for name in commands}
        for count in (asked.pairs // 10, asked.pairs):
            write_pairs(open_pairs(folder / "base"), folder / "pairs", count)
            for what, (command, *flags) in commands.items():
                seconds, peak, output = measure([command, str(folder / "pairs"), *flags, "--quiet", "--json"])
                peaks[what].append(peak)
                result = json.loads(output)
                found = f", {result['total']:,} found" if "total" in result else ""
                print(f"{count:,} pairs, {what}: {seconds:.1f} s, {peak:.0f} MB{found}")
        for what, seconds in plain_writing(open_pairs(folder / "pairs"), folder / "plain").items():
            print(f"{asked.pairs:,} pairs, the same columns {what}: {seconds:.1f} s")
        for what, (tenth, whole) in peaks.items():
            print(f"peak memory, {what}: {whole:.0f} MB / {tenth:.0f} MB = {whole / tenth:.2f}")


if __name__ == "__main__":
    main()
