"""DPOP as a contrastive loss: appendix C of Pal et al. 2024 (arXiv 2402.13228) in exact form.

With H(y|x) = pi(y|x) / pi_ref(y|x) and the signed distance D(u, v) = log H(u) - log H(v), a contrastive loss with a
margin m on its term for similar points (Hadsell et al. 2006) pushes chosen and rejected apart, and pulls chosen to an
anchor y* of probability 1, H(y*|x) = 1 / pi_ref(y_w|x), once it is farther away than m:

    C = -D(y_w, y_l) + lambda * max(D(y*, y_w) - m, 0)

At m = log(1 / pi_ref(y_w|x)), the distance at which chosen is as likely as under the reference, D(y*, y_w) - m is
log pi_ref(y_w|x) - log pi(y_w|x), so that C = -(d - lambda * p) and, exactly,

    DPOP = -log sigmoid(-beta * C) = log(1 + exp(beta * C)),     DPO = the same with lambda = 0

DPOP is an increasing function of C: its gradient is that of C, times beta * sigmoid(beta * C). A margin that is larger
by t tolerates a fall of t nats; with the penalty at each token, each has an anchor and a margin of its own.

The appendix prints min(D - m, 0) for max(D - m, 0), in the contrastive loss and in what follows from it, and its first
term without the minus sign. With min, a loss to be minimised would reward a chosen completion above the reference and
ignore one below, against the sentence that follows it. With max, the term that pulls rejected to an anchor of
probability 0 vanishes, so that leaving it out changes nothing; with min it is infinite.
"""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pairgen.train.config import Config
from pairgen.train.losses import LOSSES
from pairgen.train.scores.pair_logps import PairLogps

CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}
TOKENS = 5


@st.composite
def logps(draw: st.DrawFn) -> PairLogps:
    """One to three pairs of up to ``TOKENS`` tokens, with chosen above or below the reference, or equal to it."""
    pairs = draw(st.integers(1, 3))
    random = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    lengths = torch.randint(1, TOKENS + 1, (2 * pairs, 1), generator=random)
    mask = torch.arange(TOKENS) < lengths
    reference = -3 * torch.rand(2 * pairs, TOKENS, generator=random, dtype=torch.float64) * mask
    change = draw(st.sampled_from([0.0, 0.3, 4.0])) * torch.randn(reference.shape, generator=random).double()
    policy = (reference + change * mask).clamp(max=0)
    return PairLogps(policy.requires_grad_(), reference, mask, torch.tensor([[0, 1]] * 2 * pairs))


betas, lambdas = st.sampled_from([0.05, 0.3, 1.0]), st.sampled_from([0.5, 5.0, 50.0])


def distance(of: Tensor, to: Tensor) -> Tensor:
    """D of two embeddings, given by the logarithms of H."""
    return of - to


def contrastive(logps: PairLogps, lam: float, tolerance: float = 0.0) -> Tensor:
    """[P] C, with a margin that is larger than the appendix's by ``tolerance`` nats."""
    margin = -logps.reference_chosen + tolerance  # log(1 / pi_ref(y_w|x))
    anchor = math.log(1) - logps.reference_chosen
    similar = (distance(anchor, logps.chosen_logratio) - margin).clamp(min=0)
    return -distance(logps.chosen_logratio, logps.rejected_logratio) + lam * similar


