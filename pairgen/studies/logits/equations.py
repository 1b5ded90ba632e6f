"""Gradients of DPO and DPOP with respect to a model's logits, by autograd and by the equations of the DPOP paper.

Pal et al. 2024 (arXiv 2402.13228), sections 3 and 4 and appendix B, restated with their conditions. A pair has a prompt
x and two completions of K tokens, t_1 .. t_K (chosen, y_w) and t'_1 .. t'_K (rejected, y_l), which differ at some
positions of an edit m <= k < n only; the paper has n = m + 1. With y^{<k} the tokens before position k,

    s^w_kj, s^l_kj    probability of token j after x, y_w^{<k} and after x, y_l^{<k}: the softmax of the logits there;
                      for k <= m both contexts are the same, and so are the probabilities
    theta_kj          logit j at position k. After the edit chosen and rejected have a logit each, and the paper's
                      derivative with respect to "theta_j" is the sum of those of both: the effect of shifting both
    a_k               1 if DPOP's penalty is active at t_k, else 0. Level completion: log pi(y_w|x) is below its value
                      under the reference, the same for all k. Level token: log pi(t_k|y_w^{<k}, x) is
    c                 the positive factor beta sigmoid(-beta (d - lambda p)), with d and p of ``pairgen.train.losses``

(4) d log s_i / d theta_j = 1{i=j} - s_j. Since a loss is a function of log-probs, it follows that at every position,

    dL/dtheta_kj = -c [(1 + lambda a_k) (1{j=t_k} - s^w_kj) - (1{j=t'_k} - s^l_kj)]

with lambda = 0 for DPO, and with DPOP's penalty inside the sigmoid. The paper's equations are its cases:

(2), (5)   DPO, k > m:              [..] = s^l_kj - s^w_kj. The same for k < m, where it is 0
           DPO, k = m:              [..] = 1{j=t_m} - 1{j=t'_m}: the probabilities cancel
(B.2)      DPOP, a_k = 1, k != m:   [..] = lambda (1 - s^w_kj) + s^l_kj - s^w_kj    for j = t_k
                                           s^l_kj - (lambda + 1) s^w_kj             for other j
           DPOP, a_k = 1, k < m:    [..] = lambda (1{j=t_k} - s^w_kj): unlike in DPO, tokens before the edit count

A step of gradient descent raises logit j at position k if [..] > 0. For t_k after the edit, that is s^l_k > s^w_k under
DPO, and the paper assumes the opposite of a model after SFT. Under DPOP it is lambda > (s^w_k - s^l_k) / (1 - s^w_k), a
bound that grows without limit as s^w_k approaches 1, so that "a large enough choice of lambda" depends on the token.
All this is about logits as variables of their own. In chosen's own context, DPO raises t_k everywhere, by
c (1 - s^w_k); it can fall only because the same weights serve other contexts, too: ``steps.py``.

Misprints. Section 4, gradient of DPOP, left-hand side: ``- lambda log pi(t_k|..)`` should be ``+``, as in B.2. Section
4, penalty in the text: a ratio of logarithms instead of the logarithm of a ratio. Section 4, implicit reward of y_l:
lacks a logarithm. Section 3: ``y^{<k}`` of token t_i should be ``y^{<i}``. Section 4 derives with the condition of
level completion, pi_ratio(y_w|x) < 1, and B.2 with a maximum at each token: level token; they differ in a_k. Section 4
cites B.1 for its derivation, which is in B.2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pairgen.errors import UsageError
from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LOSSES
from pairgen.train.model.scorer import Scorer, logit_softcap
from pairgen.train.scores.pair_logps import PairLogps

ROUNDING = 1e-12
"""Relative rounding error of log-probs in float64, up to which equal models count as equal (``PairLogps.rounding``)."""


@dataclass(frozen=True)
class PairLogits:
    """A pair with completions of K tokens each, and a policy's logits in its C contexts, of V tokens."""

    logits: Tensor
    """[C, V] float64, soft-capped if the model's are: the input of the softmax."""
    context: Tensor
    """[2, K] int64: for each token of chosen and of rejected, the row of ``logits`` that predicts it. In a token tree
    both have one row for the tokens before the edit and the first token of the edit."""
    tokens: Tensor
    """[2, K] int64 token ids."""
    edit: tuple[int, int]
    """First and, exclusive, last position of the edit: m and n."""
    reference: Tensor
    """[2, K] float64 log-prob of each token under the reference model."""

    def logps(self, logits: Tensor) -> PairLogps:
        """Log-probs of the pair as a function of its logits."""
        policy = logits.log_softmax(-1)[self.context, self.tokens]
        edit = torch.tensor([self.edit, self.edit], device=logits.device)
        mask = torch.ones_like(self.tokens, dtype=torch.bool)
        return PairLogps(policy, self.reference, mask, edit, rounding=ROUNDING)


