"""No text makes the engine hang: each is processed within a generous time limit."""

import contextlib
import random
import time
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.claims.findings import findings
from pairgen.arithmetic.dependencies import uses
from pairgen.arithmetic.errors.changes import CannotCorrupt
from pairgen.arithmetic.errors.corrupt import corrupt
from pairgen.arithmetic.errors.kinds import ERRORS
from pairgen.arithmetic.errors.missteps import missteps
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.arithmetic.solution import Solution

BOUND = 5.0
"""Seconds; most of these texts take a hundredth of it."""

LONG = 100_000
"""Maximum length of a text that a builder accepts, in code points."""

TEXTS = {
    "digits": "1" * 1_000_000,
    "a result of digits": "1 + 1 = " + "1" * 1_000_000,
    "equals signs": "=" * LONG,
    "equals signs with numbers": "1=" * (LONG // 2),
    "one sum": "1 + " * (LONG // 4) + "= 2",
    "open brackets": "(" * LONG + " = 1",
    "brackets": "(" * (LONG // 2) + "1" + ")" * (LONG // 2) + " = 1",
    "words": "a " * (LONG // 2) + "= 1",
    "units": ("ab/" * 30 + "1 = 1 ") * 1_000,
    "numbers": "1 1 1 " * (LONG // 6) + "= 1",
    "values": "x = 1 " * (LONG // 6),
    "values below an equation": "2x + 3 = 9\n" + "x = 1\n" * (LONG // 6),
    "equations": "2x + 3 = 9\n" * (LONG // 11),
    "equations in latex": "\\ $2x + 3 = 9$\n" * (LONG // 15),
    "groups": "1,111" * (LONG // 5) + " = 1",
    "conversions": "60 minutes = 1 hour " * (LONG // 20),
    "annotations": "<<1+1=2>>2 " * (LONG // 11),
    "is": " is 1" * (LONG // 5),
    "3 is": "3 + 1 is 1 or 4 " * (LONG // 16),
    "open braces": "\\frac" + "{" * 10_000 + " = 1",
    "braces": "\\" + "{" * 10_000 + "1" + "}" * 10_000 + " = 1",
    "fractions": "\\frac{1}" * 5_000 + "{2} = 1",
    "nested fractions": "\\frac{1}{" * 5_000 + "2" + "}" * 5_000 + " = 1",
    "roots": "$" + "\\sqrt{2+" * 40 + "1" + "}" * 40 + " = 1$",
    "powers": "$9^{9^{9^{9}}} = 1$ and \\(9**9**9 = 1\\)",
    "plain powers": "9**9**9 = 1, 9^9^9 = 1, 2^-9999999999 = 1",
    "factorials": "$99! = 1, 20!! = 2, 20!^{20!} = 3, \\binom{9999}{20} = 1$",
    "long decimals": "$0." + "3" * 200 + " \\cdot 3 = 1$ and 1." + "0" * 200 + " = 1",
    "borders": "\\\\ & = 1" * (LONG // 8),
    "rows": "\\begin{align*}" + "&= 2 \\cdot 3 \\\\\n" * 6_000 + "\\end{align*}",
    "drawings": "[asy]" * (LONG // 5) + " 1 + 1 = 2",
    "code": "```" * (LONG // 3) + " 1 + 1 = 2",
    "latex numbers": "\\ " + "1{,}111" * (LONG // 7) + " = 1",
    "right sides": "$1 + 1 = " + "1 + " * (LONG // 4) + "x$ \\ ",
    "negated": "= - $1 " * (LONG // 7),
    "currency": "=" + "$" * LONG + "1",
    "spaces": "1 +" + " " * LONG + "1 =" + " " * LONG + "2",
    "newlines": "1 +" + "\n" * LONG + "1 = 2",
    "brackets with remarks": "1 (" + "a" * 60 + ") " * 1_000 + " + 1 = 2",
    "half": "half of " * (LONG // 8) + " 2 = 1",
    "boxed": "\\boxed{" * (LONG // 7) + "1",
    "boxed text": "\\boxed{" + "( , A" * (LONG // 5) + "1",
    "false results": "3*4=13 " * (LONG // 7),
    "chains": "1+1=" * (LONG // 4),
    "changing values": "x = 3\n2x = 7\n" * (LONG // 26),
    "steps": "Step " * (LONG // 5) + "4",
}


def run(text: str, corruption: str = "near") -> float:
    start = time.process_time()
    solution = Solution(text, len(text), (7, 1))
    with contextlib.suppress(CannotCorrupt):
        corrupt(solution, "What is 1 + 1?", RowRng("row", 0), corruption, 4)
    return time.process_time() - start


@pytest.mark.parametrize("name", TEXTS)
def test_audit_is_fast_on_hostile_text(name: str) -> None:
    start = time.process_time()
    findings(Solution(TEXTS[name][:LONG], len(TEXTS[name][:LONG])))
    assert time.process_time() - start < BOUND


@pytest.mark.parametrize("name", TEXTS)
def test_corrupt_is_fast_on_hostile_text(name: str) -> None:
    assert run(TEXTS[name]) < BOUND
    assert run("\\frac12 " + TEXTS[name]) < BOUND


CALCULATIONS = {
    "sentences": "He has 12 * 5 = 60 pens. " * (LONG // 25),
    "sums": "3 + 4 + 5 + 6 + 7 = 25. " * (LONG // 25),
    "operands": "3 aa bb cc dd * 4 aa bb-cc = 12 " * (LONG // 32),
    "lines": "\n".join(f"{number} * 5 = {5 * number} pens." for number in range(100, 4000)),
    "one line": ", ".join(f"{number} * 5 = {5 * number} pens" for number in range(100, 4000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [name for name, kind in ERRORS.items() if kind.rewrite])
@pytest.mark.parametrize("name", [*CALCULATIONS, "annotations", "units", "words"])
def test_wrong_steps_are_found_fast(name: str, kind: str) -> None:
    text = {**TEXTS, **CALCULATIONS}[name]
    start = time.process_time()
    for carry in ("none", "answer"):
        with contextlib.suppress(CannotCorrupt):
            solution = Solution(text, len(text), (7, 1))
            list(islice(missteps(solution, "What are 3, 4, 5 and 12?", RowRng("row", 0), kind, carry), 4))
    assert time.process_time() - start < BOUND


@pytest.mark.parametrize("name", [*CALCULATIONS, "annotations", "values"])
def test_uses_are_found_fast(name: str) -> None:
    text = {**TEXTS, **CALCULATIONS}[name]
    start = time.process_time()
    uses(Solution(text, len(text), (7, 1)), "What is 12?")
    assert time.process_time() - start < BOUND


PIECES = [
    *[
        "=",
        " = ",
        "==",
        "&=",
        "1",
        "23",
        "4.5",
        "1,000",
        "1 1/2",
        "1/2",
        "x",
        "2x",
        "$",
        "%",
        "+",
        "-",
        "*",
        "/",
        "^",
        "**",
    ],
    *[
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "\\frac",
        "\\dfrac12",
        "\\sqrt",
        "\\cdot",
        "\\boxed{",
        "\\text{ a}",
        "\\\\",
        "\\binom",
    ],
    *[
        "!",
        "_",
        "\\pi",
        "\\left(",
        "\\right)",
        ",",
        ".",
        " ",
        "\n",
        " of ",
        " times ",
        " equals ",
        " is ",
        " or ",
        "half",
    ],
    *[
        "minutes",
        "hours",
        " pens/box",
        "-ounce",
        "[asy]",
        "[/asy]",
        "```",
        "<<",
        ">>",
        "½",
        "€",
        "−",
        "é",
        "\u202e",
        "#### ",
    ],
]


@given(st.lists(st.sampled_from(PIECES), max_size=80), st.sampled_from(sorted(CORRUPTIONS)))
@settings(deadline=None)
def test_corrupt_terminates_on_mixed_pieces(pieces: list[str], corruption: str) -> None:
    assert run("".join(pieces), corruption) < BOUND


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_corrupt_terminates_on_long_mixed_pieces(seed: int) -> None:
    """Few pieces, repeated often, in random order: the worst case for backtracking patterns."""
    source = random.Random(seed)
    few = source.sample(PIECES, source.randint(1, 6))
    text = "".join(source.choice(few) for _ in range(20_000))
    assert run(text, source.choice(sorted(CORRUPTIONS))) < BOUND