def contrastive_by_token(logps: PairLogps, lam: float) -> Tensor:
    """[P] C with an anchor and a margin for each token of chosen."""
    reference, policy = (part[: logps.pairs] for part in (logps.reference_tokens, logps.policy))
    similar = (distance(-reference, policy - reference) + reference).clamp(min=0)
    return -distance(logps.chosen_logratio, logps.rejected_logratio) + lam * similar.sum(1)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); that of torch approximates it by x above 20."""
    return x.logaddexp(torch.zeros_like(x))


def loss(name: str, logps: PairLogps, **options: Any) -> Tensor:
    return LOSSES[name].function(logps, Config(loss=name, **options))


@given(logps(), betas, lambdas)
def test_dpop_is_the_softplus_of_a_contrastive_loss(logps: PairLogps, beta: float, lam: float) -> None:
    expected = softplus(beta * contrastive(logps, lam))
    torch.testing.assert_close(loss("dpop", logps, beta=beta, dpop_lambda=lam), expected, **CLOSE)


@given(logps(), betas, lambdas)
def test_so_it_is_at_the_level_of_tokens(logps: PairLogps, beta: float, lam: float) -> None:
    expected = softplus(beta * contrastive_by_token(logps, lam))
    found = loss("dpop", logps, beta=beta, dpop_lambda=lam, dpop_level="token")
    torch.testing.assert_close(found, expected, **CLOSE)


@given(logps(), betas)
def test_dpo_lacks_the_term_for_similar_points(logps: PairLogps, beta: float) -> None:
    expected = softplus(beta * contrastive(logps, 0))
    torch.testing.assert_close(loss("dpo", logps, beta=beta), expected, **CLOSE)


@given(logps(), betas, lambdas)
def test_their_gradients_have_the_same_direction(logps: PairLogps, beta: float, lam: float) -> None:
    """Pair by pair, the gradient of DPOP is that of C times beta * sigmoid(beta * C)."""
    value = contrastive(logps, lam)
    factor = beta * (beta * value).sigmoid().detach()
    (found,) = torch.autograd.grad(
        loss("dpop", logps, beta=beta, dpop_lambda=lam).sum(), logps.policy, retain_graph=True
    )
    (of_contrastive,) = torch.autograd.grad(value.sum(), logps.policy)
    below = (logps.chosen_logratio != 0).tile(2)  # at the kink, each side has a gradient of its own
    torch.testing.assert_close(found[below], (of_contrastive * factor.tile(2)[:, None])[below], **CLOSE)


@given(logps(), st.floats(0, 8), lambdas)
def test_a_larger_margin_tolerates_a_fall(logps: PairLogps, tolerance: float, lam: float) -> None:
    penalty = contrastive(logps, lam, tolerance) - contrastive(logps, 0)
    expected = lam * (-logps.chosen_logratio - tolerance).clamp(min=0)
    torch.testing.assert_close(penalty, expected, rtol=1e-9, atol=1e-9)


def one_pair(chosen: float) -> PairLogps:
    """A pair of one token each, whose chosen changed by so many nats from a log-prob of -2."""
    policy = torch.tensor([[-2 + chosen], [-2.0]], dtype=torch.float64)
    return PairLogps(policy, torch.full((2, 1), -2.0).double(), torch.ones(2, 1) > 0, torch.tensor([[0, 1]] * 2))


@pytest.mark.parametrize(("change", "printed", "exact"), [(1.0, -1.0, 0.0), (-1.0, 0.0, 1.0)])
def test_the_printed_minimum_penalises_nothing_below_the_reference(change: float, printed: float, exact: float) -> None:
    """The appendix's second term, -max(log pi/pi_ref, 0), next to DPOP's penalty."""
    logps = one_pair(change)
    similar = distance(-logps.reference_chosen, logps.chosen_logratio) + logps.reference_chosen
    assert similar.clamp(max=0).item() == -max(logps.chosen_logratio.item(), 0) == printed
    assert similar.clamp(min=0).item() == exact
    config = Config(loss="dpop", beta=1.0, dpop_lambda=1.0)
    inside = -(LOSSES["dpop"].function(logps, config).exp() - 1).log()  # d - lambda p
    assert (logps.margin - inside).item() == pytest.approx(exact)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-30, 1e-300])
def test_the_anchor_of_rejected_adds_nothing(epsilon: float) -> None:
    """The third term of the appendix is 0 with max, so it can be left out; with min it grows without limit."""
    logps = one_pair(-1.0)
    anchor = math.log(epsilon) - logps.reference_rejected
    third = distance(anchor, logps.rejected_logratio) + logps.reference_chosen
    assert third.clamp(min=0).item() == 0
    assert third.clamp(max=0).item() == pytest.approx(math.log(epsilon))
