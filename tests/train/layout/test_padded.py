"""The padded layout against each sequence run by itself, one log-prob at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers.token_groups import VOCABULARY, group, random_groups, small_groups, tiny_llama
from hypothesis import given, settings
from torch import Tensor

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch, pair_fields
from pairgen.train.model.scorer import Scorer


@pytest.fixture(scope="module")
def llama() -> Any:
    return tiny_llama()


@torch.no_grad()
def log_probs_of_one(model: Any, prompt: Sequence[int], completion: Sequence[int]) -> list[float]:
    """Log-prob of each token of a completion, from the logits of prompt and completion as a single sequence."""
    ids = [int(token) for token in [*prompt, *completion]]
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    return [
        float(logits[at - 1].log_softmax(-1)[ids[at]])  # the token at ``at`` is predicted at the one before
        for at in range(len(prompt), len(ids))
    ]


def pairs_of(groups: Sequence[TokenGroup]) -> list[tuple[TokenGroup, int]]:
    """Each pair as its group and the index of its rejected completion."""
    return [(one, 1 + at) for one in groups for at in range(one.pairs)]


@torch.no_grad()
def completions(model: Any, batch: Batch) -> Tensor:
    return batch.completions(Scorer(model)(batch))


def test_padded_batch_worked_example() -> None:
    batch = padded_batch([group([5, 6], [7, 2], [8])])
    assert batch.tokens.tolist() == [[5, 6, 7, 2], [5, 6, 8, 0]]
    assert batch.label_positions.tolist() == [1, 2, 5]
    assert batch.targets.tolist() == [7, 2, 8]
    assert batch.completion_index.tolist() == [[0, 1], [2, 3]]
    assert batch.lengths.tolist() == [2, 1]
    assert batch.num_chars.tolist() == [6, 3]
    assert batch.edit.tolist() == [[0, 2], [0, 1]]
    assert batch.positions is None
    assert batch.subtree_end is None
    assert (batch.pairs, batch.padded_tokens, batch.processed_tokens) == (1, 7, 7)


def test_padded_batch_lists_chosen_before_rejected() -> None:
    batch = padded_batch([group([1], [2, 3], [2, 4], [5]), group([6, 7], [8], [9, 9, 9])], pad=0)
    assert batch.tokens.tolist() == [
        [1, 2, 3, 0, 0],
        [1, 2, 3, 0, 0],
        [6, 7, 8, 0, 0],
        [1, 2, 4, 0, 0],
        [1, 5, 0, 0, 0],
        [6, 7, 9, 9, 9],
    ]
    assert batch.targets.tolist() == [2, 3, 2, 3, 8, 2, 4, 5, 9, 9, 9]
    assert batch.completion_index.tolist() == [[0, 1, 11], [2, 3, 11], [4, 11, 11], [5, 6, 11], [7, 11, 11], [8, 9, 10]]


def test_padded_batch_without_rejected() -> None:
    groups = random_groups(0, 3, pairs=2)
    alone = padded_batch([group.chosen_only() for group in groups])
    pairs = sum(group.pairs for group in groups)
    assert alone.tokens.shape[0] == pairs
    assert alone.padded_tokens == sum(group.pairs * (len(group.prompt) + len(group.completions[0])) for group in groups)
    assert torch.equal(alone.completion_index[:pairs], alone.completion_index[pairs:])
    chosen = alone.completions(alone.targets.double())[:pairs]
    assert torch.equal(
        chosen, padded_batch(groups).completions(padded_batch(groups).targets.double())[:pairs, : chosen.shape[1]]
    )


def test_pair_fields() -> None:
    fields = pair_fields([group([1], [2, 3], [2, 4], [5], name="a"), group([6, 7], [8], [9, 9, 9], name="b")])
    assert fields["lengths"].tolist() == [2, 2, 1, 2, 1, 3]
    assert fields["num_chars"].tolist() == [6, 6, 3, 6, 3, 9]
    assert fields["edit"].tolist() == [[1, 2], [0, 2], [0, 1], [1, 2], [0, 1], [0, 3]]
    assert fields["group"].tolist() == [0, 0, 1]
    assert fields["weight"].tolist() == [1.0, 1.0, 1.0]
    assert fields["weight"].dtype == torch.float32
    assert fields["pair_ids"] == ("a-0", "a-1", "b-0")


def test_completions_zero_after_last_token() -> None:
    batch = padded_batch([group([5, 6], [7, 2], [8])])
    found = batch.completions(torch.tensor([-1.0, -2.0, -4.0]))
    assert found.tolist() == [[-1.0, -2.0], [-4.0, 0.0]]
    assert found.sum(1).tolist() == [-3.0, -4.0]
    assert found.dtype == torch.float64


def test_completions_sum_gradients_of_shared_tokens() -> None:
    batch = padded_batch([group([5, 6], [7, 2], [8])])
    shared = Batch(**{**vars(batch), "completion_index": torch.tensor([[0, 1], [0, 2]])})
    logps = torch.tensor([-1.0, -2.0], requires_grad=True)
    found = shared.completions(logps)
    assert found.tolist() == [[-1.0, -2.0], [-1.0, 0.0]]
    (found * torch.tensor([[1.0, 1.0], [10.0, 100.0]])).sum().backward()
    assert logps.grad is not None
    assert logps.grad.tolist() == [11.0, 1.0]


def test_completions_precision_of_long_sums() -> None:
    """In float32, adding -0.0001 to -2048 repeatedly would have no effect."""
    length = 4000
    batch = padded_batch([group([1], [2] * length, [3])])
    logps = torch.full((length + 1,), -1e-4)
    logps[0] = -2048.0
    exact = -2048.0 + (length - 1) * float(torch.tensor(-1e-4))
    assert float(batch.completions(logps)[0].sum()) == pytest.approx(exact, abs=1e-9)


def check_against_single_sequences(model: Any, groups: Sequence[TokenGroup]) -> None:
    batch = padded_batch(groups)
    found = completions(model, batch)
    expected = [log_probs_of_one(model, one.prompt, one.completions[0]) for one, _ in pairs_of(groups)]
    expected += [log_probs_of_one(model, one.prompt, one.completions[at]) for one, at in pairs_of(groups)]
    assert len(found) == len(expected)
    for row, expected_row, length in zip(found, expected, batch.lengths, strict=True):
        assert length == len(expected_row)
        assert row[:length].tolist() == pytest.approx(expected_row, abs=1e-9)
        assert not row[length:].any()


@pytest.mark.parametrize("seed", range(3))
def test_padded_batch_equals_single_sequences(llama: Any, seed: int) -> None:
    check_against_single_sequences(llama, random_groups(seed, 4))


@given(groups=small_groups())
@settings(deadline=None, max_examples=15)
def test_padded_batch_of_any_groups_equals_single_sequences(llama: Any, groups: list[TokenGroup]) -> None:
    check_against_single_sequences(llama, groups)


def test_padded_batch_ignores_padding_tokens(llama: Any) -> None:
    groups = random_groups(7, 4)
    zeros, others = padded_batch(groups), padded_batch(groups, pad=VOCABULARY - 1)
    assert not torch.equal(zeros.tokens, others.tokens)
    assert torch.equal(zeros.label_positions, others.label_positions)
    assert torch.equal(completions(llama, zeros), completions(llama, others))


def test_padded_batch_rows_are_independent(llama: Any) -> None:
    groups = random_groups(8, 5)
    batch = padded_batch(groups)
    together = completions(llama, batch)
    for at, one in enumerate(groups):
        mine = batch.group.eq(at).repeat(2)
        alone = completions(llama, padded_batch([one]))
        assert together[mine, : alone.shape[1]].sub(alone).abs().max() < 1e-9


@given(groups=small_groups(max_groups=5))
@settings(deadline=None, max_examples=50)
def test_padded_batch_shapes(groups: list[TokenGroup]) -> None:
    batch = padded_batch(groups, pad=99)
    pairs, count = batch.pairs, len(batch.targets)
    pairwise = pairs_of(groups)
    assert pairs == len(pairwise) == len(set(batch.pair_ids))
    assert batch.pair_ids == tuple(one.pair_ids[at - 1] for one, at in pairwise)
    assert batch.tokens.shape[0] == 2 * pairs
    assert batch.completion_index.shape == (2 * pairs, int(batch.lengths.max()))
    assert batch.padded_tokens == sum(one.padded_tokens for one in groups) == int((batch.tokens != 99).sum())
    assert batch.processed_tokens == batch.padded_tokens
    for name in ("tokens", "label_positions", "targets", "completion_index", "lengths", "num_chars", "edit", "group"):
        assert getattr(batch, name).dtype == torch.int64, name
    # every label is scored once, and is the token after the hidden state that predicts it
    owned = batch.completion_index[batch.completion_index < count]
    assert owned.tolist() == list(range(count))
    assert torch.equal(batch.tokens.flatten()[batch.label_positions + 1], batch.targets)
    assert torch.equal((batch.completion_index < count).sum(1), batch.lengths)
    for place, (one, at) in enumerate(pairwise):
        start, stop = batch.edit[place].tolist()
        chosen, rejected = one.completions[0], one.completions[at]
        assert np.array_equal(chosen[:start], rejected[:start])
        tail = len(chosen) - stop
        assert np.array_equal(chosen[stop:], rejected[len(rejected) - tail :])


def test_batch_to_moves_every_tensor() -> None:
    batch = padded_batch([group([5, 6], [7, 2], [8])])
    moved = batch.to(torch.device("meta"))
    for name, value in vars(moved).items():
        if isinstance(value, Tensor):
            assert value.device.type == "meta", name
        else:
            assert value == getattr(batch, name), name
