"""Studies: experiments of many training runs, each a small file, with their reports.

To add one, write a module with a ``Study`` named ``STUDY``, and enter it in ``STUDIES``. ``running`` holds what studies
share: scales, datasets, runs and measurements.
"""

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pairgen.studies.running.plan import Study


class Entry(NamedTuple):
    """A study in the table."""

    module: str
    """Imported when the study is run."""
    about: str
    """What it compares, in a few words."""


STUDIES = {
    "loss-comparison": Entry("pairgen.studies.loss_comparison", "what losses do to chosen"),
    "token-position": Entry("pairgen.studies.token_position", "which tokens become less likely"),
    "beta": Entry("pairgen.studies.beta", "DPO and DPOP by beta"),
    "lambda": Entry("pairgen.studies.penalty", "DPOP by lambda, form and level"),
    "edit-distance": Entry("pairgen.studies.edit_distance", "whether edit distance or CHES predicts the fall"),
    "shortcut": Entry("pairgen.studies.later_use.used_again", "whether training teaches arithmetic or a shortcut"),
    "gradient": Entry("pairgen.studies.logits.gradient", "the paper's equations on a model's logits"),
}


def load(name: str) -> "Study":
    """A study by name."""
    study: Study = importlib.import_module(STUDIES[name].module).STUDY
    return study
