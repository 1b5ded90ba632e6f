"""What steps of the weights do to log-probs, against products of gradients."""

import pytest
import torch
from helpers.slow_trees import model_of
from helpers.token_groups import group
from torch import Tensor

from pairgen.studies.logits import steps
from pairgen.studies.logits.equations import LaidOut, lay_out
from pairgen.train.config import Config
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer

CONFIGS = {"dpo": Config(loss="dpo"), "dpop": Config(loss="dpop", dpop_level="token")}


def pairs() -> tuple[Scorer, list[LaidOut]]:
    groups = [
        group([1, 5, 9], [3, 4, 7, 8, 6, 2], [3, 4, 11, 8, 6, 2]),
        group([1, 8], [4, 10, 7, 2], [4, 12, 7, 2]),
    ]
    policy, reference = (Scorer(model_of("Llama", seed=seed)) for seed in (0, 1))
    return policy, lay_out(reference, groups, lambda chosen: tree_batch(chosen, 64))


@pytest.mark.parametrize("name", CONFIGS)
def test_short_steps_change_log_probs_by_products_of_gradients(name: str) -> None:
    """The slow twin: for each token, the gradient of its log-prob times the direction of the step."""
    policy, (pair, other) = pairs()
    config, rate = CONFIGS[name], 1e-6
    weights = list(policy.parameters())
    before = [weight.detach().clone() for weight in weights]
    found = steps.step_changes(policy, pair, config, rate, [other.batch])
    assert all(torch.equal(weight, start) for weight, start in zip(weights, before, strict=True)), "restored"

    def gradient(value: Tensor) -> Tensor:
        parts = torch.autograd.grad(value, weights, retain_graph=True)
        return torch.cat([part.flatten() for part in parts])

    direction = -gradient(pair.loss(policy, config))
    direction *= rate / (direction.abs() + 1e-8)
    for changes, batch in zip(found, (pair.batch, other.batch), strict=True):
        policies = batch.completions(policy(batch))
        rows = [[float(gradient(token) @ direction) for token in row] for row in policies]
        expected = torch.tensor(rows, dtype=torch.float64)
        assert expected.abs().max() > rate, "otherwise the tolerance shows nothing"
        torch.testing.assert_close((changes.down - changes.up) / 2, expected, rtol=1e-3, atol=1e-2 * rate)


def test_a_step_down_lowers_the_loss_and_a_step_up_raises_it() -> None:
    policy, (pair, _) = pairs()
    weights = list(policy.parameters())
    loss = pair.loss(policy, CONFIGS["dpo"])
    (changes,) = steps.step_changes(policy, pair, CONFIGS["dpo"], 1e-5)
    margins = [float((part[0] - part[1]).sum()) for part in (changes.down, changes.up)]
    assert margins[0] > 0 > margins[1]
    torch.testing.assert_close(pair.loss(policy, CONFIGS["dpo"]), loss)
    assert all(weight.grad is None for weight in weights)


def test_the_step_is_that_of_the_optimizer() -> None:
    """The slow twin: training's own optimizer, on a copy."""
    policy, (pair, _) = pairs()
    config = CONFIGS["dpop"]
    before = pair.batch.completions(policy(pair.batch)).detach()
    (changes,) = steps.step_changes(policy, pair, config, 1e-3)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3, weight_decay=0.0)
    pair.loss(policy, config).backward()
    optimizer.step()
    torch.testing.assert_close(changes.down, pair.batch.completions(policy(pair.batch)).detach() - before)
