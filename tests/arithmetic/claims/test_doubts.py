"""Right claims that look wrong to a strict reader are not called false, and wrong ones like them still are."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairgen.arithmetic.claims.findings import findings
from pairgen.arithmetic.solution import Solution


def kinds_in(text: str) -> set[str]:
    return {finding.kind for finding in findings(Solution(text, len(text)))}


RIGHT = [
    # a mixed number and a fraction are each one value between spaced signs
    *("2 1/4 ÷ 3/4 = 3", "4 2/3 ÷ 1/3 = 14", "1 1/2 cups ÷ 1/4 cup per batch = 6", "4 1/2 miles ÷ 3/4 hour = 6"),
    # parts of a whole, another equals sign, a colon that divides
    *("9 out of 12 = 75%", "7 out of 10 = 7/10", "2 of 3 = 2/3", "4 × 2 != 9", "12 : 3 + 5 = 9"),
    *("30 minutes × $12/hour = $6", "2 m × 50 cm = 1 m²"),
]
DOUBTFUL = [
    # readings that are less usual
    r"Here \(4 \times 2 != 9\).",
    *("2.300 € + 400 € = 2.700 €", "8/2(1+3) = 1", "1-1/4 cups × 4 = 5 cups", "3-1/2 × 2 = 7"),
    # terms in two units, or in another unit than the result
    *("3 km - 200 m = 2800", "180 cm - 1 m = 80", "1 kg + 250 g = 1250", "$3 + 25¢ = $3.25", "2 L − 500 mL = 1500"),
    *("3 weeks + 2 = 23 days", "2 feet + 5 = 29 inches", "2 nickels + 3 = 13 cents", "$5 − 3 × 50 cents = $3.50"),
    *("2 tons - 300 kg = 1700 kg", "3 tens + 4 = 34", "2 pairs + 1 = 5 socks", "3 kg 500 g / 7 = 500 g"),
    # rates, areas, and results in two units
    *("45 min × 40 mph = 30 miles", "60 miles / 90 minutes = 40 mph"),
    *("4 ft × 6 in = 2 sq ft", "150 / 60 = 2 hours 30 minutes"),
    # labels
    *(
        "Figure 3 - 4 + 2 = 6",
        "Round 2 - 12 + 5 = 17",
        "Table 4 – 3 + 6 = 9",
        "Using equation (3) - (1) = 8, we go on.",
    ),
    *(
        "Tuesday 6 - 14 + 2 = 16",
        "July 8 - 9 + 2 = 11",
        "Box 2 + 3 = 40",
        "Team 3 + Team 4 = 51",
        "Gate 1 + gate 2 = 80",
    ),
    "Equation 4 - 2 = 9",
    # ranges
    *("From 2011-2014 = 4 seasons", "Ages 6-9 = 4 years", "12–15 = 3", "From 1990 - 1996 = 6 years"),
    # another arithmetic
    *(
        "In F_7, 5 + 4 = 2.",
        "Take remainders on division by 8: 7 + 5 = 4.",
        "XOR: 1 + 1 = 0",
        "Let a * b = a^2 + b. 2 * 5 = 9.",
    ),
    *("Here '+' means '×': 3 + 4 = 12.", "Say a + b means a times b: 3 + 5 = 15."),
    # refuted or quoted
    *(
        "A pupil wrote 1/3 + 1/4 = 2/7, which is wrong.",
        "Here 4 × 7 = 30 doesn't work.",
        "So 3 + 5 = 9, a contradiction.",
    ),
    *("You might think that 2 + 3 * 4 = 22, but no.", "That says 2 + 2 = 5, so there is no solution."),
    *(
        "He got 6 × 8 = 46 instead of 48.",
        "Above, 6 × 8 = 46. Let me correct that: 6 × 8 = 48.",
        "We find 1 + 1 = 3 is not true.",
    ),
    *(
        "Testing that: 4 + 5 = 8, false.",
        "The error: 4 + 5 = 8 there.",
        "This would mean 4 + 5 = 8.",
        "Try it: 4 + 5 = 8. No.",
    ),
    *("Then 4 + 5 = 8 ✗", "The units digit of 7 * 9 = 3.", "One might say 4 + 5 = 8.", "Adding (1) + (2) + (3) = 14"),
    *("I wrote 5 + 8 = 12 there.", "So 3 * 4 = 13. That is wrong.", "Moving a match turns 8 - 3 = 6 into 9 - 3 = 6."),
]
FALSE = [
    *(
        "In F_7, 5 + 4 = 3.",
        "Take remainders on division by 8: 7 + 5 = 3.",
        "The XOR is 5 + 1 = 7",
        "Let a * b = 12. 2 * 5 = 9.",
    ),
    *("2 1/4 ÷ 3/4 = 4", "9 out of 12 = 70%", "12.500 + 300 = 13", "8/2(1+3) = 5", "1-1/4 cups × 4 = 6 cups"),
    *("3 hours + 4 hours = 8 hours", "5 kg - 2 kg = 4 kg", "3 dozen + 2 dozen = 6 dozen", "64 mph × 3.5 h = 234 miles"),
    *("12 hours × 60 minutes/hour = 700 minutes", "$15/hour × 8 hours/day × 5 days = $650", "$3.50 + $2.75 = $6.15"),
    *("12 inches × 3 feet = 35 inches", "6 pages per day × 7 days = 44 pages", "30 seconds / 4 jumps per minute = 9"),
    *(
        "Total 3 + 4 = 8",
        "Ann has 3 + 4 = 8 pens",
        "We get the equation 3 + 4 = 8.",
        "On Monday 5 + 3 = 9 pens were sold.",
    ),
    *(
        r"The last two digits of $25 \times 5 = 126$.",
        "It leaves a remainder of 56 - 56 = 2.",
        "The units digit of 7 * 9 = 66.",
    ),
    *("9-5 = 8 hours", "He needs 10 - 14 = 3 more.", r"So $3-7 = 5$.", "She paid 40 + 5 = 55, which is not enough."),
    *(
        "She wrote 3 pages × 5 = 16 pages.",
        "It was 6 × 7 = 48. The number 5 is not 4.",
        "We need 3 + 4 = 8 pens. It is wrong to buy 9.",
    ),
]


@pytest.mark.parametrize("text", RIGHT)
def test_right_readings_are_not_flagged(text: str) -> None:
    assert kinds_in(text) == set()


@pytest.mark.parametrize("text", DOUBTFUL)
def test_what_may_be_right_is_at_most_doubtful(text: str) -> None:
    assert kinds_in(text) == {"doubtful"}


@pytest.mark.parametrize("text", FALSE)
def test_what_is_wrong_in_each_reading_stays_false(text: str) -> None:
    assert "false" in kinds_in(text)


WHOLE = st.integers(1, 40)


@given(WHOLE, st.integers(2, 12), st.integers(1, 11), st.integers(2, 12), st.integers(1, 11))
def test_a_mixed_number_is_divided_by_a_fraction(
    whole: int, bottom: int, top: int, other_bottom: int, other_top: int
) -> None:
    assume(top < bottom and other_top < other_bottom)
    value = (whole + Fraction(top, bottom)) / Fraction(other_top, other_bottom)
    assert kinds_in(f"{whole} {top}/{bottom} ÷ {other_top}/{other_bottom} = {value}") == set()


@given(
    st.sampled_from(
        [("km", "m", 1000), ("m", "cm", 100), ("kg", "g", 1000), ("hours", "minutes", 60), ("feet", "in", 12)]
    ),
    WHOLE,
    WHOLE,
    st.booleans(),
)
def test_a_sum_in_two_units_is_at_most_doubtful(
    units: tuple[str, str, int], large: int, small: int, is_unit_repeated: bool
) -> None:
    one, other, factor = units
    behind = f" {other}" if is_unit_repeated else ""
    assert kinds_in(f"{large} {one} + {small} {other} = {large * factor + small}{behind}") <= {"doubtful"}


@given(
    st.sampled_from(["Figure", "Round", "Team", "Box", "Monday", "March", "Row", "Player"]),
    st.integers(1, 30),
    st.integers(1, 99),
    st.integers(1, 99),
)
def test_a_label_before_a_dash_is_no_operand(noun: str, number: int, left: int, right: int) -> None:
    assert kinds_in(f"{noun} {number} - {left} + {right} = {left + right}") <= {"doubtful"}


@given(st.sampled_from(["Team", "Class", "Gate", "Store"]), st.integers(1, 9), st.integers(1, 999))
def test_a_noun_before_consecutive_numbers_counts(noun: str, number: int, total: int) -> None:
    assert kinds_in(f"{noun} {number} + {noun} {number + 1} = {total}") <= {"doubtful"}


@given(st.integers(1, 2100), st.integers(1, 99), st.integers(0, 1), st.sampled_from("-–"))
def test_a_range_is_at_most_doubtful(first: int, length: int, inclusive: int, dash: str) -> None:
    assert kinds_in(f"The span {first}{dash}{first + length} = {length + inclusive} years") <= {"doubtful"}


REFUTATIONS = [
    "A student wrote {}, which is wrong.",
    "But {} is not true.",
    "So {}, a contradiction.",
    "You might think that {}.",
    "Here {} does not work.",
    "First {}. Let me correct that.",
]


@given(st.integers(2, 99), st.integers(2, 99), st.integers(1, 9), st.sampled_from(REFUTATIONS))
def test_what_the_text_refutes_is_at_most_doubtful(left: int, right: int, error: int, sentence: str) -> None:
    assert kinds_in(sentence.format(f"{left} + {right} = {left + right + error}")) == {"doubtful"}
