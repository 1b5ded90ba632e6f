"""False steps: found where a calculation of numbers is wrong, and never where a right text only looks like that."""

import re
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairgen.arithmetic.claims import findings as findings_module
from pairgen.arithmetic.claims.findings import findings
from pairgen.arithmetic.errors.corrupt import corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import equal
from pairgen.arithmetic.false_steps import _is_plainly_true, false_steps, is_form_of, recomputed_values
from pairgen.arithmetic.reading.plain import calculation_before, supposed_calculation_before
from pairgen.arithmetic.solution import Solution
from pairgen.builders import BUILDERS
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.worked_solutions import FALSE, solution_of
from pairgen.pairs.record import DropRow


def false(text: str) -> list[str]:
    """The stated results that are false, as written."""
    solution = Solution(text, len(text))
    return [text[one.step.start : one.step.stop] for one in false_steps(solution)]


FALSE_STEPS = [
    ("They need 3 + 5 + 11 + 2 = 20 nails.", ["20"]),
    ("Each has 7*4 = 280 pens, and 280 + 5 = 285.", ["280"]),
    ("It costs $1,200 + $350 = $1,450 so 1,450 / 2 = 725.", ["1,450"]),
    ("He runs 12 miles + 5 miles + 6 miles = 25 miles.", ["25"]),
    ("He gets 192*100=$1920 for 3/1=1 hour.", ["1920", "1"]),
    ("So (4 + 5) * 3 = 24.", ["24"]),
    ("It is 20% of 50 = 12 and 30 - 12 = 19.", ["12", "19"]),
    ("The cost is 6*2.5 = $18.00.", ["18.00"]),
    (r"The discriminant is $(-4)^2 + 4 \cdot 1 \cdot (-1) = 20$.", ["20"]),
    (r"Then $r = \frac{4}{2} = \frac{1}{2}$.", [r"\frac{1}{2}"]),
    (r"Here $P(1) = 1 - 2 + 5 = \boxed{6}$.", ["6"]),
    (r"So \(3 \times 4 + 1 = 14\).", ["14"]),
]


@pytest.mark.parametrize(("text", "expected"), FALSE_STEPS)
def test_false_calculations_are_found(text: str, expected: list[str]) -> None:
    assert false(text) == expected


@pytest.mark.parametrize(("text", "expected"), FALSE_STEPS)
def test_what_drops_a_row_is_what_audit_finds(text: str, expected: list[str]) -> None:
    found = findings(Solution(text, len(text)))
    assert [one.text for one in found if one.kind == findings_module.FALSE] == expected


