"""A loss added from outside the package: DPO in which the tokens of the edit count twice.

python tests/examples/edit_loss.py train pairs --loss edit-dpo --out run
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from pairgen.cli import main
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES, Loss
from pairgen.train.scores.pair_logps import PairLogps


def edit_dpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * d), with d over the tokens that --loss-on counts, and those of the edit once more."""
    weight = logps.counted.double() + logps.at_edit
    chosen, rejected = ((logps.policy - logps.reference_tokens) * weight).sum(1).chunk(2)
    return -logsigmoid(config.beta * (chosen - rejected))


LOSSES["edit-dpo"] = Loss(edit_dpo, "DPO in which the tokens of the edit count twice")

if __name__ == "__main__":
    main()
