"""How a dataset is built: the options of ``pairgen build``."""

from dataclasses import dataclass

from pairgen.arithmetic.errors.carry import CARRY
from pairgen.arithmetic.errors.kinds import ERRORS, MIXED, RESULT
from pairgen.builders import CORRUPTIONS
from pairgen.builders.interface import CorruptionOptions
from pairgen.building.parts.part_number import parse_shard
from pairgen.errors import UsageError
from pairgen.options import check, option
from pairgen.pairs.card import check_license
from pairgen.sources.columns import parse_columns


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build. Equal options and sources give equal bytes.

    Raises:
        UsageError: a value that is out of range, or options that need one another.
    """

    source: tuple[str, ...] = option(
        (),
        "Where rows come from: a .json, .jsonl, .csv, .tsv (each also .gz), .parquet or .arrow file, a pattern of "
        "files ('part-*.jsonl'), a URL of these (s3://...), "
        "- for JSON on stdin, a `save_to_disk` folder, a Hub dataset, or sample[:ROWS[:SEED]]: "
        "synthetic rows, by default 1,000 (200 for eval). "
        "Repeat it for more files or splits. Default: the Hub.",
        metavar="<[split=]source>",
    )
    seed: int = option(0, "Random seed. Random choices for a row depend only on the seed and the row.")
    eval_size: int | None = option(
        None,
        "Rows of the training source to hold out for evaluation; no question is in both splits. "
        "Default: 1000 for metamath from the Hub, else 0.",
        at_least=0,
    )
    limit: int | None = option(
        None, "Read only the first N rows of each split's source. Default: all.", at_least=1, metavar="N"
    )
    on_error: str = option(
        "stop", "On a row that cannot be read, stop, or skip and count it.", choices=("stop", "skip")
    )
    id_column: str = option(
        "id", "Source column to keep as row_id, for joining pairs back to their rows.", metavar="COLUMN"
    )
    drops: str | None = option(
        None, "List each row that yields no pair, with the reason, in this JSON Lines file.", metavar="FILE"
    )
    columns: str | None = option(
        None,
        "What the source calls the columns that are read, such as question=problem,solution=rationale.",
        metavar="OURS=THEIRS,...",
    )
    license: str | None = option(
        None,
        "License of the source rows, as a Hub identifier such as cc-by-4.0. Default: that of the Hub dataset, else "
        "unknown.",
        metavar="ID",
    )
    corruption: str = option(
        "near",
        "How wrong results are generated. "
        + "; ".join(f"{name}: {corruption.summary}" for name, corruption in CORRUPTIONS.items())
        + ".",
        choices=CORRUPTIONS,
    )
    error: str = option(
        RESULT,
        "Kind of error. "
        + "; ".join(f"{name}: {kind.summary}" for name, kind in ERRORS.items())
        + ". Except for result, the calculation is wrong and its result is recomputed; rows with no step where that is "
        "natural are dropped.",
        choices=ERRORS,
    )
    carry: str = option(
        "none",
        "Carry the error forward, so that exactly one step is wrong: none (later steps keep the right value, as in "
        "the paper), results (the later results that use it are recomputed) or answer (also the final answer). Rows "
        "where that is not certain are dropped.",
        choices=CARRY,
    )
    pairs_per_row: int = option(
        1,
        "Maximum number of pairs per row, which share prompt and chosen.",
        at_least=1,
        at_most=64,
        aliases=("--corruptions",),
    )
    false_steps: str = option(
        "drop",
        "Drop solutions in which a calculation of numbers is false beyond rounding, or keep them.",
        choices=("drop", "keep"),
    )
    on_unchecked: str | None = option(
        None,
        "Keep pairs whose corruption could not be verified, or drop them. Default: drop for solutions, else keep.",
        choices=("keep", "drop"),
    )
    prompt_style: str | None = option(
        None,
        "raw, lm-eval, alpaca, or a Jinja template file that uses `question` and `row`. "
        "Default: raw for metamath, else lm-eval.",
        metavar="<name|file>",
    )
    shots: int = option(0, "Few-shot examples in each prompt, the same for all rows.", at_least=0)
    shots_per_row: bool = option(False, "Sample new few-shot examples for each row.")
    workers: int = option(
        1,
        "Worker processes; 0 uses all cores, if the source is large enough. The output is the same for any number. "
        "Default: 0 on the command line, 1 from Python.",
        at_least=0,
        aliases=("--num-proc",),
    )
    engine: str = option(
        "local",
        "What converts the rows: worker processes of this machine (local), or Ray Data, on this machine or a cluster "
        "(ray; needs the extra `ray`). The output is the same.",
        choices=("local", "ray"),
    )
    address: str | None = option(
        None,
        "With --engine ray: Ray cluster to connect to, auto (the one running on this machine) or HOST:PORT; every node "
        "must be able to read the sources. Default: RAY_ADDRESS, else Ray is started here, on --workers cores.",
        metavar="ADDRESS",
    )
    ray_blocks: int = option(
        0, "With --engine ray: blocks to divide the rows into; 0 for one per 16 MB. The output is the same.", at_least=0
    )
    resume: bool = option(
        False,
        "Continue a build to the same --out that was killed or interrupted; if there is none, start.",
    )
    shard: str | None = option(
        None,
        "Build part I (from 0) of N, so that parts can run on separate machines; `pairgen merge` combines them into "
        "the dataset that a single build would write.",
        metavar="I/N",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.license is not None:
            check_license(self.license)
        if self.columns is not None:
            parse_columns(self.columns)
        parse_shard(self.shard)
        if self.corruption != "near" and self.error not in (RESULT, MIXED):
            raise UsageError(
                f"--corruption {self.corruption} is about wrong results, which --error {self.error} does not use; "
                "drop one of the two"
            )
        if self.engine != "ray" and (self.address is not None or self.ray_blocks):
            raise UsageError("--address and --ray-blocks need --engine ray")
        if self.engine == "ray" and (self.resume or self.shard is not None):
            raise UsageError(
                "--resume and --shard are for --engine local: Ray divides the rows and repeats lost work itself"
            )
        if self.shots_per_row and not self.shots:
            raise UsageError("--shots-per-row needs --shots K")


def corruption_options(options: BuildOptions) -> CorruptionOptions:
    """The options that decide how solutions are corrupted."""
    return CorruptionOptions(
        options.corruption, options.pairs_per_row, options.carry, options.error, options.false_steps
    )