@pytest.mark.parametrize(
    "text",
    [
        # rounded, truncated, or calculated from rounded numbers
        *("100 / 6 = 16 books", "1 / 3 = 0.33", "2 / 3 = 0.66", "$66.67 * 6 = $400", "(0.33/4.33) * 100 = 7.64"),
        *("47 / 4 = 11 remainder 3", "17/3 = 5 and 2/3 loads", "100 / 6= 16 and (2/3)", "9 / 27 * 100% = 33.333...%"),
        *("452 / 1.98 = 228.29", "13 / 6 = 2 full cycles", r"It is $500 \cdot 1.03^{10} = \boxed{672}$ to the dollar."),
        # percentages, cents, thousands, other units
        *("360 posts x 25 cents = $90", "50 cents * 3 = $1.50", "20 / 240 = 8.333...%", "1.2 x 100% = 120 inches"),
        *("5 * 3 = $15,000, in thousands of dollars", "$240k / 120 = $2000", "7500/75% = $100 for 1 percent"),
        *("2 hours / 20 minutes per room = 6 rooms", "3 * 30 minutes = 1.5 hours", "2 feet * 5 = 120 inches"),
        # fractions of something, and divisions by fractions
        *(
            "2/3 of the tank is equal to 16 gallons",
            "1/2 a cup = 4 ounces",
            "3/4 of it = 30 pens",
            "2 / 1/4 = 8 burgers",
        ),
        *("7/12 / 1/12 = 7 days", "2000 / 2/3 = $3000", "2 cups/10 minutes x 3 intervals = 6 cups"),
        # parts of something else
        *("20% of the $400 + $1580 = $1980", "2 groups of 7 * 4 = 8", "He adds 20 + 10 pens to the 29 + 24 pens = 83"),
        *(
            "7 kg x $6/kg + 2 = 7 kg x $6",
            "20 pages on day 1 * 2 = 40 pages",
            "14, 400 / 80 = 180",
            ".8 + . 84 + .82 = 2.46",
        ),
        *("X = 9 because - 18/-2 = 9", "60 - Losses - 2 Losses= -30", "48 - 20 = 4M", "5X/2 = 60", "3x + 5 = 20"),
        *("twice 3 + 4 = 10", "17 mod 5 + 2 = 4", "The average of 4 + 6 = 5", "if 2 + 2 = 5", "30 = 4 * 8 - 2"),
        *("12 x 1 and 1/4 = 15", "1 full tank -1/3 tank = 2/3 tank", "4L + 2L = 24"),
        # other arithmetic
        r"In base 7, $44 \times 55 = 3506$.",
        r"Modulo $1199$, $50^{-1} = 24$.",
        r"So $7 + 8 = 3 \pmod{12}$.",
        r"The half $80\frac{1}{2}\frac{1}{5} = \frac{80}{10}$.",
        r"Then $1024 - 4ac = 0$ and $2x^2 + 2y^2 = 25$ and $|x+4| = 1$.",
        r"It is $\frac{1\text{ minute}}{60 \text{ seconds}} = 1$.",
        "Is 3 + 4 >= 8? No: 3 + 4 != 8, and 5 - 8 = 3 less.",
    ],
)
def test_right_texts_are_not_false(text: str) -> None:
    assert false(text) == []


@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=4),
    st.sampled_from(["", "$", "Now ", "so they make "]),
    st.sampled_from(["", ".", " pens in all.", "\n"]),
    st.integers(-60, 60),
)
def test_a_sum_is_false_exactly_if_it_is(terms: list[int], before: str, after: str, error: int) -> None:
    stated = sum(terms) + error
    assume(stated > 0 and stated % 100 and all(100 * part != whole for part, whole in ((sum(terms), stated),)))
    assert false(f"{before}{' + '.join(map(str, terms))} = {stated}{after}") == ([str(stated)] if error else [])


WRONG = {
    "metamath": {
        "query": "How many in all?",
        "response": "He packs 3 + 5 + 11 + 2 = 20 nails into each box, and twice as many in all.\nThe answer is: 40",
    },
    "gsm8k": {"question": "How many?", "answer": "He packs 3 + 5 + 11 + 2 = <<3+5+11+2=20>>20 nails.\n#### 40"},
}


@pytest.mark.parametrize("name", WRONG)
def test_rows_with_a_false_calculation_are_dropped_or_never_put_right(name: str) -> None:
    builder = BUILDERS[name]
    example = builder.read(WRONG[name])
    with pytest.raises(DropRow, match=FALSE):
        builder.reject(example, RowRng("row", 0), CorruptionOptions())
    drawn = set()
    for seed in range(60):
        options = CorruptionOptions(method="mixed", pairs_per_row=4, false_steps="keep")
        drawn |= {one.provenance.corrupted for one in builder.reject(example, RowRng("row", seed), options)}
    assert "21" not in drawn
    assert len(drawn) > 5


@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 5), st.sampled_from(["near", "digit"]), st.integers(0, 9))
def test_no_number_becomes_what_a_calculation_gives(a: int, b: int, error: int, method: str, seed: int) -> None:
    text = f"There are {a} + {b} = {a + b + error} pens. So {a + b + error} pens are there for 9 people."
    solution = solution_of(text)
    assert recomputed_values(solution) == [(a + b, 1)]
    for corruption in corrupt(solution, "How many?", RowRng("row", seed), method, 8):
        assert corruption.corrupted != str(a + b)


@pytest.mark.parametrize("written", ["0.25", "25", "1/4", "0.3", "0.2", "2500"])
def test_forms_of_a_value(written: str) -> None:
    literal = parse_literal(written)
    assert literal is not None
    assert is_form_of(literal, (25, 100)) == (written != "2500")


