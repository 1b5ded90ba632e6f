"""Pair datasets as tasks of lm-evaluation-harness: is chosen more likely than each rejected completion?"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pairgen.errors import UsageError
from pairgen.evaluate.choices.scoring import questions_of_pairs
from pairgen.pairs.dataset import MANIFEST, open_pairs


def is_pair_dataset(name: str) -> bool:
    """Whether a task is the folder of a pair dataset."""
    return (Path(name) / MANIFEST).is_file()


def write_task(name: str, folder: Path) -> str:
    """Write the questions of a pair dataset, of its split ``eval`` if it has one, with a definition of their task.

    Prompts contain their few-shot examples already, so that the task takes no others.

    Args:
        folder: an empty folder.

    Returns:
        The name of the task: that of the dataset's folder.

    Raises:
        UsageError: completions begin with different white space, or are empty.
    """
    dataset = open_pairs(name)
    split = dataset.splits.get("eval", next(iter(dataset.splits.values())))
    try:
        questions = questions_of_pairs(split)
    except UsageError as error:
        raise UsageError(f"--tasks {name}: {error}") from error
    delimiters = sorted({question.delimiter for question in questions})
    if len(delimiters) > 1:
        raise UsageError(
            f"--tasks {name}: its completions begin with different white space "
            f"({' and '.join(map(repr, delimiters))}); split it by source"
        )
    rows = [
        {"question": question.context, "choices": question.choices, "answer": question.answer} for question in questions
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "test.parquet")
    task = Path(name).resolve().name
    definition = {
        "task": task,
        "dataset_path": "parquet",
        "dataset_kwargs": {
            "data_files": {"test": str(folder / "test.parquet")},
            "cache_dir": str(folder / "cache"),
        },
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "question",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": delimiters[0],
        "num_fewshot": 0,
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm")
        ],
        "metadata": {"version": 1.0},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(definition), "utf-8")
    return task
