"""Log-probs of pairs: sums, lengths and the tokens before, at and after the edit."""

import pytest
import torch
from helpers.token_groups import group

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.padded import padded_batch
from pairgen.train.scores.pair_logps import PairLogps

# chosen 1 2 3 9 2, rejected 1 4 5 9 2 and 7: the first edit is token 1 to 3 in both, the second is all
GROUPS = [group([8], [1, 2, 3, 9, 2], [1, 4, 5, 6, 9, 2], [7])]


@pytest.fixture
def logps() -> PairLogps:
    batch = padded_batch(GROUPS)
    policy = batch.completions(-torch.arange(1.0, len(batch.targets) + 1))
    mask = torch.arange(policy.shape[1]) < batch.lengths[:, None]
    return PairLogps(policy, policy - 1.0 * mask, mask, batch.edit)


def test_sums_lengths_and_ratios(logps: PairLogps) -> None:
    assert logps.pairs == 2
    assert logps.chosen.tolist() == [-15.0, -40.0]
    assert logps.rejected.tolist() == [-81.0, -17.0]
    assert logps.lengths.tolist() == [5, 5, 6, 1]
    assert logps.chosen_lengths.tolist() == [5, 5]
    assert logps.rejected_lengths.tolist() == [6, 1]
    assert logps.reference_chosen.tolist() == [-20.0, -45.0]
    assert logps.chosen_logratio.tolist() == [5.0, 5.0]
    assert logps.rejected_logratio.tolist() == [6.0, 1.0]
    assert logps.margin.tolist() == [-1.0, 4.0]


def test_before_at_and_after_the_edit(logps: PairLogps) -> None:
    def columns(inside: torch.Tensor) -> list[list[int]]:
        return [row.nonzero()[:, 0].tolist() for row in inside]

    assert columns(logps.before_edit) == [[0], [], [0], []]
    assert columns(logps.at_edit) == [[1, 2], [0, 1, 2, 3, 4], [1, 2, 3], [0]]
    assert columns(logps.after_edit) == [[3, 4], [], [4, 5], []]
    assert torch.equal(logps.before_edit | logps.at_edit | logps.after_edit, logps.mask)


def test_comparing_needs_a_reference(logps: PairLogps) -> None:
    without = PairLogps(logps.policy, None, logps.mask, logps.edit)
    with pytest.raises(TypeError, match="needs reference log-probs"):
        _ = without.margin


# The tokens that count


def counted(logps: PairLogps, tokens: str) -> list[list[int]]:
    """Indices of the tokens that count, of each completion."""
    return [row.nonzero()[:, 0].tolist() for row in logps.on(tokens).counted]


def test_counted_tokens(logps: PairLogps) -> None:
    assert torch.equal(logps.on("all").counted, logps.mask)
    assert counted(logps, "edit") == [[1, 2], [0, 1, 2, 3, 4], [1, 2, 3], [0]]
    assert counted(logps, "from-edit") == [[1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 3, 4, 5], [0]]
    edit = logps.on("edit")
    assert edit.lengths.tolist() == [2, 5, 3, 1]
    assert edit.chosen.tolist() == [-2.0 - 3, -40.0]
    assert edit.chosen_logratio.tolist() == [2.0, 5.0]
    assert edit.rejected_logratio.tolist() == [3.0, 1.0]


def of_groups(*groups: TokenGroup) -> PairLogps:
    """Log-probs of -1 for every token, and a reference of -2."""
    batch = padded_batch(groups)
    policy = batch.completions(-torch.ones(len(batch.targets)))
    return PairLogps(policy, 2 * policy, torch.arange(policy.shape[1]) < batch.lengths[:, None], batch.edit)


def test_a_completion_without_a_token_in_the_edit_counts_the_first_one_after_it() -> None:
    """Chosen 1 2 3 4 without its 2, and with a token more."""
    logps = of_groups(group([8], [1, 2, 3, 4], [1, 3, 4], [1, 2, 9, 3, 4]))
    assert [row.nonzero()[:, 0].tolist() for row in logps.at_edit] == [[1], [], [], [2]]
    assert counted(logps, "edit") == [[1], [2], [1], [2]]
    assert counted(logps, "from-edit") == [[1, 2, 3], [2, 3], [1, 2], [2, 3, 4]]
    assert logps.on("edit").lengths.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("tokens", ["edit", "from-edit"])
def test_a_completion_that_ends_at_the_edit_counts_nothing(tokens: str) -> None:
    """Its log-prob is 0, and its length 1, so that losses per token stay finite."""
    logps = of_groups(group([8], [1, 2], [1])).on(tokens)
    assert counted(logps, tokens) == [[1], []]
    assert (logps.rejected.tolist(), logps.reference_rejected.tolist(), logps.rejected_lengths.tolist()) == (
        [0],
        [0],
        [1],
    )
    assert logps.margin.tolist() == [1.0]


def test_an_edit_in_several_places_counts_as_one_span() -> None:
    logps = of_groups(group([8], [1, 2, 3, 4, 5], [1, 9, 3, 7, 5]))
    assert counted(logps, "edit") == [[1, 2, 3], [1, 2, 3]]
