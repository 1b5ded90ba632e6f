"""Edit distances in bulk, next to the textbook."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from helpers.rows import good_pairs, make_folder, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.pairs.edits import METRICS
from pairgen.pairs.record import to_batch
from pairgen.stats import describe
from pairgen.stats import distance as edits


def textbook(a: Sequence[Any], b: Sequence[Any], substitution: int) -> int:
    """Edit distance by the full table; a substitution that costs 2 is a deletion and an insertion."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        above, row = row, [i]
        for j, right in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (left != right) * substitution))
    return row[-1]


def by_hand(a: Sequence[Any], b: Sequence[Any], metric: str) -> float:
    longer = max(len(a), len(b))
    if not longer:
        return 0.0
    if metric == "levenshtein":
        return textbook(a, b, 1) / longer
    if metric == "indel":
        return textbook(a, b, 2) / (len(a) + len(b))
    return (sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))) / longer


SPLITS = {"char": list, "word": str.split}
few = st.text("ab \n\u3000é🦊", max_size=12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("unit", SPLITS)
@given(texts=st.lists(st.tuples(few, few), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_batched_distances_equal_the_textbook_algorithm(metric: str, unit: str, texts: list[tuple[str, str]]) -> None:
    batch = to_batch([pair(a, b, f"{at}") for at, (a, b) in enumerate(texts)])
    found = edits.measure(metric, unit, None)(batch)
    split = SPLITS[unit]
    assert found.tolist() == pytest.approx([by_hand(split(a), split(b), metric) for a, b in texts], abs=1e-6)


def test_hamming_counts_every_position_after_an_insertion() -> None:
    batch = to_batch([pair(" 2 abcdef", " 13 abcdef", "1")])
    assert edits.measure("levenshtein", "char", None)(batch)[0] == pytest.approx(2 / 10)
    assert edits.measure("hamming", "char", None)(batch)[0] == pytest.approx(9 / 10)
    assert edits.measure("hamming", "word", None)(batch)[0] == pytest.approx(1 / 2)


def test_default_distance_is_the_stored_column() -> None:
    batch = to_batch([pair(" a", " b", "1")])
    at = batch.schema.get_field_index("edit_distance")
    other = batch.set_column(at, batch.schema.field(at), pa.array([0.125], pa.float32()))
    assert edits.measure("levenshtein", "char", None)(other).tolist() == [0.125]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("unit", edits.UNITS)
def test_definition_names_metric_unit_and_tokenizer(metric: str, unit: str) -> None:
    tokenizer = "some/model" if unit == "token" else None
    text = edits.definition(metric, unit, tokenizer)
    assert METRICS[metric].definition in text
    assert edits.UNITS[unit].definition in text
    assert ("some/model" in text) == (unit == "token")


class PairsOfLetters:
    """A stand-in for a tokenizer: two letters make a token."""

    def __call__(self, texts: list[str], add_special_tokens: bool, verbose: bool) -> dict[str, list[list[int]]]:
        assert not add_special_tokens
        assert not verbose
        return {"input_ids": [[hash(text[at : at + 2]) for at in range(0, len(text), 2)] for text in texts]}


def stand_in(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    module = SimpleNamespace(AutoTokenizer=SimpleNamespace(from_pretrained=load))
    monkeypatch.setitem(sys.modules, "transformers", module)


def test_token_distance_names_the_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, trust_remote_code: bool) -> PairsOfLetters:
        assert name == "some/model"
        assert not trust_remote_code
        return PairsOfLetters()

    stand_in(monkeypatch, load)
    dataset = make_folder(tmp_path / "out", {"train": [pair(" 2 abcd", " 3 abcd", "1"), pair(" a", " b", "2")]})
    found = describe(dataset, unit="token", tokenizer="some/model")["train"]["edit_distance"]
    assert (found["min"], found["max"]) == (pytest.approx(1 / 4), 1)
    assert "tokenizer some/model" in found["definition"]


def test_token_distance_without_transformers_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"run: pip install '\.\[train\]'"):
        edits.load_tokenizer("some/model")


@pytest.mark.parametrize("error", [OSError("no\nsuch  model"), KeyError("model_type"), AttributeError()])
def test_tokenizer_that_cannot_be_loaded(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise error

    stand_in(monkeypatch, load)
    with pytest.raises(UsageError, match="--tokenizer some/model: cannot be loaded") as caught:
        edits.load_tokenizer("some/model")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_tokenizer_from_a_folder(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "the": 1, "sun": 2, "moon": 3, "?": 4}, "?"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.post_processor = tokenizers.processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="?").save_pretrained(tmp_path / "tokens")
    dataset = make_folder(tmp_path / "out", {"train": good_pairs()["train"][1:2]})
    found = describe(dataset, unit="token", tokenizer=str(tmp_path / "tokens"))["train"]["edit_distance"]
    assert found["mean"] == pytest.approx(1 / 2)
