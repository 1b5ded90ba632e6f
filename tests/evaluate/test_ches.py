"""CHES against its definition, with a plain pass of the model for each completion."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import tiny_runs as runs
from helpers.families import save_with_tokenizer, small_config, spread_model
from helpers.rows import good_pairs, make_folder
from helpers.slow_trees import GEMMA, MODELS, model_of
from helpers.token_groups import group, random_groups, small_groups, tiny_llama
from hypothesis import given, settings
from torch import Tensor
from typer.testing import Result

import pairgen
from pairgen.errors import NoPairsLeft, OutOfMemory, UsageError
from pairgen.evaluate import ches
from pairgen.pairs.dataset import open_pairs
from pairgen.stats import measured
from pairgen.train.config import Config
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.splits import training_texts
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer
from pairgen.train.model.tiny import train_tokenizer

Run = Callable[..., Result]
LAYOUTS = {
    "padded": padded_batch,
    "group": partial(tree_batch, row_tokens=64, share="group"),
    "shots": partial(tree_batch, row_tokens=64, share="shots"),
}


@torch.no_grad()
def plain_sum(model: Any, prompt: Sequence[int], completion: Sequence[int]) -> tuple[Tensor, int]:
    """S and n by the definition: one pass, the model's own last hidden states, added one at a time."""
    tokens = torch.tensor([[*prompt, *completion]])
    states = model(input_ids=tokens, use_cache=False, output_hidden_states=True).hidden_states[-1][0].double()
    total = torch.zeros_like(states[0])
    for at in range(len(prompt) - 1, len(prompt) + len(completion) - 1):  # last prompt token to last but one
        total += states[at]
    return total, len(completion)


def plain_ches(model: Any, groups: Sequence[TokenGroup]) -> list[tuple[float, float]]:
    """CHES and normalized CHES of each pair, as the equations are written."""
    found = []
    for one in groups:
        chosen, *rejected = (plain_sum(model, one.prompt.tolist(), ids.tolist()) for ids in one.completions)
        (w, n_w) = chosen
        for other, n_l in rejected:
            plain = float(w @ other) - float(w @ w)
            found.append((plain, float(w @ other) / (n_w * n_l) - float(w @ w) / n_w**2))
    return found


def assert_equal(model: Any, groups: Sequence[TokenGroup], layout: str, tolerance: float) -> None:
    found = torch.stack(ches.of_batch(Scorer(model), LAYOUTS[layout](groups)), dim=1)
    expected = torch.tensor(plain_ches(model, groups), dtype=torch.float64)
    scale = expected.abs().max(0).values.clamp(min=1e-3)
    assert found.dtype == torch.float64
    assert float(((found - expected).abs() / scale).max()) <= tolerance


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODELS)
def test_ches_is_that_of_plain_passes_in_float64(name: str, layout: str) -> None:
    # float32 rotary embeddings in transformers: the model itself is exact to about 1e-6 only if positions differ
    assert_equal(model_of(name), random_groups(3, 4), layout, 1e-9)


@pytest.mark.parametrize("family", ["gpt2", "opt", "qwen3_moe", "gemma3_text", "olmo2", "phi", "mamba", "gpt_oss"])
def test_ches_of_other_architectures(family: str) -> None:
    """In the padded layout, which also those without trees have."""
    model = spread_model(small_config(family, vocab_size=64)).eval()
    assert_equal(model, random_groups(1, 3, vocabulary=60), "padded", 2e-3)


@given(groups=small_groups())
@settings(max_examples=25, deadline=None)
def test_trees_have_the_ches_of_padded_rows(groups: list[TokenGroup]) -> None:
    model = tiny_llama()
    found = [torch.stack(ches.of_batch(Scorer(model), layout(groups))) for layout in LAYOUTS.values()]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-9, atol=1e-9)


