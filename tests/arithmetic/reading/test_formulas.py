"""Results in LaTeX: their positions, and the calculation that verifies each."""

import contextlib

import pytest
from helpers.checked import checked
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.labels import (
    CIRCULAR,
    NO_MATCH,
    NO_VALUE,
    NOT_EXACT,
    OTHER_VALUE,
    STATED,
    UNSUPPORTED,
    Unverified,
)
from pairgen.arithmetic.solution import Solution


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"We get $\frac{3}{4}\cdot 12 = 9.$", [("9", "(3/4)*12")]),
        (r"so $\frac 12\times 9=\boxed{4.5}$ pounds", [("4.5", "(1/2)*9")]),
        (r"\[59+49+42-20-29-31+12 = 82\]", [("82", "59 + 49 + 42 - 20 - 29 - 31 + 12")]),
        (r"$100 \times 40 \times 37 = 148{,}000 \text{ cm}^3$", [("148{,}000", "100*40*37")]),
        (r"$25^3=\boxed{15,\!625}$ ways", [(r"15,\!625", "25**3")]),
        (r"$\dfrac{6}{36} = \boxed{\dfrac{1}{6}}$", [(r"\dfrac{1}{6}", "(6/36)")]),
        (r"$540^\circ/5 = 108^\circ$", [("108", "540/5")]),
        (r"$\$1.50\cdot 4 = \$6$", [("6", "1.50*4")]),
        (r"$30\% \cdot 50 = 15$ and $1/4 = 25\%$", [("15", "(30/100)*50"), ("25", "100*(1/4)")]),
        (r"$\sqrt{(5-3)^2 + (7-4)^2 + 3} = 4$", [("4", "sqrt((5 - 3)**2 + (7 - 4)**2 + 3)")]),
        (r"$\binom{6}{2} = 15$ and $4! = 24$", [("15", "((6*5)/(1*2))"), ("24", "(1*2*3*4)")]),
        (r"$2 - \frac12 = 1\frac{1}{2}$", [(r"1\frac{1}{2}", "2 - (1/2)")]),
        (r"$\left(\frac12\right)^3 = \frac18$", [(r"\frac18", "(1/2)**3")]),
        (r"\((-5)(4) = -20\) and \(3 - 5 = -2\)", [("20", "-((-5)*4)"), ("2", "-(3 - 5)")]),
        (r"$\sqrt[3]{27} = 3$", [("3", "27**(1/3)")]),
        # chains and rows
        (
            "\\begin{align*}\n3(2+5) &= 3 \\cdot 7 \\\\\n&= 21.\n\\end{align*}",
            [("7", "(3*(2 + 5))/(3*1)"), ("21", "3*7")],
        ),
        # one of several numbers on the right
        (r"$\sqrt{45} = 3\sqrt{5}$", [("3", "(sqrt(45))/(1*sqrt(5))")]),
        (r"$\frac{2}{3}\cdot 72\pi = 48\pi$", [("48", "((2/3)*72*pi)/(1*pi)")]),
        (r"\[5x - 4x + 3 + 8 = x + 11\]", [("11", "(5*11 - 4*11 + 3 + 8) - (11 + 0)")]),
        (
            r"$\sqrt{49}-5=32-2\cdot 15$",
            [
                ("32", "(sqrt(49) - 5) - (0 - 2*15)"),
                ("2", "((sqrt(49) - 5) - (32 - 0*15))/((32 - 1*15) - (32 - 0*15))"),
                ("15", "((sqrt(49) - 5) - (32 - 2*0))/((32 - 2*1) - (32 - 2*0))"),
            ],
        ),
        # equations
        (
            r"$2y + 6 = 12$, so $2y = 6$ and $y = 3$.",
            [("12", "2*3 + 6"), ("6", "2*3"), ("3", "6/2")],
        ),
        (r"\(12 = -2A,\) so \(A = -6\).", [("6", "-(12/(-2))")]),
        (r"$26 = A - 4$, so $A = 30$", [("30", "26 - (-4)")]),
        (r"$\frac{x}{2x} = \frac12$", [(r"\frac12", "(11/(2*11))")]),
        # unsupported expressions are not verified
        (r"\(f(2x) - 2f(x) = 0\)", [("0", UNSUPPORTED)]),
        (r"$\mathbf{A}^2 = \mathbf{0}$", []),
        (r"$\sin 30^\circ + 1 = 1.5$", [("1.5", UNSUPPORTED)]),
        (r"$\log_2 8 + 1 = 4$", [("4", UNSUPPORTED)]),
        (r"$x + y = 15$", [("15", NO_VALUE)]),
        (r"$2 + 2 = 5$", [("5", NO_MATCH)]),
        (r"$1 + 2 + \dots + 10 = 55$", [("55", UNSUPPORTED)]),
        (r"$\sqrt{2} + 1 = 2.41$", [("2.41", NOT_EXACT)]),
        # no results
        (r"$x = 5\overline{3}$ and $0.\overline{3} + 1 = 1.\overline{3}$", []),
        ("\\begin{array}{r}\n10x - x = 6&.666\\ldots \\\\ 2 + 3 = 5&.5\n\\end{array}", []),
        (r"\(12_5 + 1 = 13_5\) so \(4 = 2^{2}\)", []),
        ("[asy]\ndraw((0,0)--(1,2)); real x = 2 + 3 = 5;\n[/asy] \\(1 + 1 = 2\\)", [("2", "1 + 1")]),
        ("```\nx = 2 + 3 = 5\n``` $\\frac{4}{2} = 2$", [("2", "(4/2)")]),
        # plain sentences in between
        (r"It costs \$5 + \$6 = \$11. So $\frac{22}{2} = 11$.", [("11", "5 + 6"), ("11", "(22/2)")]),
    ],
)
def test_latex_results_and_their_calculations(text: str, expected: list[tuple[str, str]]) -> None:
    assert checked(text) == expected


