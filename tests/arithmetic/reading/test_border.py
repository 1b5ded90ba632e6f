"""A calculation is not verified if something before it, or a unit in it, was not understood."""

import pytest
import sympy
from helpers.checked import checked
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.labels import REASONS

# Each before `{a} + {b}`; the sum is stated without it.
MISREAD = [
    *("√", "∛", "√ ", "∑ ", "±", "Δ", "π · ", "θ ", "- ", "− ", "17 % ", "#", "3 - ", "5 ^ ", "100:", "3 : ", "12:"),
    *(f"{function} " for function in ("cos", "sin", "tan", "log", "ln", "sqrt", "square root of", "cube root of")),
    *("twice ", "Twice the ", "thrice ", "Double ", "triple ", "half ", "negative ", "minus ", "the opposite of "),
    *("17 mod ", "17 modulo ", "5 choose ", "2 to the power of ", "2 to the ", "the square of ", "the cube of "),
    *("a fifth of ", "two-thirds of ", "a quarter of the ", "20% of ", "15% off ", "20 percent of "),
    *("average of ", "the mean of ", "the sum of 3 and ", "the average of 3, 4 and ", "the ratio of 3 to "),
    *("5 more than ", "three less than ", "twice as much as ", "10 increased by ", "10 apples divided equally by "),
    *(
        "10 added to ",
        "10 subtracted from ",
        "3 out of ",
        "100 less ",
        "3 dozen and a ",
        "2 and a half times ",
        "one hundred ",
    ),
    *("the larger of 3 and ", "the sum of squares ", "the average: "),
    *("2e", "1E", "x_", "a", "log2 ", "f(2) - "),
]
UNDERSTOOD = [
    *("", "So ", "There are ", "She has ", "in total ", "for a total of ", "Ann's ", "$", "costs $", "(", "is ("),
    *("1. ", "2) ", "- ", "* ", "• ", "Step 3: ", "Day 2: ", "After 2 hours, ", "In 2 days he eats ", "→ ", "∴ ", "“"),
    *(
        "the sum of ",
        "a total sum of ",
        "the two of them: ",
        "the second half ",
        "carried off ",
        "a maximum of ",
        "= 5\n",
    ),
]


@pytest.mark.parametrize("before", MISREAD)
@given(first=st.integers(2, 99), second=st.integers(2, 99))
def test_what_is_not_understood_before_a_calculation_keeps_it_unverified(before: str, first: int, second: int) -> None:
    text = f"It is {before}{first} + {second} = {first + second} in all."
    for literal, check in checked(text):
        assert literal != str(first + second) or check in REASONS, check


@pytest.mark.parametrize("before", UNDERSTOOD)
@given(first=st.integers(2, 99), second=st.integers(2, 99))
def test_what_is_understood_before_a_calculation_lets_it_be_verified(before: str, first: int, second: int) -> None:
    expression = f"{first} + {second}"
    assert checked(f"{before}{expression} = {first + second}") == [(str(first + second), expression)]


@pytest.mark.parametrize("before", [before for before in MISREAD if before.endswith(" ")])
@pytest.mark.parametrize(("opening", "closing"), [("$", "$"), (r"\(", r"\)"), ("\\[", "\\]"), ("$$", "$$")])
@given(first=st.integers(2, 99), second=st.integers(2, 99))
def test_what_is_not_understood_before_a_formula_keeps_it_unverified(
    before: str, opening: str, closing: str, first: int, second: int
) -> None:
    text = rf"It is {before}{opening}{first} + {second} = {first + second}{closing}, that is, $2 \cdot 3$."
    assert all(check in REASONS for _, check in checked(text))


@pytest.mark.parametrize("before", [before for before in UNDERSTOOD if before != "= 5\n"])
@given(first=st.integers(2, 99), second=st.integers(2, 99))
def test_what_is_understood_before_a_formula_lets_it_be_verified(before: str, first: int, second: int) -> None:
    text = rf"With $a \cdot b$: {before}$\,{first} + {second} = {first + second}$."
    assert checked(text) == [(str(first + second), f"{first} + {second}")]


@pytest.mark.parametrize(
    "text",
    [
        # letters behind numbers are factors, not units
        *("24b^2 - 40b = 536", "4x - 2x = 2", "9 - 16k^2 = 7", "10 + 4ac = 14", "(3m + 1)(2n + 1) = 12", "1:2^2 = 4"),
        # units that cannot be added as they are
        *(
            r"1 \text{ km} + 500 \text{ m} = 501",
            r"3 \text{ dozen} + 4 = 7",
            r"2\text{ million} + 1 = 3",
            r"1\mathrm{h} + 30\mathrm{min} = 31",
            r"3 \text{ squared} + 4 = 7",
            r"3\text{ ft} - 2\text{ in} = 1",
        ),
        # a sum that begins in the row above
        r"\begin{align*} 3 + 4 \\ + 5 + 1 &= 6 \end{align*}",
    ],
)
def test_misreadings_of_formulas_are_not_verified(text: str) -> None:
    assert all(check in REASONS for _, check in checked(rf"It is ${text}$, not $2 \cdot 1$."))
    assert all(check in REASONS for _, check in checked(rf"It is \[{text}.\] It was $2 \cdot 1$."))


