"""Studies: experiments of many training runs, each a small file, with their reports.

To add one, write a module with a ``Study`` named ``STUDY``, and enter it in ``STUDIES``. ``running`` holds what studies
share: scales, datasets, runs and measurements.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pairgen.studies.running.plan import Study

STUDIES = {
    "loss-comparison": "pairgen.studies.loss_comparison",
    "token-position": "pairgen.studies.token_position",
    "beta": "pairgen.studies.beta",
    "lambda": "pairgen.studies.penalty",
    "edit-distance": "pairgen.studies.edit_distance",
    "shortcut": "pairgen.studies.later_use.used_again",
    "gradient": "pairgen.studies.logits.gradient",
}
"""The module of each study, which is imported when it is run."""


def load(name: str) -> "Study":
    """A study by name."""
    study: Study = importlib.import_module(STUDIES[name]).STUDY
    return study
