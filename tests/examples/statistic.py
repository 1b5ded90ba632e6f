"""A statistic added from outside the package: the length of the edit in chosen.

python tests/examples/statistic.py stats pairs
"""

import numpy as np
import pyarrow as pa

from pairgen.cli import main
from pairgen.stats import STATISTICS, Statistic


def edit_length(batch: pa.RecordBatch) -> np.ndarray:
    return batch["chosen_edit_stop"].to_numpy() - batch["edit_start"].to_numpy()


STATISTICS["edit_length"] = Statistic(
    "length of the edited span in chosen, in code points",
    "code points",
    ("edit_start", "chosen_edit_stop"),
    edit_length,
)

if __name__ == "__main__":
    main()
