"""Dataset builders: one file per dataset, two for rows of your own, and the table ``BUILDERS``, to which others can be
added.
"""

from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.builders import arc, gsm8k, hellaswag, metamath, own_choices, own_solutions
from pairgen.builders.interface import Builder

BUILDERS: dict[str, Builder] = {
    "metamath": metamath.BUILDER,
    "gsm8k": gsm8k.BUILDER,
    "arc": arc.BUILDER,
    "hellaswag": hellaswag.BUILDER,
    "solutions": own_solutions.BUILDER,
    "choices": own_choices.BUILDER,
}

__all__ = ["BUILDERS", "CORRUPTIONS", "Builder"]
