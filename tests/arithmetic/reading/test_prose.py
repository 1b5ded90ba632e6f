"""Results in plain text: their positions, and the calculation that verifies each."""

import contextlib

import pytest
from helpers.checked import checked
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.labels import CIRCULAR, NO_MATCH, NO_VALUE, UNCLEAR, Unverified
from pairgen.arithmetic.solution import Solution


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They pack 48/2 = 24 jars.", [("24", "48/2")]),
        ("Together $25 + $15.20 + $6.80 = $47.", [("47", "25 + 15.20 + 6.80")]),
        ("So 3 x 4 = 12 and 3 × $1 = $3.", [("12", "3 * 4"), ("3", "3 * 1")]),
        ("That is $1,500 * 12 = $18,000 a year", [("18,000", "1500 * 12")]),
        ("It is 30% of 50 = 15.", [("15", "(30/100) * 50")]),
        ("100% - 30% = 70% are left", [("70", "100*((100/100) - (30/100))")]),
        ("(3/4)*12=9", [("9", "(3/4)*12")]),
        ("13(2)=26 and (2)(3) = 6", [("26", "13*(2)"), ("6", "(2)*(3)")]),
        ("3 boxes * 12 pens/box = 36 pens", [("36", "3 * 12")]),
        ("8 cars/set x 4 sets = 32 cars", [("32", "8 * 4")]),
        ("a 12-ounce cup * 3 = 36", [("36", "12 * 3")]),
        ("It costs $.50 * 4 = $2.", [("2", ".50 * 4")]),
        ("5 times 24 = 120", [("120", "5 * 24")]),
        ("1890€ + 10€ = 1900€", [("1900", "1890 + 10")]),
        ("10 – 4 = 6", [("6", "10 - 4")]),
        ("20 - (-3) = 23", [("23", "20 - (-3)")]),
        ("6/8 + 0 = 3/4", [("3/4", "6/8 + 0")]),
        ("there was a total of 4 * 6 = 24", [("24", "4 * 6")]),
        ("- 5 + 3 = 8 of them\n- 1 + 1 = 2", [("8", "5 + 3"), ("2", "1 + 1")]),
        ("in all (2 + (3 - 1) = 4) of them", [("4", "2 + (3 - 1)")]),
        # a chain: each equality is checked on its own, and an expression is not a result
        ("180 - 43 - 47 = 137 - 47 = 90", [("90", "137 - 47")]),
        ("2 * 3 = 6 = 5 + 1", [("6", "2 * 3")]),
        ("12 slices * 2 - 15 slices = 24 slices - 15 slices = 9 slices", [("9", "24 - 15")]),
        # long units and remarks
        ("52 weeks in a year - 2 weeks of holiday that Ada plans to take = 50", [("50", "52 - 2")]),
        ("$950 (before) + $250 (taken out) = $1200", [("1200", "950 + 250")]),
        ("1200 sq. ft. / 400 sq. ft. per can = 3 cans", [("3", "1200/400")]),
        ("2 * the 10 marbles that she lost = 20", [("20", "2*10")]),
        ("a total of 11 mules * 4 sacks of oats each = 44", [("44", "11*4")]),
        ("20 M&Ms / 2 = 10", [("10", "20/2")]),
        ("9\xa0+ 8 = 17 and (2/5)*500cm³ = 200cm³", [("17", "9 + 8"), ("200", "(2/5)*500")]),
        ("They have 12 + 5 +\n 3 = 20.", [("20", "12 + 5 + 3")]),
        ("10 * 1 1/2 = 15 and 2 - 1/2 = 1 1/2 cups", [("15", "10*(1 + 1/2)"), ("1 1/2", "2 - 1/2")]),
        ("$100 000 + $10 000 = $110,000", [("110,000", "100000 + 10000")]),
        ("180//3 = 60", [("60", "180/3")]),
        # words instead of an equals sign
        ("5 times 24 equals 120 eggs", [("120", "5 * 24")]),
        ("20 * 16, or 320 of them", [("320", "20 * 16")]),
        ("37 * 11 gives you 407.", [("407", "37 * 11")]),
        ("the price is 3 * 4, which equals $12", [("12", "3 * 4")]),
        ("3 * 4 is equal to 12", [("12", "3 * 4")]),
        ("Half of 318 is 159 and half of the 4 red pens are 2", [("159", "318/2"), ("2", "4/2")]),
        ("$240k of debt / 10 years = $24k per year", [("24", "240/10")]),
        ("half of 22 = 11", [("11", "(1/2)*22")]),
        ("48 times two equals 96", [("96", "48*2")]),
        # unit conversions
        ("300 minutes = 5 hours", [("5", "300/60")]),
        ("4.5 pounds of ham = 72 ounces", [("72", "4.5*16")]),
        ("22 yards = 67 feet", [("67", NO_MATCH)]),
        # equations: variables take the values that the solution ends with
        ("5x + 3 = 28\n5x = 25\nx = 5", [("28", "5*5 + 3"), ("25", "5*5"), ("5", "25/5")]),
        ("1.5 * $x = $120,000\nx = $80,000", [("120,000", CIRCULAR), ("80,000", "120000/(3/2)")]),
        ("(x/100)*16 = 4, so x = 25", [("4", CIRCULAR), ("25", "4/(4/25)")]),
        ("We get: - $8x = - $80\nx = 10", [("80", CIRCULAR), ("10", "(-80)/(-8)")]),
        ("25 / x = 5\nThe value of x is 5.", [("5", CIRCULAR)]),
        ("4K - 4 = 92\n4K = 96\nKim = 24", [("92", "4*24 - 4"), ("96", "4*24"), ("24", "96/4")]),
        ("20 + 2*(x + 4) = 2x + 28\nx = 3", [("28", "(20 + 2*(3 + 4)) - (2*3 + 0)"), ("3", NO_VALUE)]),
        ("n + 2n + n = 40", [("40", NO_VALUE)]),
        ("2 * 2S = 4S people", [("4", "(2*2*29)/(1*29)")]),
        ("6B = 92, so B = 15.33.", [("92", NO_MATCH), ("15.33", "92/6")]),
        ("So 2 * 45 = 90 shrimp / x here, 10 + 7 = 17 inches x 4 in all.", []),
        ("12 = -2A, so A = -6.", [("-6", "12/(-2)")]),
        ("$(-5)(4) = -20$ and $3 - 5 = -2$", [("-20", "(-5)*(4)"), ("-2", "3 - 5")]),
        ("5x - 4x + 3 + 8 = x + 11", [("11", "(5*11 - 4*11 + 3 + 8) - (11 + 0)")]),
        ("26 = A - 4, so A = 30", [("30", "26 - (-4)")]),
        # a side is computed on the next line
        ("so\n20 / 5 = Number of kids\n4 = Number of kids\n", [("4", "20 / 5")]),
        ("so\n100 * $1.5 = x + $50\n$150 = x + $50\n", [("150", "100 * 1.5")]),
        ("so\nCost per tile = $2400 / 200\nCost per tile = $12\n", [("12", "2400 / 200")]),
        ("so\n3600 km / 0.60 = x km.\n6000 km = x km.\n", [("6000", "3600 / 0.60")]),
        ("so\n20 / 5 = Number of kids\n4 = Number of cats\n", []),
        ("so\nmany 20 / 5 = kids\n4 = kids\n", []),
        ("so\n2x + 4 = y\n12 = y\n", []),
        # functions are not factors
        ("so f(x) - g(x) = 0, x = 6", []),
        ("f(2x) - 2f(x) = 0", []),
        ("2x(x + 1) = 12 and x = 2", [("12", CIRCULAR), ("2", NO_VALUE)]),
        # wrong, or not verifiable
        ("3 + 4 = 8", [("8", NO_MATCH)]),
        ("10/3 = 3.33, 10/3 = 3.34", [("3.33", "10/3"), ("3.34", NO_MATCH)]),
        ("half of 6 + 4 = 7", [("7", "(1/2)*6 + 4")]),
        ("a third of 6 * 2 = 4", [("4", UNCLEAR)]),
        ("2^2 * 3 = 12", [("12", "2**2*3")]),
        # no results at all
        ("x = 5", []),
        ("the price = $20", []),
        ("5 * 4 = 2(10)", []),
        ("3 + 4 = 75/x", []),
        ("3 + 4 = 16 * 47", []),
        ("3 + 4 = 2^3", []),
        ("-2x degrees / -2 = -4 degrees / -2 degrees", []),
        ("6:10 + 8 = 14:30", []),
        ("12_5 + 1 = 13_5 so 2 + 2 = 4x", []),
        ("[asy] real y = 2 + 3 = 5; [/asy] and ```z = 1 + 1 = 2```", []),
        ("3 + 4 = ", []),
        ("= 7", []),
        ("", []),
    ],
)
def test_prose_results_and_their_calculations(text: str, expected: list[tuple[str, str]]) -> None:
    assert checked(text) == expected


