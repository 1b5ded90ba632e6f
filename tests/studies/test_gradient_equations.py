"""The DPOP paper's equations for gradients of logits, against autograd and in the form in which they are printed."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.slow_trees import model_of
from helpers.token_groups import VOCABULARY, group, random_groups
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pairgen.errors import UsageError
from pairgen.studies.logits import equations as gradients
from pairgen.studies.logits.equations import LaidOut, PairLogits
from pairgen.train.config import Config
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer

EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-12}
DPO = Config(loss="dpo")


@st.composite
def pairs(draw: st.DrawFn) -> PairLogits:
    """Random logits, reference and tokens of a pair of up to 7 tokens, whose edit has one token or several."""
    length = draw(st.integers(1, 7))
    start = draw(st.integers(0, length - 1))
    stop = draw(st.integers(start + 1, length))
    random = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    vocabulary = draw(st.integers(2, 6))
    tokens = torch.randint(0, vocabulary, (2, length), generator=random)
    tokens[1] = tokens[0].where((torch.arange(length) < start) | (torch.arange(length) >= stop), tokens[1])
    for at in (start, stop - 1):
        tokens[1, at] = (tokens[0, at] + 1) % vocabulary
    own = torch.arange(length)
    context = torch.stack([own, own.where(own <= start, own + length - 1 - start)])
    spread = draw(st.sampled_from([0.1, 1.0, 5.0]))
    logits = spread * torch.randn(int(context.max()) + 1, vocabulary, generator=random, dtype=torch.float64)
    fall = draw(st.sampled_from([-1.0, 0.0, 1.0])) + torch.randn(2, length, generator=random, dtype=torch.float64)
    reference = logits.log_softmax(-1)[context, tokens] + fall
    return PairLogits(logits, context, tokens, (start, stop), reference)


configs = st.builds(
    Config,
    loss=st.sampled_from(["dpo", "dpop"]),
    beta=st.sampled_from([0.01, 0.3, 2.0]),
    dpop_lambda=st.sampled_from([0.0, 1.0, 50.0]),
    dpop_level=st.sampled_from(["completion", "token"]),
)


@given(pairs(), configs)
def test_the_equations_are_the_gradients_of_the_losses(pair: PairLogits, config: Config) -> None:
    torch.testing.assert_close(gradients.by_autograd(pair, config), gradients.by_equations(pair, config), **EXACT)


def printed(pair: PairLogits, at: int, lam: float | None) -> Tensor:
    """[V] equation 5 of the paper, or its last equation of B.2 with a lambda, term by term as printed."""
    s_w, s_l = pair.logits.softmax(-1)[pair.context[:, at]].tolist()
    i, found = int(pair.tokens[0, at]), []
    for j in range(len(s_w)):
        if lam is None:
            found.append(s_l[j] - s_w[j])
        elif i == j:
            found.append(lam * (1 - s_w[j]) + s_l[j] - s_w[j])
        else:
            found.append(-(lam + 1) * s_w[j] + s_l[j])
    return torch.tensor(found, dtype=torch.float64)


@given(pairs(), configs)
def test_autograd_gives_the_printed_equations_outside_the_edit(pair: PairLogits, config: Config) -> None:
    factor, active = gradients.weights(pair, config)
    found = gradients.by_autograd(pair, config)
    for at in range(len(active)):
        if not pair.edit[0] <= at < pair.edit[1]:
            lam = config.dpop_lambda if active[at] else None
            torch.testing.assert_close(-found[at], factor * printed(pair, at, lam), **EXACT)


@given(pairs(), configs)
def test_at_the_first_token_of_the_edit_the_probabilities_of_dpo_cancel(pair: PairLogits, config: Config) -> None:
    """And DPOP adds lambda times the gradient of an SFT step."""
    at = pair.edit[0]
    factor, active = gradients.weights(pair, config)
    chosen, rejected = torch.nn.functional.one_hot(pair.tokens[:, at], pair.logits.shape[1]).double()
    sft = chosen - pair.logits.softmax(-1)[pair.context[0, at]]
    expected = chosen - rejected + config.dpop_lambda * active[at] * sft
    torch.testing.assert_close(-gradients.by_autograd(pair, config)[at], factor * expected, **EXACT)


@given(pairs())
def test_before_the_edit_dpo_has_no_gradient_and_dpop_has(pair: PairLogits) -> None:
    before = slice(0, pair.edit[0])
    torch.testing.assert_close(gradients.by_autograd(pair, DPO)[before].abs().sum(), torch.zeros(()).double(), **EXACT)
    dpop = Config(loss="dpop", dpop_level="token")
    at = torch.arange(pair.edit[0])
    of_chosen = gradients.by_autograd(pair, dpop)[at, pair.tokens[0, before]]
    assert ((of_chosen < 0) == gradients.weights(pair, dpop).active[before]).all()


@given(pairs())
def test_in_its_own_context_every_chosen_token_rises(pair: PairLogits) -> None:
    """A loss that falls in chosen's log-prob cannot lower the logit of a chosen token, where only chosen uses it."""
    alone = pair.context[0] != pair.context[1]
    assert (gradients.in_chosen_context(pair, DPO)[alone] < 0).all()


