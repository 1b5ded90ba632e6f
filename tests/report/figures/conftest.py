"""Datasets of every kind, and runs."""

import json
from collections.abc import Mapping

import pytest
from helpers.logged_runs import make_run

import pairgen
from pairgen.pairs.dataset import PairDataset
from pairgen.run_folder import Run, open_run

HOSTILE = "</script><script>alert(1)</script> & \x1b[31m ${1+1}$ _x_ \u202e " + "long " * 30


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, PairDataset]:
    """Corrupted solutions, choices, imported preferences with hostile texts, and data for fine-tuning, by kind."""
    folder = tmp_path_factory.mktemp("figures")
    preferences = [
        {"prompt": HOSTILE * at, "chosen": f"{HOSTILE} a {at}", "rejected": f"{HOSTILE} b", "type": f"{HOSTILE}{at}"}
        for at in range(1, 30)
    ]
    answers = [{"prompt": f"What is {at} + 1?", "completion": f"It is {at + 1}."} for at in range(20)]
    for name, rows in (("preferences", preferences), ("answers", answers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    imported = pairgen.import_pairs(folder / "preferences.jsonl", folder / "imported")
    return {
        "solutions": pairgen.build(
            "metamath", folder / "solutions", "sample:80", eval_size=20, error="mixed", carry="answer", pairs_per_row=2
        ),
        "choices": pairgen.build("arc", folder / "choices", "sample:30"),
        "imported": imported,
        "sft": pairgen.import_pairs(folder / "answers.jsonl", folder / "sft", sft=True),
        "mixed": pairgen.mix([folder / "solutions", folder / "imported"], folder / "mixed"),
    }


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        open_run(make_run(folder / "dpo", "dpo", end=-14)),
        open_run(make_run(folder / HOSTILE.replace("/", ""), end=0.3)),
    ]
