"""Metrics against values computed by hand, and over parts of a batch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.distributed import World
from pairgen.train.layout.padded import padded_batch
from pairgen.train.scores.metrics import Sums, add, global_means, measure
from pairgen.train.scores.pair_logps import PairLogps

CONFIG = Config(beta=0.5)


def group(
    edits: Sequence[tuple[int, int]], lengths: Sequence[int], chars: Sequence[int], name: str = "g"
) -> TokenGroup:
    ids = [np.arange(length, dtype=np.int32) for length in lengths]
    keys = tuple(f"{name}{index}" for index in range(len(edits)))
    edit = np.array(edits, dtype=np.int32)
    return TokenGroup(np.array([1], dtype=np.int32), tuple(ids), keys, edit, np.array(chars, dtype=np.int32))


def of(groups: Sequence[TokenGroup], tokens: torch.Tensor, reference: torch.Tensor | None) -> Sums:
    """The metrics of groups whose completions' tokens have these log-probs."""
    batch = padded_batch(groups)
    logps = PairLogps(tokens, reference, torch.arange(tokens.shape[1]) < batch.lengths[:, None], batch.edit)
    return measure(batch, logps, torch.arange(batch.pairs, dtype=torch.float64), CONFIG)


def found(sums: Sums) -> dict[str, float]:
    return global_means(sums, World())


def test_metrics_equal_values_computed_by_hand() -> None:
    groups = [group([(1, 2)], [3, 3], [6, 6]), group([(0, 1), (1, 2)], [2, 1, 2], [4, 1, 8], "h")]
    chosen = [[-1.0, -2, -3], [-1, -1, 0], [-1, -1, 0]]
    rejected = [[-1.0, -4, -3], [-1.5, 0, 0], [-3, -1, 0]]
    reference = torch.tensor([[-1.0, -1, -3], [-2, -2, 0], [-2, -2, 0], [-1, -1, -3], [-1, 0, 0], [-3, -3, 0]]).double()
    result = found(of(groups, torch.tensor(chosen + rejected).double(), reference))
    assert result["loss"] == pytest.approx(1)
    assert result["logps/chosen"] == pytest.approx((-6 - 2 - 2) / 3)
    assert result["logps/rejected"] == pytest.approx((-8 - 1.5 - 4) / 3)
    up, down = np.array([-1, 2, 2]), np.array([-3, -0.5, 2])
    assert result["logratios/chosen"] == pytest.approx(up.mean())
    assert result["logratios/rejected"] == pytest.approx(down.mean())
    assert result["rewards/chosen"] == pytest.approx(0.5 * up.mean())
    assert result["rewards/rejected"] == pytest.approx(0.5 * down.mean())
    assert result["rewards/margins"] == pytest.approx(0.5 * (up - down).mean())
    assert result["rewards/accuracies"] == pytest.approx(2 / 3)
    assert result["chosen_below_reference"] == pytest.approx(1 / 3)
    assert result["dpop/penalty"] == pytest.approx(1 / 3)
    assert result["dpop/active"] == pytest.approx(1 / 3)
    assert result["logps/before_edit"] == pytest.approx((-1 - 1) / 2)  # pair 1's first token, pair 3's first
    assert result["logps/at_edit"] == pytest.approx((-2 - 1 - 1) / 3)
    assert result["logps/after_edit"] == pytest.approx((-3 - 1) / 2)  # pair 1's last, pair 2's last
    assert result["logps/rejected_at_edit"] == pytest.approx((-4 - 1) / 2)  # pair 1's second, pair 3's; pair 2 deletes
    assert result["edit_below_reference"] == pytest.approx(1 / 3)  # pair 1: -2 against -1
    assert result["dpop/penalty_at_edit"] == pytest.approx(1 / 3)
    assert result["choice/acc"] == 0  # of the one group with two pairs, one rejected has a higher sum
    assert result["choice/acc_norm"] == 0  # -2/4 against -1.5/1 and -4/8: a tie does not count as a win


