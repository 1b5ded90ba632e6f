"""Lists that a file holds as text."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.builders import BUILDERS
from pairgen.builders.choices import structured
from pairgen.sources import sample

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=5)


@given(TEXTS)
def test_structured_reads_what_writers_print(texts: list[str]) -> None:
    assert structured(json.dumps(texts)) == texts
    assert structured(repr(texts)) == texts
    array = np.array(texts, dtype=object)
    assert structured(str(array)) == texts
    assert structured(repr({"text": array, "label": texts})) == {"text": texts, "label": texts}


@pytest.mark.parametrize("value", [None, 3, ["a"], "a", "", "[a]", "[1, 2", "{", "['a' ...]", "[" * 10_000, "{x: 1}"])
def test_structured_leaves_other_values(value: Any) -> None:
    assert structured(value) == value


@pytest.mark.parametrize("name", ["arc", "hellaswag"])
@pytest.mark.parametrize("write", [json.dumps, repr])
def test_choices_as_text_give_the_same_pairs(name: str, write: Any) -> None:
    builder = BUILDERS[name]
    for index in range(20):
        row = sample.row(name, "train", index)
        as_text = {key: write(value) if isinstance(value, (list, dict)) else value for key, value in row.items()}
        assert as_text != row
        assert builder.read(as_text)[:5] == builder.read(row)[:5]
