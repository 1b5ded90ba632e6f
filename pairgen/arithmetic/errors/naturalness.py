"""How often numbers of each form are results of calculations, so that wrong values look like right ones.

Right results are rounder, and smaller in their first digit, than numbers drawn evenly: a model could tell wrong values
by that alone. The shares are those of the 22,806 positive integer results in the marks of GSM8K's training set.
"""

from itertools import accumulate

TRAILING_ZEROS = {
    1: (1.0,),
    2: (0.654, 0.346),
    3: (0.288, 0.450, 0.262),
    4: (0.114, 0.218, 0.416, 0.253),
    5: (0.036, 0.077, 0.222, 0.429, 0.236),
    6: (0.013, 0.040, 0.047, 0.349, 0.369, 0.182),
}
"""By number of digits: the share of numbers that end in 0, 1, 2, ... zeros."""

FIRST_DIGIT = (0, 0.292, 0.179, 0.126, 0.107, 0.069, 0.085, 0.044, 0.055, 0.042)
"""The share of numbers that begin with each digit."""

LAST_DIGIT = (0, 0.060, 0.186, 0.047, 0.147, 0.213, 0.139, 0.045, 0.130, 0.033)
"""The share of each digit as the last one before trailing zeros, in numbers of two such digits or more."""

INNER_DIGIT = (0.430, 0.045, 0.118, 0.037, 0.079, 0.094, 0.070, 0.035, 0.065, 0.027)
"""The share of each digit between the first and the last one."""

SMALL = (0, 6, 22, 22, 29, 24, 33, 13, 26, 16, 32, 8, 28, 6, 12, 24, 15)
"""Of 1,000 numbers, how many are 1, 2, ..., 16."""

_SCALE = 1 << 32
_ZEROS = {
    digits: [int(bound * _SCALE / sum(shares)) for bound in accumulate(shares)]
    for digits, shares in TRAILING_ZEROS.items()
}


def trailing_zeros(digits: int, bits: int) -> int:
    """A number of trailing zeros for a number of so many digits, drawn by its share.

    Args:
        bits: random bits, of which the lower 32 are used.
    """
    more = max(digits - max(_ZEROS), 0)  # of longer numbers, only the end is longer
    bounds, point = _ZEROS[digits - more], bits & (_SCALE - 1)
    return more + next((zeros for zeros, bound in enumerate(bounds) if point < bound), digits - more - 1)