@dataclass(frozen=True)
class LaidOut:
    """A pair laid out for a model, with the reference's log-probs."""

    batch: Batch
    reference: Tensor
    """[2, K] float64."""

    def logits(self, policy: Scorer) -> PairLogits:
        """A policy's logits in the contexts of the pair, of one pass over its token tree."""
        batch, causal = self.batch, policy.causal
        head, cap = causal.get_output_embeddings(), logit_softcap(causal.config)
        _, context = batch.label_positions.unique(return_inverse=True)
        rows = torch.arange(int(context.max()) + 1, device=context.device)
        first = (context == rows[:, None]).byte().argmax(1)  # a context predicts two tokens at the fork of the tree
        with torch.no_grad():
            logits = torch.nn.functional.linear(policy.label_states(batch)[first], head.weight, head.bias)
            logits = (logits / cap).tanh() * cap if cap else logits
        index = batch.completion_index
        start, stop = batch.edit[0].tolist()
        return PairLogits(logits, context[index], batch.targets[index], (start, stop), self.reference)

    def loss(self, policy: Scorer, config: Config) -> Tensor:
        """[] the loss of the pair, with the gradient of training."""
        logps = PairLogps(
            policy=self.batch.completions(policy(self.batch)),
            reference=self.reference,
            mask=self.batch.mask,
            edit=self.batch.edit,
            rounding=ROUNDING,
        )
        return LOSSES[config.loss].function(logps, config).sum()


def aligned_pairs(groups: Sequence[TokenGroup]) -> list[TokenGroup]:
    """The pairs of groups whose two completions have the same number of tokens, each as a group of its own.

    Their tokens correspond to each other one to one, as the equations require.
    """
    pairs = (group.select([at]) for group in groups for at in range(group.pairs))
    return [pair for pair in pairs if len(pair.completions[0]) == len(pair.completions[1])]


def lay_out(
    reference: Scorer, pairs: Sequence[TokenGroup], layout: Callable[[Sequence[TokenGroup]], Batch]
) -> list[LaidOut]:
    """Lay pairs out, one by one, and score them with the reference.

    Args:
        reference: of a model in float64.
        pairs: those of ``aligned_pairs``.
        layout: of ``exact_layout``.

    Raises:
        UsageError: the model is not in float64, in which alone the equations can be told from rounding.
    """
    if reference.causal.get_output_embeddings().weight.dtype != torch.float64:
        raise UsageError("gradients of logits are compared in float64; convert the model with .double()")
    found = []
    for pair in pairs:
        batch = layout([pair])
        with torch.no_grad():
            found.append(LaidOut(batch, batch.completions(reference(batch))))
    return found


# ---------------------------------------------------------------- gradients by position


def by_autograd(pair: PairLogits, config: Config) -> Tensor:
    """[K, V] dL/dtheta_kj of the loss of ``LOSSES``, summed over the contexts of each position."""
    gradient = _of_contexts(pair, config)
    chosen, rejected = pair.context
    return gradient[chosen] + gradient[rejected].where((chosen != rejected)[:, None], 0)


def in_chosen_context(pair: PairLogits, config: Config) -> Tensor:
    """[K] the derivative of the loss by the logit of t_k in chosen's context alone, by autograd."""
    return _of_contexts(pair, config)[pair.context[0], pair.tokens[0]]


def _of_contexts(pair: PairLogits, config: Config) -> Tensor:
    logits = pair.logits.clone().requires_grad_()
    loss = LOSSES[config.loss].function(pair.logps(logits), config).sum()
    return torch.autograd.grad(loss, logits)[0]


class Weights(NamedTuple):
    """The factors of the equations."""

    factor: float
    """c."""
    active: Tensor
    """[K] bool, a_k."""


def weights(pair: PairLogits, config: Config) -> Weights:
    """c and a_k of a pair.

    Raises:
        UsageError: the equations do not cover the loss.
    """
    if config.loss not in ("dpo", "dpop") or (config.loss, config.dpop_form) == ("dpop", "outside"):
        raise UsageError(f"the equations are those of dpo and of dpop inside the sigmoid, not of {config.loss}")
    above = pair.logps(pair.logits).policy - pair.reference
    margin = above[0].sum() - above[1].sum()
    if config.loss == "dpo":
        return Weights(_factor(margin, config.beta), torch.zeros_like(above[0], dtype=torch.bool))
    fall, reference = -above[0], pair.reference[0]
    if config.dpop_level == "completion":
        fall, reference = fall.sum(0, keepdim=True), reference.sum(0, keepdim=True)
    active = fall > ROUNDING * reference.abs().clamp(min=1)
    penalty = fall[active].sum()
    return Weights(_factor(margin - config.dpop_lambda * penalty, config.beta), active.expand(len(above[0])))


def _factor(value: Tensor, beta: float) -> float:
    return beta * float((-beta * value).sigmoid())


def by_equations(pair: PairLogits, config: Config) -> Tensor:
    """[K, V] dL/dtheta_kj by the equations of the paper, restated at the top of this file."""
    factor, active = weights(pair, config)
    probs = pair.logits.softmax(-1)
    chosen, rejected = (
        torch.nn.functional.one_hot(tokens, probs.shape[1]) - probs[context]
        for tokens, context in zip(pair.tokens, pair.context, strict=True)
    )
    return -factor * ((1 + config.dpop_lambda * active)[:, None] * chosen - rejected)


def sufficient_lambda(pair: PairLogits) -> Tensor:
    """[K] the lambda above which, at an active penalty, a step raises the logit of t_k; for tokens outside the edit.

    From B.2, (s^w - s^l) / (1 - s^w); at most 0 where DPO's step raises it, too.
    """
    of_chosen, of_rejected = pair.logits.softmax(-1)[pair.context, pair.tokens]
    return (of_chosen - of_rejected) / (1 - of_chosen)
