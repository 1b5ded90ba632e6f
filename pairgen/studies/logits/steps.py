"""What a step of AdamW, down or up the gradient of a pair's loss, does to the log-probs of that pair and of another.

Equations for logits treat each logit as a variable of its own. Weights serve all contexts, so what a step does to a
token has two parts. One depends on the direction: it changes sign with the step, and for short steps it is all there
is. The other does not: a model that was fitted to its data gives it a higher likelihood than most models around it, so
that a step that is long enough lowers it, wherever it leads. The mean of the changes by a step down and by a step up is
the second part, half their difference the first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pairgen.studies.logits.equations import LaidOut
from pairgen.train.config import Config
from pairgen.train.layout.batch import Batch
from pairgen.train.model.scorer import Scorer

EPSILON = 1e-8
"""AdamW's: much smaller gradients move their weight by less than the learning rate."""


class Changes(NamedTuple):
    """Changes of the log-probs of one pair, [2, K] in nats, for chosen and rejected."""

    down: Tensor
    """By a step down the gradient of the loss, as in training."""
    up: Tensor
    """By the opposite step."""


def step_changes(
    policy: Scorer, pair: LaidOut, config: Config, learning_rate: float, others: Sequence[Batch] = ()
) -> list[Changes]:
    """The changes of log-probs by the first step of AdamW on a pair, which moves weights by about the learning rate.

    Args:
        policy: its weights are restored.
        others: batches of one pair each, on which the step was not made.

    Returns:
        The changes for the pair itself, then for each of ``others``.
    """
    batches = [pair.batch, *others]
    weights = [weight for weight in policy.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(pair.loss(policy, config), weights, allow_unused=True, materialize_grads=True)
    start = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def scores(rate: float) -> list[Tensor]:
        for weight, at, gradient in zip(weights, start, gradients, strict=True):
            weight.copy_(at - rate * gradient / (gradient.abs() + EPSILON))
        return [batch.completions(policy(batch)) for batch in batches]

    down, up, before = (scores(rate) for rate in (learning_rate, -learning_rate, 0))
    return [Changes(one - base, other - base) for one, other, base in zip(down, up, before, strict=True)]