def test_masked_keeps_positions() -> None:
    text = "[asy] draw(1 + 1 = 2); [/asy] $2 + 2 = 4$ [asy] never closed 3 + 3 = 6"
    solution = Solution(text + " \\ ", len(text))
    assert len(solution.visible) == len(solution.text)
    assert [text[step.start : step.stop] for step in solution.steps] == ["4"]


def test_check_rejects_assumed_and_superseded_values() -> None:
    assert checked(r"\(3x = 15.\) If \(x = 5\) then") == [("15", CIRCULAR), ("5", STATED)]
    assert checked(r"\(3x = 15,\) so \(x = 5,\) or \(x = 4\)")[1] == ("5", OTHER_VALUE)


def test_check_value_requires_earlier_equation() -> None:
    assert checked(r"Thus \(x = 5\).") == [("5", NO_VALUE)]
    assert checked(r"So \(x = \frac53\) and \(x = \frac53\).")[-1] == (r"\frac53", NO_VALUE), (
        "repeating a value does not verify it"
    )
    assert checked(r"\(3x = 16,\) so \(x = 5\).") == [("16", NO_MATCH), ("5", NO_MATCH)]


ALPHABET = [
    "\\frac",
    "\\sqrt",
    "{",
    "}",
    "=",
    "&",
    "\\\\",
    "$",
    "1",
    "23",
    "x",
    "^",
    "_",
    "+",
    "-",
    "\\boxed",
    "(",
    ")",
]


@given(
    st.lists(
        st.sampled_from([*ALPHABET, "\\cdot", "!", "\\%", ",", " ", "\n", "\\text{ a}", "\\left", "\\pi"]), max_size=60
    )
)
def test_latex_steps_are_within_text(pieces: list[str]) -> None:
    text = "\\ " + "".join(pieces)
    solution = Solution(text, len(text))
    for step in solution.steps:
        assert 0 <= step.start < step.stop <= len(text)
        with contextlib.suppress(Unverified):
            solution.check(step)
