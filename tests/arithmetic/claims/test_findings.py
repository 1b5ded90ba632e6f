"""Which stated results are false, cut off or doubtful, and which ways of writing right ones are understood."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairgen.arithmetic.claims.findings import KINDS, Finding, findings
from pairgen.arithmetic.solution import Solution


def found_in(text: str, question: str = "") -> list[Finding]:
    return findings(Solution(text, len(text)), question)


def kinds_in(text: str, question: str = "") -> list[tuple[str, str]]:
    return [(finding.text, finding.kind) for finding in found_in(text, question)]


@pytest.mark.parametrize(
    ("text", "result", "expression", "value"),
    [
        ("She has 3 * 4 = 13 pens.", "13", "3 * 4", "12"),
        ("That is 12 boxes * 12 pens/box = 134 pens.", "134", "12 * 12", "144"),
        ("They pay $3.50 + $2.75 = $6.15 in all.", "6.15", "3.50 + 2.75", "25/4"),
        ("so 20% of 50 = 12 are red", "12", "(20/100) * 50", "10"),
        ("He ran 3 miles on the hill + 4 miles on the way home = 8 miles.", "8", "3 + 4", "7"),
        ("5 times 24 equals 125.", "125", "5 * 24", "120"),
        (r"So \(7 \times 8 = 54\) tiles.", "54", "7*8", "56"),
        (r"$\frac{3}{4} \cdot 12 = 8$", "8", "(3/4)*12", "9"),
        (r"\[ 15 \text{ boxes} \times 4 = 50 \text{ pens} \]", "50", "15*4", "60"),
        ("We add.\nTotal = 25 + 17\nTotal = 43", "43", "25 + 17", "42"),
        ("200 g + 150 g = 250 g of flour", "250", "200 + 150", "350"),
        ("2^3 * 5 = 30", "30", "2**3*5", "40"),
        ("10 / 4 = 3.5 each", "3.5", "10 / 4", "5/2"),
        ("He needs 10 - 14 = 4 more.", "4", "10 - 14", "-4"),
        ("(2 + 3) * 4 = 6 * 4 = 24", "6 * 4", "(2 + 3) * 4", "20"),
        ("There are 60 minutes * 60 seconds = 120 seconds in an hour.", "120", "60 * 60", "3600"),
        ("Three dimes are 3 * $0.10 = $30.00.", "30.00", "3 * 0.10", "3/10"),
        ("They pay $20 (shirt) + $30 (pants) = $60.", "60", "20 + 30", "50"),
        ("He gave 4 + Mary's 5 pens = 10 pens.", "10", "4 + 5", "9"),
        ("2 hours = 100 minutes", "100", "2*60", "120"),
        ("5 m/s * 10 s = 55 m", "55", "5 * 10", "50"),
        (r"$\sqrt{50} = 9$", "9", "sqrt(50)", "7.07107"),
        (r"$\pi \cdot 3^2 = 8\pi$", "8", "(pi*3**2)/(1*pi)", "9"),
        (r"$120^\circ / 2 = 70^\circ$", "70", "120/2", "60"),
        ("The base of 3 cubes needs 3^2 = 12 cubes.", "12", "3**2", "9"),
    ],
)
def test_closed_arithmetic_is_false(text: str, result: str, expression: str, value: str) -> None:
    (finding,) = found_in(text)
    assert finding[2:] == (result, expression, value, "false")
    assert text[finding.start : finding.stop] == result


@pytest.mark.parametrize(
    "text",
    [
        "500 / 15 = 33 each",
        "So 2 / 3 = 0.66 of them.",
        "100 / 3 = 34 buses are needed.",
        r"\(20 \div 3 = 6\)",
    ],
)
def test_a_result_that_is_cut_off_is_truncated(text: str) -> None:
    assert [kind for _, kind in kinds_in(text)] == ["truncated"]


@pytest.mark.parametrize(
    "text",
    [
        "3 * 4 = 12",
        "10 / 3 = 3.33",
        "47 / 4 = 11 remainder 3.",
        "47 / 4 = 11 with 3 left over.",
        "100 / 6 = 16 and (2/3)",
        "100 / 3 = 33, rounded down.",
        "Rounding to the nearest ten, 297 + 4 = 300.",
        "20 / 240 = 8.333...%, which is 8%.",
        "0.1 + 0.2 = 0.30000000000000004",
        "$66.67 * 6 = $400",
        "She buys 3 pens for 50 cents each, so 3 * 50 = $1.50.",
        "0.2 * 100 = 20%",
        "15 trucks / 90 vehicles * 100% = 16.67%",
        "Each burger takes 1/4 cup, so 2 / 1/4 = 8 burgers.",
        "7/12 / 1/12 = 7 days",
        "2 hours / 20 minutes per room = 6 rooms",
        "She loses 5 thousand dollars a day: 5 * 3 = $15,000.",
        "She works 7 kg x ($4/kg + $2/kg) = 7 kg x $6/kg.",
        "So 48 - 20 = 4M.",
        "The ratio is 3 * 6:5 * 6 = 18:30.",
        "We get 3 loaves / 1 banana = 99 loaves / x bananas.",
        "Then 60 - Losses - 2 Losses = -30.",
        ".375(total apples) + .025(total apples) = 40",
        "Let x + 4 = 12.",
        "2b - 5 = 3b - 15",
        r"so $(3ab - 1)(5ab + 1) = 0,$ and",
        r"$15a^2 b^2 - 2ab - 1 = 0$",
        "The water is 1/2 a cup = 4 ounces.",
        "50 + 20% = 60",
        "100 / 3 = 33.33 * 3 = 100",
        "33.3% of 60 = 20",
        "5 // 2 = 2",
        "5 * 8 = 40 * 15 = 600",
        "The price is $7500/75% = $100 for each percent.",
        "35/4 = 8 r. 3",
        "the product of 3 and 4 + 1 = 13",
        r"$12\pi \div 6\pi = 2$",
        r"$\pi \cdot 7^2 = 154$",
        r"$\frac{\pi}{3} = \frac{180^\circ}{\pi} \cdot \frac{\pi}{3} = 60^\circ$",
        r"$\frac{7}{9} = 0.\overline{7}$",
        r"\[ 1 + 2 + \cdots + 10 = 55 \]",
        "In the 3 + 4 = 7 years",
    ],
)
def test_right_results_and_equations_are_not_flagged(text: str) -> None:
    assert kinds_in(text) == []


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("If 5 + 3 = 10, then no.", ""),
        ("3 * 4 = 13 is wrong.", ""),
        ("She reads 10 pages on day 1 * 2 = 20 pages.", ""),
        ("We read 5 + 3 * 2 = 16.", ""),
        ("They work from 9 + 5 = 2 pm.", ""),
        ("44 * 55 = 3506", "In which base is this true? The base 7 is one of them."),
        ("50 + 60 = 10", "What is it modulo 100?"),
        ("3 * 4 = 19", "Let a * b be defined as a + b^2."),
        ("Week 1 + Week 2 = 35 + 35 = 70", ""),
        ("He has 3 sets of 4 + 2 = 14", ""),
        (r"\[ 2 \text{ m} + 50 \text{ cm} = 250 \text{ cm} \]", ""),
        ("5 - 8 = 3 less", ""),
        ("Since 2/3 is equal to $20, each is $10.", ""),
        ("100 * 0.75 = $0.75", ""),
    ],
)
def test_an_uncertain_reading_is_doubtful(text: str, question: str) -> None:
    assert {kind for _, kind in kinds_in(text, question)} == {"doubtful"}


def test_equations_in_an_unknown_are_at_most_doubtful() -> None:
    text = "The sum is x + 3x = 5x. So 5x = 20 and x = 4.\nThen 2x + 3 = 12."
    assert {kind for _, kind in kinds_in(text)} == {"doubtful"}


NUMBERS = st.integers(1, 999)
OPERATIONS = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}
SENTENCES = ("{}", "So she has {} pens.", "Then {}, and we stop.", "Step: {}\nNext", r"\( {} \)", "**{}**")


@given(NUMBERS, st.sampled_from(list(OPERATIONS)), NUMBERS, st.integers(-999, 999), st.sampled_from(SENTENCES))
def test_a_wrong_result_is_found_and_a_right_one_is_not(
    left: int, operator: str, right: int, error: int, sentence: str
) -> None:
    value = OPERATIONS[operator](Fraction(left), Fraction(right))
    assume(value.denominator == 1)
    stated = int(value) + error
    assume(stated >= 0 or "\\" not in sentence)
    text = sentence.format(f"{left} {operator} {right} = {stated}")
    kinds = {finding.kind for finding in found_in(text)}
    assert kinds == ({"false"} if error else set())


@given(st.text(st.sampled_from("0123456789+-*/=%$ .,()xab\\{}\n"), max_size=60))
def test_any_text_can_be_audited(text: str) -> None:
    for finding in found_in(text):
        assert finding.kind in KINDS
        assert text[finding.start : finding.stop] == finding.text