@pytest.mark.parametrize("text", ["15x kg/day * 5 days = 75", "It is 2p * 3 = 6", "7 z - 2 = 5"])
def test_a_letter_behind_a_number_is_no_unit(text: str) -> None:
    assert all(check in REASONS for _, check in checked(text))


@pytest.mark.parametrize(
    "text",
    [
        # units that cannot be added as they are, and quantities of two units
        *("1 km + 500 m = 501 m", "1 hour + 30 minutes = 31 minutes", "3 feet + 2 inches = 5", "5 ft - 2 in = 3 in"),
        *("$5 + 30 cents = 35", "5 dollars + 30 cents = 35", "3 dozen + 4 = 7", "2 million + 1 = 3", "5k + 3 = 8"),
        *("2p + 3q = 5", "3x + 3y - 3z - 3 = 0", "It is 5 lb 3 oz + 2 oz = 5 oz", "6 ft 2 in + 3 in = 5 in"),
        *(
            "2 hours 20 minutes + 10 minutes = 30",
            "2 hours and 20 minutes + 10 minutes = 30 minutes",
            "2h 20min + 10min = 30",
        ),
        # words behind a number, functions, powers
        *(
            "5 squared + 3 = 8",
            "5 cubed + 3 = 8",
            "3! + 1 = 4",
            "C(5,2) + 1 = 3",
            "cos(60) + 1 = 61",
            "log(100) + 1 = 101",
        ),
        *(
            "gcd(12, 18) + 1 = 19",
            "2² + 1 = 3",
            "2³ * 2 = 4",
            "(2 + 3)² = 5",
            "5² - 3² = 2",
            "10⁻² + 1 = 11",
            "3rd + 2 = 5",
        ),
        # percentages, clock times, comparisons
        *("20 percent * 50 = 1000", "20 per cent of 50 = 1000", "12:00 + 1 hour = 1", "At 9:30 + 45 minutes = 75"),
        *("It is 11 a.m. + 1 hour = 12", "It must be that 3 + 4 >= 7 here", "3 + 4 != 7", "3 + 4 <= 7", "3 + 4 ~= 7"),
        *("3 + 4 is greater than or equal to 7", "3 + 4 is not equal to 7", "60% of 50 = 30% of 100"),
    ],
)
def test_misreadings_are_not_verified(text: str) -> None:
    assert all(check in REASONS for _, check in checked(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The area is 2² + 1 = 5 cm².", [("5", "2**2 + 1")]),
        ("(2 + 3)² = 25", [("25", "(2 + 3)**2")]),
        ("x = 3, so x² + 1 = 10", [("10", "3**2 + 1")]),
        ("3 m² + 4 m² = 7 m²", [("7", "3 + 4")]),
        ("3 km + 4 km = 7 km", [("7", "3 + 4")]),
        ("2 hours * 60 minutes + 20 minutes = 140", [("140", "2*60 + 20")]),
        ("8 nickels + 2 dimes = 10 coins", [("10", "8 + 2")]),
        ("20 percent of 50 = 10", [("10", "(20/100)*50")]),
        ("100 percent - 40 percent = 60 percent", [("60", "100*((100/100) - (40/100))")]),
        ("y = - 3 + 4 = 1", [("1", "-3 + 4")]),
        ("an average of 300 / 3 = 100", [("100", "300 / 3")]),
        (r"an average of $\frac{4 + 6}{2} = 5$", [("5", "((4 + 6)/2)")]),
        (r"It is $3 \text{ cm} + 4 \text{ cm} = 7$ cm.", [("7", "3 + 4")]),
        (r"We know $f(6) = 12,$ $6 + 3 = 9,$ \[9 \cdot 2 = 18.\]", [("9", "6 + 3"), ("18", "9*2")]),
        (r"We buy 3 pens + 4 pens = 7 pens for $2 \cdot 7 = 14$.", [("7", "3 + 4"), ("14", "2*7")]),
        ("5 g * 3 + 2 g = 17 g", [("17", "5*3 + 2")]),
    ],
)
def test_what_is_read_rightly(text: str, expected: list[tuple[str, str]]) -> None:
    results = [(literal, check.replace(" * ", "*")) for literal, check in checked(text) if check not in REASONS]
    assert results == expected


@pytest.mark.parametrize(
    "text", ["05 + 3 = 8", "007 * 3 = 21", "1,005 + 00.5 = 1005.5", "a sum (05 + 3)² = 64", "$05 \\cdot 3 = 15$"]
)
def test_expressions_have_no_leading_zeros(text: str) -> None:
    ((literal, expression),) = checked(text)
    assert sympy.sympify(expression, rational=True) == sympy.sympify(literal, rational=True)