def test_results_that_gsm8k_does_not_mark_are_looked_at_too() -> None:
    example = BUILDERS["gsm8k"].read(
        {"question": "How many?", "answer": "2*3 = <<2*3=6>>6 pens, in all 6 + 7 = 18 pens.\n#### 13"}
    )
    with pytest.raises(DropRow, match=FALSE):
        BUILDERS["gsm8k"].reject(example, RowRng("row", 0), CorruptionOptions())


PIECES = [
    "3",
    "12",
    "4.5",
    "$",
    "%",
    " ",
    " ",
    " + ",
    " - ",
    " * ",
    "/",
    "(",
    ")",
    "pens",
    "x",
    "twice ",
    " of ",
    ", ",
    "\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_a_calculation_that_is_read_is_the_one_supposed(text: str) -> None:
    """Right results are told by what was supposed, before it is known whether it continues to the left."""
    sign = len(text)
    read = calculation_before(f"{text}= 1", sign) if sign else None
    assert read in (None, supposed_calculation_before(f"{text}= 1", sign) if sign else None)


@pytest.mark.parametrize("before", ["", "twice ", "x + "])
def test_a_result_is_false_only_if_its_calculation_is_whole(before: str) -> None:
    assert false(f"So {before}3 * 4 + 1 = 14.") == ([] if before else ["14"])


@pytest.mark.parametrize(
    ("text", "stated", "right"),
    [
        ("2 plus 3 equals 6 pens.", "6", "5"),
        ("The sum of 3 and 4 is 8.", "8", "7"),
        ("3 times 4 is 13 pens.", "13", "12"),
        ("We add 3 and four to get 8 pens.", "8", "7"),
        ("With 2, 3 and 4 pens there are 8 pens.", "8", "9"),
        ("He shares 12 pens among 4 friends, so each has 2.", "2", "3"),
        ("20% of 50 = 12 pens.", "12", "10"),
        ("1/4 = 20% of them.", "20", "25"),
        ("300 minutes = 6 hours in all.", "6", "5"),
        ("2x = 16, so x = 7 pens.", "7", "8"),
        (r"So $3 \cdot 4 = 13$ pens.", "13", "12"),
        (r"So $\frac{12}{4} = 4$ pens.", "4", "3"),
        ("It costs 3 * $1.50 = $4.00 now.", "4.00", "4.50"),
        ("He has 48 / 5 = 9 pens.", "9", "10"),
    ],
)
def test_a_wrong_result_is_never_put_right(text: str, stated: str, right: str) -> None:
    solution = solution_of(text)
    drawn = set()
    for seed in range(40):
        for method in ("near", "digit", "mixed"):
            drawn |= {(one.original, one.corrupted) for one in corrupt(solution, "", RowRng("row", seed), method, 4)}
    assert drawn
    assert (stated, right) not in drawn


NUMBERS = st.one_of(st.integers(1, 999).map(str), st.decimals("0.01", 99, places=2).map(str))
BETWEEN = st.sampled_from(["", " pens", " red pens", " cm"])


@given(st.lists(NUMBERS, min_size=2, max_size=4), st.sampled_from("+-*/x"), BETWEEN, NUMBERS, st.booleans())
def test_the_fast_look_agrees_with_the_close_one(
    numbers: list[str], operator: str, unit: str, stated: str, is_right: bool
) -> None:
    """What two numbers or a sum plainly give is what the calculation, fully read, gives."""
    written = f"{unit} {operator} ".join(numbers) + unit
    value = evaluate_text(f" {operator} ".join(numbers).replace("x", "*"))
    assert value is not None
    if is_right and value[0] >= 0 and value[1] in (1, 100):
        stated = str(value[0]) if value[1] == 1 else f"{float(Fraction(*value)):.2f}"
    (result,) = [found for found in Solution(f"So {written} = {stated}.", 999).found if isinstance(found, re.Match)]
    literal = parse_literal(stated)
    assert literal is not None
    if _is_plainly_true(result):
        assert equal(literal.value, value)
