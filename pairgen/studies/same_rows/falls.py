"""What became of the pairs of the edit-distance study, with what was known of them before, CHES among it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pairgen.content_key import digest
from pairgen.run_folder.measured import write_table
from pairgen.studies.running.results import Results
from pairgen.studies.running.workspace import Finished, content_hashes
from pairgen.studies.same_rows.edit_levels import FIRST
from pairgen.studies.same_rows.predictors import Outcome, Trial

SPLITS = {"train": "training pairs", "eval": "held-out pairs"}


def ches_of(results: Results, name: str, seed: int) -> Mapping[str, pa.Table]:
    """CHES of the measured pairs under the starting model of a seed, by split; kept in a file for that model."""
    from pairgen.evaluate.ches import scores
    from pairgen.train.config import Config

    setting, data = results.setting, results.datasets[name]
    model = results.starts[FIRST, seed]
    most = max(setting.scale.measured, setting.scale.held_out)
    key = digest(model, name, most, content_hashes(data))
    file = setting.out / "ches" / f"{name}-{key}.parquet"
    if not file.is_file():
        config = Config(model=model, device=setting.device, precision="float32")
        found = scores(data, config, most)
        columns = [table.append_column("split", pa.array([of] * len(table))) for of, table in found.items()]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_table(pa.concat_tables(columns), file)
    every = pq.read_table(file)
    return {split: every.filter(pc.equal(every["split"], split)) for split in SPLITS}


def outcome(results: Results, run: Finished, split: str) -> Outcome:
    """What became of the pairs of a split in a run, with all predictors."""
    name = run.variant.data
    measured = run.measured.split(split)
    rows = results.datasets[name].splits[split].table(["pair_id", "edit_distance"])
    distances = dict(zip(rows["pair_id"].to_pylist(), rows["edit_distance"].to_pylist(), strict=True))
    table = ches_of(results, name, run.seed)[split]
    similar = {
        column: dict(zip(table["pair_id"].to_pylist(), table[column].to_pylist(), strict=True))
        for column in ("ches", "ches_normalized")
    }
    ids = measured.pair_ids
    return Outcome(
        ids,
        -measured.logratio("chosen"),
        {
            "edit distance": np.array([distances[one] for one in ids]),
            "edit span": np.array([int((at == 0).sum()) for at in measured.offsets("chosen")], float),
            "CHES": np.array([similar["ches"][one] for one in ids]),
            "normalized CHES": np.array([similar["ches_normalized"][one] for one in ids]),
            "tokens of chosen": np.array([len(tokens) for tokens in measured.tokens("chosen")], float),
        },
    )


Outcomes = Mapping[str, Sequence[Outcome]]
"""By dataset, one per seed."""


def outcomes(results: Results, split: str) -> Outcomes:
    """The pairs of a split in all runs."""
    return {data: [outcome(results, run, split) for run in runs] for (data, _), runs in results.runs.items()}


def trials(found: Outcomes) -> list[Trial]:
    """The same, joined over datasets: one per seed."""
    return [Trial.of(of_seed) for of_seed in zip(*found.values(), strict=True)]