def test_equal_completions_have_ches_0_and_what_is_shared_cancels() -> None:
    """Only what is after the edit tells S_l from S_w; the shared prefix counts in both lengths."""
    model = model_of("Gemma3Text", **{key: GEMMA[key] for key in ("head_dim",)})
    same = tree_batch([group([5, 6], [7, 8, 2], [7, 8, 2])], row_tokens=64)
    for value in ches.of_batch(Scorer(model), same):
        assert float(value.abs().max()) < 1e-9
    one = [group([5, 6], [7, 8, 2], [7, 9, 2])]
    (prompt, at_7, at_8), n_w = plain_states(model, [5, 6, 7, 8]), 3
    at_9 = plain_states(model, [5, 6, 7, 9])[-1]
    chosen = prompt + at_7 + at_8
    plain, normalized = ches.of_batch(Scorer(model), tree_batch(one, row_tokens=64))
    assert float(plain[0]) == pytest.approx(float(chosen @ (at_9 - at_8)), rel=1e-9)
    assert float(normalized[0]) == pytest.approx(float(chosen @ (at_9 - at_8)) / n_w**2, rel=1e-9)


@torch.no_grad()
def plain_states(model: Any, tokens: list[int]) -> Any:
    """The hidden states of all tokens but the first."""
    return model(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states[-1][0, 1:]


def test_batches_are_all_groups_in_order_and_of_bounded_size() -> None:
    class Table:
        tokens = np.array([5, 5, 11, 3, 3, 4, 1])

        def __len__(self) -> int:
            return len(self.tokens)

    table: GroupTable = Table()  # type: ignore[assignment]
    found = [part.tolist() for part in ches.batches(table, 10)]
    assert found == [[0, 1], [2], [3, 4, 5], [6]]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs", "arc", rows=10)


def tiny_config(**changes: Any) -> Config:
    return Config(**{"model": "tiny", "device": "cpu", "precision": "float32", **changes})


def test_scores_are_a_row_for_each_pair_however_it_is_batched(pairs: Path) -> None:
    dataset, progress = open_pairs(pairs), []
    found = ches.scores(dataset, tiny_config(), progress=lambda *at: progress.append(at[:3]))
    for name, table in found.items():
        assert table["pair_id"].to_pylist() == dataset.splits[name].table(["pair_id"])["pair_id"].to_pylist()
        assert np.isfinite(table.to_pandas()[["ches", "ches_normalized"]].to_numpy()).all()
    assert ("hidden states train", len(found["train"]), len(found["train"])) in progress
    for changes in ({"share": "none"}, {"max_packed_length": 64}):
        other = ches.scores(dataset, tiny_config(**changes))["train"]
        assert other["pair_id"] == found["train"]["pair_id"]
        np.testing.assert_allclose(other["ches_normalized"], found["train"]["ches_normalized"], rtol=1e-3, atol=1e-4)


def test_scores_of_the_first_pairs_only(pairs: Path) -> None:
    every, some = (ches.scores(open_pairs(pairs), tiny_config(), limit) for limit in (0, 4))
    assert 4 <= len(some["train"]) < len(every["train"])
    assert some["train"]["pair_id"].to_pylist() == every["train"]["pair_id"].to_pylist()[: len(some["train"])]


def test_a_model_without_trees_falls_back_to_padded_rows(pairs: Path, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(training_texts([open_pairs(pairs)]))
    config = small_config("gpt_oss", vocab_size=512, max_position_embeddings=1024, sliding_window=16)
    folder = save_with_tokenizer(spread_model(config), tokenizer, tmp_path / "model")
    said: list[str] = []
    auto = ches.scores(open_pairs(pairs), tiny_config(model=str(folder)), 6, warn=said.append)
    none = ches.scores(open_pairs(pairs), tiny_config(model=str(folder), share="none"), 6)
    assert "prefix sharing is disabled" in said[0]
    np.testing.assert_array_equal(auto["train"]["ches"], none["train"]["ches"])


def test_dropped_pairs_are_counted(pairs: Path) -> None:
    lengths = [len(row["rejected"]) for row in open_pairs(pairs)["train"]]
    said: list[str] = []
    found = ches.scores(open_pairs(pairs), tiny_config(max_length=12), warn=said.append)
    dropped = len(lengths) - len(found["train"])
    assert dropped > 0
    assert any(f"train: no CHES of {dropped} pairs" in text for text in said)
    with pytest.raises(NoPairsLeft, match="longer than --max-length"):
        ches.scores(open_pairs(make_long(pairs.parent / "long")), tiny_config(max_length=8))


def make_long(folder: Path) -> Path:
    from helpers.rows import pair

    if not folder.exists():
        make_folder(folder, {"train": [pair(" word" * 40, " ward" * 40, "1")]})
    return folder


def test_no_memory_is_one_sentence(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(ches, "of_batch", full)
    with pytest.raises(OutOfMemory, match="tiny: out of memory on the cpu device; use a lower --max-length"):
        ches.scores(open_pairs(pairs), tiny_config())


def test_a_split_without_pairs_has_no_scores(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", {"train": good_pairs()["train"], "eval": []})
    assert len(ches.scores(dataset, tiny_config())["eval"]) == 0


def test_supervised_data_has_no_ches(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs())
    dataset.manifest["sft"] = True
    with pytest.raises(UsageError, match="has no rejected completions, so there is no CHES"):
        ches.scores(dataset, tiny_config())


def test_as_a_data_frame(pairs: Path) -> None:
    frame = pairgen.ches(pairs, "tiny", limit=4, device="cpu")
    table = ches.scores(open_pairs(pairs), tiny_config(), 4)["train"].to_pandas().set_index("pair_id")
    pd.testing.assert_frame_equal(frame.loc["train"], table)
    with pytest.raises(UsageError, match="batch_size: unknown option; available: device"):
        pairgen.ches(pairs, "tiny", batch_size=4)


def test_stats_prints_ches_with_its_definition(pairs: Path, run: Run) -> None:
    words = ("stats", pairs, "--ches", "--model", "tiny", "--device", "cpu")
    text = " ".join(run(*words, "--by", "source").stdout.split())
    for part in ("inner product", "ches normalized", "ches by source", "arc", "arXiv 2410.08847", "edit distance"):
        assert part in text
    found = json.loads(run(*words, "--json", "-q", "-n", "4", "--by", "source").stdout)
    scores = ches.scores(open_pairs(pairs), tiny_config(), 4)
    for split, table in scores.items():
        about = found[split]["ches"]
        assert about["count"] == len(table)
        assert about["mean"] == pytest.approx(float(np.mean(table["ches"].to_numpy())), rel=1e-6)
        assert (about["scale"], about["definition"]) == (ches.SCALE, ches.DEFINITIONS["ches"])
        assert sum(part["count"] for part in about["by"]["source"].values()) == len(table)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ches"], "--ches needs --model MODEL"),
        (["--model", "tiny"], "--model is for --ches"),
        (["--limit", "3"], "--limit is for --ches"),
        (["--ches", "--model", "tiny", "--shortcuts"], "give one of them"),
        (["--ches", "--model", "./missing", "--device", "cpu"], "no such folder"),
        (["--ches", "--model", "tiny", "--chat", "perhaps"], "chat"),
        (["--ches", "--model", "tiny", "--by", "prompt"], "--by must be one of source"),
    ],
)
def test_stats_says_what_is_missing(pairs: Path, run: Run, words: list[str], message: str) -> None:
    done = run("stats", pairs, *words)
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.stderr.split())
    assert not done.stdout


def test_measured_joins_by_pair_id(tmp_path: Path) -> None:
    """Numbers in another order, and of some pairs only, are grouped by the columns of their own pairs."""
    import pyarrow as pa

    dataset = make_folder(tmp_path / "out", good_pairs())
    found = pa.table({"pair_id": ["c-2", "a-1", "c-1"], "x": [1.0, 5.0, 3.0]})
    about = measured(dataset.splits["train"], found, {"x": "a number"}, "points", "source")["x"]
    assert (about["count"], about["mean"], about["scale"], about["definition"]) == (3, 3.0, "points", "a number")
    assert {name: part["mean"] for name, part in about["by"]["source"].items()} == {"test/plain": 5.0, "test/sums": 2.0}
    assert measured(dataset.splits["train"], found, {"x": "a number"}, "points")["x"] == {
        name: value for name, value in about.items() if name != "by"
    }
