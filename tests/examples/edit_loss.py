"""A loss added from outside the package: DPO over the tokens of the edit only.

python tests/examples/edit_loss.py train pairs --loss edit-dpo --out run
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from pairgen.cli import main
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES, Loss
from pairgen.train.scores.pair_logps import PairLogps


def edit_dpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * d), with d summed over the tokens of the edit.

    Tokens before the edit cancel in DPO's d anyway; this leaves out those after it, too.
    """
    chosen, rejected = ((logps.policy - logps.reference_tokens) * logps.at_edit).sum(1).chunk(2)
    return -logsigmoid(config.beta * (chosen - rejected))


LOSSES["edit-dpo"] = Loss(edit_dpo, "DPO over the tokens of the edit")

if __name__ == "__main__":
    main()