def test_values_default_to_answer_for_x() -> None:
    text = "We write 2x + 6 = 20."
    assert checked(text) == [("20", NO_VALUE)]
    assert checked(text, (7, 1)) == [("20", "2*7 + 6")]


def test_find_ignores_text_after_stop() -> None:
    text = "1 + 1 = 2\n#### 2 + 2 = 4"
    solution = Solution(text, text.index("####"))
    assert [text[step.start : step.stop] for step in solution.steps] == ["2"]


@given(
    st.integers(0, 99_999),
    st.sampled_from(["+", "-", "*", "/", "x", "×", "÷"]),
    st.integers(1, 99_999),
    st.sampled_from(["", "$", "€"]),
    st.sampled_from(["", " apples", " pens/box", " kg", "-ounce"]),
    st.sampled_from(["So ", "", "He has ", "\n", "which is (", "= 4 + 1 = 5, "]),
    st.booleans(),
)
def test_check_recomputes_generated_sentence(
    left: int, operator: str, right: int, currency: str, unit: str, before: str, commas: bool
) -> None:
    """A calculation put into a sentence is read back with its exact value, whatever surrounds it."""
    number = "{:,}" if commas else "{}"
    a, b = number.format(left), number.format(right)
    sign = {"x": "*", "×": "*", "÷": "/"}.get(operator, operator)
    value = evaluate_text(f"{left} {sign} {right}")
    assert value is not None
    result = f"{value[0]}/{value[1]}" if value[0] % value[1] else str(value[0] // value[1])
    text = f"{before}{currency}{a}{unit} {operator} {currency}{b} = {currency}{result} in all."
    solution = Solution(text, len(text))
    try:
        verification = solution.check(solution.steps[-1])
    except Unverified:
        assert "/" in result  # 50000/100000 is a division, not the fraction 1/2
    else:
        assert evaluate_text(verification.expression) is not None


@given(st.text(alphabet="0123456789=+-*/x().,% $abc\n€½²ß😀<>kK", max_size=200))
def test_prose_steps_are_ordered_and_within_text(text: str) -> None:
    solution = Solution(text, len(text))
    ends = 0
    for step in solution.steps:
        assert ends <= step.start < step.stop <= len(text), "in order, without overlap"
        ends = step.start
        with contextlib.suppress(Unverified):
            solution.check(step)
