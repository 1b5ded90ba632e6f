"""Dataset builders: one file per dataset, and the table ``BUILDERS``, to which others can be added."""

from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.builders import arc, gsm8k, hellaswag, metamath
from pairgen.builders.interface import Builder

BUILDERS: dict[str, Builder] = {
    "metamath": metamath.BUILDER,
    "gsm8k": gsm8k.BUILDER,
    "arc": arc.BUILDER,
    "hellaswag": hellaswag.BUILDER,
}

__all__ = ["BUILDERS", "CORRUPTIONS", "Builder"]
