"""The sample of conversational data: layouts that ``import`` recognizes, right and wrong answers."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pairgen.building.options import BuildOptions
from pairgen.exchange.imports.importing import find_importer, import_pairs
from pairgen.pairs.validate import violations
from pairgen.sources import sample
from pairgen.sources.sample.multiple_choice import read_entries
from pairgen.sources.sample.templates import read_blocks

LAYOUTS = {
    "orca-chat": ("orca-chat", True),
    "sharegpt": ("sharegpt", True),
    "orca": ("orca", False),
    "ultrafeedback": ("chat", False),
    "truthy": ("system", False),
}
"""Layout, and whether it is for fine-tuning."""


@cache
def rows(dataset: str, split: str = "train", count: int = 300) -> list[dict[str, Any]]:
    return [sample.row(dataset, split, index) for index in range(count)]


def test_every_dataset_has_a_layout() -> None:
    assert set(LAYOUTS) == set(sample.CONVERSATIONS)


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_rows_are_recognized_and_imported(dataset: str, tmp_path: Path) -> None:
    layout, sft = LAYOUTS[dataset]
    options = BuildOptions(source=(f"sample:{dataset}:60", f"eval=sample:{dataset}:12"))
    importer = find_importer(options, sft=sft)
    assert importer.layout == layout
    pairs = import_pairs(importer, tmp_path / "pairs", options)
    assert violations(pairs) == []
    assert pairs.splits["train"].pairs >= 40
    assert not pairs.manifest["splits"]["train"].get("drops", {}).keys() - {"duplicate"}


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_texts_are_clean_and_depend_on_the_key_alone(dataset: str) -> None:
    assert [sample.row(dataset, "train", index) for index in reversed(range(40))] == rows(dataset)[39::-1]
    for text in re.findall(r'"((?:[^"\\]|\\.)*)"', json.dumps(rows(dataset))):
        assert text == text.strip()
        assert not re.search(r"<[a-z_]+>|  |\s[,.;?!]|\.\.|\b[Aa] [aeio]\w", text.replace("\\n", "")), text


@pytest.mark.parametrize("dataset", ["orca", "ultrafeedback", "truthy"])
def test_splits_share_no_question_in_any_wording(dataset: str) -> None:
    column = "question" if dataset == "orca" else "prompt"

    def questions(split: str) -> set[str]:
        texts = (row[column].rstrip("?.") for row in rows(dataset, split))
        found = (re.sub(r"\. (Is that right|Do you agree|What are the steps)$", "", text) for text in texts)
        begins = r"^(I read that|A friend says that|Quick question: is|Is|How do I|Please explain how to|I want to|"
        return {re.sub(begins + r"What is the best way to) ", "", text).replace(" is ", " ") for text in found}

    train, held_out = questions("train"), questions("eval")
    assert len(train) > 40
    assert train.isdisjoint(held_out)


def test_answers_on_facts_are_right_and_wrong() -> None:
    """By the tables themselves: a claim is "a bat is a mammal" or "we call a bat a mammal"."""
    kinds: dict[str, set[str]] = {}
    for block in read_blocks("kinds.txt"):
        for kind, items in read_entries(block):
            for item in items:
                kinds.setdefault(item, set()).add(kind)

    def is_right(answer: str) -> bool:
        claim = answer.partition(", not ")[0].rstrip(".").replace(" is ", " ")
        item = max((item for item in kinds if f" {item} " in claim), key=len)
        return claim.partition(f" {item} ")[2] in kinds[item]

    assert len(rows("truthy")) == 300
    for row in rows("truthy"):
        assert is_right(row["chosen"]), row
        assert not is_right(row["rejected"]), row