@given(pairs())
def test_lambda_suffices_above_its_bound_and_not_below(pair: PairLogits) -> None:
    needed = gradients.sufficient_lambda(pair)
    for at in range(pair.edit[1], len(needed)):
        for lam, raises in ((float(needed[at]) * 1.01 + 1e-3, True), (float(needed[at]) * 0.99 - 1e-3, False)):
            if lam >= 0:
                assert bool(printed(pair, at, lam)[pair.tokens[0, at]] > 0) == raises


def laid_out(name: str = "Llama", padded: bool = False) -> tuple[Scorer, LaidOut]:
    """A random policy, and a pair that another random model has scored."""
    pair = group([1, 5, 9], [3, 4, 7, 8, 6, 2], [3, 4, 11, 8, 6, 2])
    layout = padded_batch if padded else lambda groups: tree_batch(groups, 64)
    policy, reference = (Scorer(model_of(name, seed=seed)) for seed in (0, 1))
    (found,) = gradients.lay_out(reference, [pair], layout)
    return policy, found


def logits_of(name: str = "Llama", padded: bool = False) -> PairLogits:
    policy, pair = laid_out(name, padded)
    return pair.logits(policy)


@pytest.mark.parametrize("name", ["Llama", "Gemma2"])
def test_logits_of_a_tree_are_those_of_padded_rows(name: str) -> None:
    """Of a model with a soft cap, too. In a tree, both completions have one context up to the edit."""
    tree, rows = logits_of(name), logits_of(name, padded=True)
    assert tree.edit == rows.edit == (2, 3)
    assert (tree.context[0] == tree.context[1]).tolist() == [True, True, True, False, False, False]
    assert len(rows.logits) == len(tree.logits) + 3
    torch.testing.assert_close(tree.logits[tree.context], rows.logits[rows.context], rtol=0, atol=1e-10)
    for config in (DPO, Config(loss="dpop"), Config(loss="dpop", dpop_level="token")):
        torch.testing.assert_close(
            gradients.by_autograd(tree, config), gradients.by_autograd(rows, config), rtol=0, atol=1e-9
        )


def test_log_probs_of_logits_are_those_of_training() -> None:
    policy, pair = laid_out("Gemma2")
    found = pair.logits(policy)
    expected = pair.batch.completions(policy(pair.batch)).detach()
    torch.testing.assert_close(found.logps(found.logits).policy, expected, rtol=0, atol=1e-10)
    assert found.tokens.tolist() == [[3, 4, 7, 8, 6, 2], [3, 4, 11, 8, 6, 2]]


def test_only_pairs_of_equal_length_are_aligned() -> None:
    """Each is a group of its own, with the edit of the pair."""
    found = gradients.aligned_pairs([group([1], [3, 4, 2], [3, 5, 2], [3, 2], [6, 7, 2]), *random_groups(0, 4)])
    assert [pair.pair_ids for pair in found[:2]] == [("g-0",), ("g-2",)]
    assert [pair.edit.tolist() for pair in found[:2]] == [[[1, 2]], [[0, 2]]]
    assert len(found) > 2
    for pair in found:
        chosen, rejected = (np.array(ids) for ids in pair.completions)
        (start, stop), index = pair.edit[0], np.arange(len(chosen))
        assert ((chosen == rejected) | ((index >= start) & (index < stop))).all()
        assert chosen.max() < VOCABULARY


def test_other_losses_and_other_precisions_are_refused() -> None:
    pair = logits_of()
    for config in (Config(loss="ipo"), Config(loss="dpop", dpop_form="outside")):
        with pytest.raises(UsageError, match="the equations are those of dpo and of dpop inside the sigmoid"):
            gradients.by_equations(pair, config)
    scorer = Scorer(model_of("Llama", torch.float32))
    with pytest.raises(UsageError, match=r"convert the model with \.double\(\)"):
        gradients.lay_out(scorer, [], padded_batch)


@pytest.mark.parametrize("level", ["completion", "token"])
def test_equal_models_have_no_active_penalty(level: str) -> None:
    """Rounding is no fall below the reference, even where both are computed by other operations."""
    scorer, config = Scorer(model_of("Llama")), Config(loss="dpop", dpop_level=level)
    pair = group([1, 5, 9], [3, 4, 7, 8, 6, 2], [3, 4, 11, 8, 6, 2])
    (found,) = gradients.lay_out(scorer, [pair], padded_batch)
    logits = found.logits(scorer)
    factor, active = gradients.weights(logits, config)
    assert factor == pytest.approx(0.15)
    assert not active.any()
    torch.testing.assert_close(gradients.by_autograd(logits, config), gradients.by_autograd(logits, DPO), **EXACT)
    torch.testing.assert_close(found.loss(scorer, config), found.loss(scorer, DPO), **EXACT)