@pytest.mark.parametrize("level", ["completion", "token"])
def test_an_edit_that_falls_while_other_tokens_rise_is_seen(level: str) -> None:
    """The penalty is 0 at completion level: tokens around the edit pay for it. The reference is -2 for every token."""
    batch = padded_batch([group([(1, 2)], [3, 3], [6, 6])])
    tokens = torch.tensor([[-1.0, -3, -1.5], [-1, -2.5, -1]]).double()
    logps = PairLogps(tokens, torch.full_like(tokens, -2), torch.ones(2, 3, dtype=torch.bool), batch.edit)
    result = found(measure(batch, logps, torch.zeros(1).double(), Config(beta=0.5, dpop_level=level)))
    assert result["dpop/penalty"] == (0 if level == "completion" else 1)
    assert result["dpop/penalty_at_edit"] == 1
    assert (result["chosen_below_reference"], result["edit_below_reference"]) == (0, 1)
    assert result["logps/rejected_at_edit"] == -2.5


def test_rewards_and_penalty_are_over_the_tokens_that_count() -> None:
    """Log-ratios 1 -1 0.5 of chosen, 1 -0.5 1 of rejected; all other metrics stay those of whole completions."""
    batch = padded_batch([group([(1, 2)], [3, 3], [6, 6])])
    tokens = torch.tensor([[-1.0, -3, -1.5], [-1, -2.5, -1]]).double()
    logps = PairLogps(tokens, torch.full_like(tokens, -2), torch.ones(2, 3, dtype=torch.bool), batch.edit)
    results = {
        on: found(measure(batch, logps.on(on), torch.zeros(1).double(), CONFIG)) for on in ("all", "edit", "from-edit")
    }
    assert [results[on]["rewards/chosen"] for on in results] == [0.5 * 0.5, 0.5 * -1, 0.5 * -0.5]
    assert [results[on]["rewards/rejected"] for on in results] == [0.5 * 1.5, 0.5 * -0.5, 0.5 * 0.5]
    assert [results[on]["dpop/penalty"] for on in results] == [0, 1, 0.5]
    for name in results["all"].keys() - {name for name in results["all"] if name.startswith(("rewards/", "dpop/"))}:
        assert results["edit"][name] == results["from-edit"][name] == results["all"][name], name


def test_choices_are_scored_without_eos() -> None:
    """By sum and per character, both without the last token, EOS."""
    groups = [group([(0, 1), (0, 1)], [2, 2, 2], [10, 1, 1])]
    tokens = torch.tensor([[-2.0, -9], [-2, -9], [-1, -1], [-3, -1]]).double()
    result = found(of(groups, tokens, None))
    assert (result["choice/acc"], result["choice/acc_norm"]) == (0, 1)
    tokens[2, 0] = -2.5
    assert found(of(groups, tokens, None))["choice/acc"] == 1


def test_metrics_without_a_reference() -> None:
    result = found(of([group([(0, 1)], [1, 1], [1, 1])], torch.tensor([[-1.0], [-2]]).double(), None))
    assert set(result) == {"loss", "logps/chosen", "logps/rejected", "logps/at_edit", "logps/rejected_at_edit"}


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.integers(0, 100))
def test_metrics_of_parts_add_up(sizes: list[int], seed: int) -> None:
    """Metrics of a batch equal those of its groups one by one; parts with a count of 0 have no effect."""
    rng = np.random.default_rng(seed)
    groups = [group([(0, 1)] * size, [2] * (size + 1), [3] * (size + 1), f"{n}-") for n, size in enumerate(sizes)]
    tokens = [torch.from_numpy(-rng.random((2 * size, 2))) for size in sizes]
    tokens_of_all = torch.cat(
        [
            *(part[:size] for part, size in zip(tokens, sizes, strict=True)),
            *(part[size:] for part, size in zip(tokens, sizes, strict=True)),
        ]
    )
    together = found(of(groups, tokens_of_all, tokens_of_all * 1.1))
    total: Sums = {}
    for one, part in zip(groups, tokens, strict=True):
        total = add(total, of([one], part, part * 1.1))
    del together["loss"]  # here, the losses of each batch are numbered from 0
    apart = found(total)
    assert {name: apart[name] for name in together} == pytest.approx(together)


def test_pairs_without_weight_do_not_count() -> None:
    one = group([(0, 1), (0, 1)], [1, 1, 1], [1, 1, 1])
    tokens = torch.tensor([[-1.0], [-1], [-2], [-3]]).double()
    batch = padded_batch([one])
    batch.weight.zero_()
    logps = PairLogps(tokens, None, torch.ones(4, 1, dtype=torch.bool), batch.edit)
    assert found(measure(batch, logps, torch.ones(2).double(), CONFIG)) == {}
