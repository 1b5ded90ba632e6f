r"""Wrong values: the values each method can give, and that no method changes the format."""

import ast
import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import gcd

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pairgen.arithmetic.errors import naturalness
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.values import CORRUPTIONS, Sample, digit, mixed, near, operation
from pairgen.arithmetic.exact.literals import Literal, parse_literal

SEEDS = range(200)


def read(text: str) -> Literal:
    literal = parse_literal(text)
    assert literal is not None, text
    return literal


def sampled(sample: Sample, text: str, expression: str | None = None) -> set[str | None]:
    """All values sampled with 200 seeds; None for a failed attempt."""
    right = read(text)
    wrongs = [sample(right, expression, RowRng("row", seed)) for seed in SEEDS]
    return {None if wrong is None else str(wrong) for wrong in wrongs}


def kind(literal: Literal) -> tuple[object, ...]:
    """The properties that a wrong value shares with the right one, except the denominator."""
    value = Fraction(*literal.value)
    return (
        literal.decimals,
        literal.negative,
        literal.group_separator,
        literal.bare_point and abs(value) < 1,
        literal.denominator != 1,
        gcd(literal.numerator, literal.denominator) == 1,
        literal.fraction,
        literal.mixed_separator,
        literal.mixed_separator is None or abs(value) > 1,
    )


@pytest.mark.parametrize(
    ("text", "wrongs"),
    [
        ("0", {"1", "2", "3"}),
        ("5", {"2", "3", "4", "6", "7", "8"}),
        ("100", {"200", *map(str, range(75, 134))}),
        ("15.20", {f"{tens / 10:.1f}0" for tens in range(102, 203)}),
        (".9", {".6", ".7", ".8"}),
        (".00", {".01", ".02", ".03"}),
        ("1/2", {"3/2", "5/2"}),
        ("-3/4", {"-1/4", "-5/4", "-7/4"}),
        ("6/8", {"2/8", "4/8", "10/8"}),
        ("1/30", {"7/30"}),
        ("97/194", {f"{top}/194" for top in range(64, 132, 2)}),
        ("1 1/2", {"2 1/2", "3 1/2"}),
        (r"\frac{3}{4}", {r"\frac{1}{4}", r"\frac{5}{4}", r"\frac{7}{4}"}),
        (r"\frac92", {r"\frac72", r"\frac52"}),
        (r"\frac 9{20}", {r"\frac 7{20}", r"\frac 3{20}"}),
        (r"2\frac{1}{3}", {r"1\frac{2}{3}", r"1\frac{1}{3}", r"2\frac{2}{3}", r"3\frac{1}{3}"}),
    ],
)
def test_near_values(text: str, wrongs: set[str]) -> None:
    found = sampled(near, text) - {None}
    assert found <= wrongs
    assert found == wrongs or len(wrongs) > 15


@pytest.mark.parametrize(
    ("text", "wrongs"),
    [
        ("0", set("123456789")),
        ("4", set("12356789")),
        ("-4", {f"-{new}" for new in "12356789"}),
        ("47", {f"4{new}" for new in "12345689"} | {f"{new}7" for new in "12356789"}),
        ("0.5", {f"0.{new}" for new in "12346789"} | {f"{new}.5" for new in "123456789"}),
        (".5", {f".{new}" for new in "12346789"}),
        ("1,500", {f"1,{new}00" for new in "12346789"} | {f"{new},500" for new in "23456789"}),
        ("3/4", {"1/4", "5/4", "7/4", "9/4"}),
        ("6/8", {"2/8", "4/8"}),
        ("1 1/2", {f"{new} 1/2" for new in "23456789"}),
        ("1 and 3/4", {f"{new} and 3/4" for new in "23456789"} | {"1 and 1/4"}),
        (r"\frac34", {r"\frac14", r"\frac54", r"\frac74", r"\frac94"}),
        (r"-\frac{11}{12}", {rf"-\frac{{{top}}}{{12}}" for top in (13, 17, 19, 31, 41, 61, 71, 91)}),
        ("2/2", {"4/2", "6/2", "8/2"}),
    ],
)
def test_digit_values(text: str, wrongs: set[str | None]) -> None:
    assert sampled(digit, text) - {None} == wrongs - {None}
    assert None in wrongs or None not in sampled(digit, text)


SUMS = {"16.60", "386.80", "8.44", "33.40", "273.36", "5.91"}
"""Rounded to cents where they must be: 25 / 15.20 + 6.80 is 8.4447..."""

SIX = {"2", "16", "13", "7", "22", "112", "8"}


@pytest.mark.parametrize(
    ("text", "expression", "wrongs"),
    [
        ("24", "48/2", {"96", "46", "50"}),
        ("7", "3+4", {"12"}),  # not -1, not 3/4
        ("-1", "3 - 4", {None}),
        ("-5", "3 - 4*2", {"-3"}),
        ("-5", "-3 - 2", {"-1", "-6"}),
        ("5", "3 - -2", {"1"}),
        ("1/2", "2**-1", {None}),  # -2 is not a fraction
        ("4", "2*2", {"1"}),  # not 2 + 2; nor 0
        ("0", "5 - 5", {"10", "25", "1"}),
        ("1,500", "3 * 500", {"503"}),
        ("503", "3 + 500", {"1500"}),
        ("47.00", "25 + 15.20 + 6.80", SUMS),
        (".50", "1/2", {None}),  # 2.00, 3.00 would gain an integer part
        (".50", ".25+.25", {".06"}),
        ("0.50", ".25+.25", {"0.06", "1.00"}),
        ("9", "(3/4)*12", {"84", "144"}),
        ("25", "100*(1/4)", {"400", "500"}),
        ("28", "2**5 - 4", {"6", "36", "128", "8"}),
        ("3/4", "1/4 + 1/2", {"1/8", "1/2", "11/2", "9/2", "13/4", "9/4"}),
        ("5/6", "1/2 + 1/3", {"1/6", "3/2", "7/3", "10/3", "7/2", "9/2"}),
        ("6/8", "3*2/8", {"10/16", "2/16", "6/32"}),
        (r"\frac34", "3/4", {None}),
        ("1 1/2", "3/4 + 3/4", {"7 3/4", "12 3/4"}),
        ("6", "2 * 3", {"5"}),
        ("6000", "2000*3", {"2003", "1997"}),
        ("20000000", "10000*2000", {None}),  # 12000: over a thousand times smaller
        ("2000000", "1000000+1000000", {None}),  # over twelve digits, or 0, or 1
        ("6", "2*sqrt(9)", {"5"}),
        ("18", "sqrt(9)*6", {"9"}),
        ("6", "sqrt(4*9)", {None}),  # sqrt(13)
        ("6", "12 + 6 / 3 - 2 * 4", SIX),
        ("8", "2**3", {"6"}),
        ("512", "2**3**2", {"18", "64"}),
        ("2", None, {None}),
        ("2", "", {None}),
        ("2", "1e-5 +", {None}),
        ("2", "x + 1", {None}),
    ],
)
def test_operation_values(text: str, expression: str | None, wrongs: set[str | None]) -> None:
    assert sampled(operation, text, expression) == wrongs


OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: Fraction.__add__,
    ast.Sub: Fraction.__sub__,
    ast.Mult: Fraction.__mul__,
    ast.Div: Fraction.__truediv__,
}


def calculate(tree: ast.expr) -> Fraction:
    if isinstance(tree, ast.BinOp):
        return OPERATIONS[type(tree.op)](calculate(tree.left), calculate(tree.right))
    if isinstance(tree, ast.UnaryOp):
        return -calculate(tree.operand)
    assert isinstance(tree, ast.Constant)
    assert isinstance(tree.value, int)
    return Fraction(tree.value)


def other_operations(expression: str) -> set[Fraction]:
    """The values, by Python's parser, of the expression with one operator replaced."""
    tree = ast.parse(expression, mode="eval").body
    values = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            own = node.op
            for operation in OPERATIONS:
                node.op = operation()
                if type(own) is not operation:
                    with contextlib.suppress(ZeroDivisionError):
                        values.add(calculate(tree))
            node.op = own
    return values


NESTED = st.recursive(
    st.integers(-9, 60).map(str),
    lambda inner: st.builds(
        lambda a, operator, b, closed: f"({a}{operator}{b})" if closed else f"{a} {operator} {b}",
        inner,
        st.sampled_from("+-*/"),
        inner,
        st.booleans(),
    ),
    max_leaves=6,
)


@given(NESTED)
def test_operation_replaces_one_operator_and_keeps_operands(expression: str) -> None:
    try:
        value = calculate(ast.parse(expression, mode="eval").body)
    except ZeroDivisionError:
        assume(False)
    is_integer = value.denominator == 1
    right = Literal(abs(value.numerator), 0, value < 0, denominator=value.denominator)
    sampled_values = {operation(right, expression, RowRng("row", seed)) for seed in range(300)}
    expected = {
        wrong
        for wrong in other_operations(expression)
        if wrong and wrong != value and (wrong < 0) == (value < 0) and (wrong.denominator == 1) == is_integer
        if not value or Fraction(1, 1000) <= wrong / value <= 1000
    }
    assert {Fraction(*wrong.value) for wrong in sampled_values if wrong} == expected
    assert (None in sampled_values) == (not expected)


def test_operation_samples_operator_first() -> None:
    """``**`` has one replacement (``2*5``) and ``-`` has three, so ``2*5 - 4`` is sampled half of the time."""
    right = read("28")
    counts = Counter(str(operation(right, "2**5 - 4", RowRng("row", seed))) for seed in range(4000))
    assert set(counts) == {"6", "36", "128", "8"}
    assert 1850 < counts["6"] < 2150


NUMBERS = st.builds(
    lambda units, decimals, negative, separator, bare_point: Literal(
        units,
        decimals,
        negative,
        separator if units >= 1000 * 10**decimals else "",
        bare_point and decimals > 0 and units < 10**decimals,
    ),
    st.one_of(st.integers(0, 200), st.integers(0, 10**9), st.integers(0, 10**30)),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from(["", ",", "{,}", r",\!", r"\,"]),
    st.booleans(),
)
TEMPLATES = [
    ("", "/", ""),
    (r"\frac{", "}{", "}"),
    (r"\dfrac{ ", " } { ", " }"),
    (r"\frac", "", ""),
    (r"\tfrac ", " ", ""),
    (r"\frac", "{", "}"),
    (r"\frac{", "}", ""),
]


@st.composite
def fractions(draw: st.DrawFn) -> Literal:
    before, between, after = draw(st.sampled_from(TEMPLATES))
    over = draw(st.integers(2, 400 if not before or after else 9))
    top = draw(st.integers(1, 2000 if not before or "{" in before else 9))
    joint = None
    if top < over and draw(st.booleans()):
        joint = draw(st.sampled_from([" ", " and ", *([""] if before else [])]))
        top += over * draw(st.integers(1, 120))
    return Literal(top, 0, draw(st.booleans()), "", False, over, (before, between, after), joint)


LITERALS = st.one_of(NUMBERS, fractions())
OPERANDS = st.one_of(st.integers(1, 60).map(str), st.sampled_from(["1.5", ".25", "15.20", "(3/4)", "(1/6 + 2)", "-2"]))
EXPRESSIONS = st.builds(
    lambda first, rest: first + "".join(f" {operator} {operand}" for operator, operand in rest),
    OPERANDS,
    st.lists(st.tuples(st.sampled_from("+-*/"), OPERANDS), max_size=4),
)


def shape(text: str) -> str:
    """A text with each number, of any length and separators, replaced by one symbol; unbraced digits stay single."""
    ungrouped = re.sub(r"(?<=\d)(?:,|\{,\}|,\\!|\\,)(?=\d{3})", "", text)
    return re.sub(r"\d+", "#", re.sub(r"(frac *)\d(?!\d\d)", r"\1one ", ungrouped))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_sample_keeps_format(name: str) -> None:
    corruption = CORRUPTIONS[name].sample

    @given(LITERALS, EXPRESSIONS, st.integers(0, 2**64))
    @example(read("9" * 40), "1 + 1", 0)
    @example(read(r"\frac 9{20}"), "1/2 * 9/10", 0)
    def check(right: Literal, expression: str, seed: int) -> None:
        wrong = corruption(right, expression, RowRng("row", seed))
        if wrong is None:
            return
        assert kind(wrong) == kind(right)
        assert wrong.fits()
        assert Fraction(*wrong.value) != Fraction(*right.value)
        assert wrong.numerator > 0
        if right.denominator != 1:
            assert wrong.numerator % wrong.denominator or right.numerator % right.denominator == 0, (
                "a fraction became an integer"
            )
            if name in ("near", "digit"):
                assert wrong.denominator == right.denominator
        if parse_literal(str(right)) == right:
            again = parse_literal(str(wrong))
            assert again is not None
            if wrong.numerator < 1000 * 10**wrong.decimals:  # no separator to see
                assert again == wrong._replace(group_separator="")
            else:
                assert again == wrong
            assert shape(str(wrong)) == shape(str(right))

    check()


@given(LITERALS, st.integers(0, 2**64))
def test_digit_changes_one_character(right: Literal, seed: int) -> None:
    wrong = digit(right, None, RowRng("row", seed))
    assume(wrong is not None)
    before, after = str(right), str(wrong)
    assert len(before) == len(after)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1
    assert all("0" <= c <= "9" for c in changed[0])


def zeros(number: int) -> int:
    return len(str(number)) - len(str(number).rstrip("0"))


@given(st.one_of(st.integers(1, 200), st.integers(1, 10**9)), st.integers(0, 2**64))
def test_near_is_at_most_a_third_away_or_a_step_of_its_roundness(number: int, seed: int) -> None:
    wrong = near(Literal(number), None, RowRng("row", seed))
    assume(wrong is not None)
    away = abs(wrong.numerator - number)
    assert 0 < away <= max(3, number // 3, 10 ** zeros(wrong.numerator))


@given(NUMBERS, st.integers(0, 2**64))
def test_near_keeps_the_roundness_of_other_numbers(right: Literal, seed: int) -> None:
    assume(right.decimals and right.numerator)
    wrong = near(right, None, RowRng("row", seed))
    assume(wrong is not None)
    assert zeros(wrong.numerator) >= zeros(right.numerator)


@given(NUMBERS, st.integers(0, 2**64))
def test_digit_keeps_the_roundness(right: Literal, seed: int) -> None:
    wrong = digit(right, None, RowRng("row", seed))
    assume(wrong is not None and right.numerator)
    assert zeros(wrong.numerator) == zeros(right.numerator)


def test_trailing_zeros_are_as_frequent_as_in_the_table() -> None:
    rng = RowRng("row", 0)
    for digits, shares in naturalness.TRAILING_ZEROS.items():
        counts = Counter(naturalness.trailing_zeros(digits, rng.bits()) for _ in range(4000))
        for zeros, share in enumerate(shares):
            assert abs(counts[zeros] / 4000 - share / sum(shares)) < 0.03
    assert {naturalness.trailing_zeros(9, rng.bits()) for _ in range(4000)} <= set(range(3, 9))


RULES: dict[str, Callable[[int], float]] = {
    "rounder": zeros,
    "longer": lambda number: len(str(number)),
    "larger": float,
    "even": lambda number: number % 2 == 0,
    "ends in 5": lambda number: number % 10 == 5,
    "small first digit": lambda number: -int(str(number)[0]),
}


def natural_number(draws: random.Random) -> int:
    """A number as the tables say that results are."""
    size = draws.choices([1, 2, 3, 4, 5], [19, 50, 22, 6, 2])[0]
    if size == 1:
        return draws.choices(range(1, 10), naturalness.SMALL[1:10])[0]
    ends = draws.choices(range(size), naturalness.TRAILING_ZEROS[size])[0]
    digits = draws.choices(range(10), naturalness.FIRST_DIGIT)
    digits += draws.choices(range(10), naturalness.INNER_DIGIT, k=max(size - ends - 2, 0))
    digits += draws.choices(range(10), naturalness.LAST_DIGIT, k=min(size - ends - 1, 1))
    return int("".join(map(str, digits)) + "0" * ends)


@pytest.mark.parametrize("sample", [near, digit])
def test_wrong_values_look_like_right_ones(sample: Sample) -> None:
    """Of natural numbers, no rule picks the right value more often than 58% of the time, or less often than 42%."""
    draws = random.Random(0)
    decided, right_ones = Counter[str](), Counter[str]()
    for seed in range(6000):
        number = natural_number(draws)
        wrong = sample(Literal(number), None, RowRng("row", seed))
        if wrong is None:
            continue
        for name, rule in RULES.items():
            decided[name] += rule(number) != rule(wrong.numerator)
            right_ones[name] += rule(number) > rule(wrong.numerator)
    for name, count in decided.items():
        assert count < 100 or 0.42 < right_ones[name] / count < 0.58, (name, count, right_ones[name] / count)


@given(NUMBERS, st.integers(0, 50))
def test_sample_rarely_fails_for_plain_numbers(right: Literal, start: int) -> None:
    assume(len(str(right)) < 36)
    for sample in (near, digit):
        failed = [sample(right, None, RowRng("row", seed)) for seed in range(start, start + 40)].count(None)
        assert failed < 3


@given(fractions())
def test_digit_fails_for_fraction_always_or_never(right: Literal) -> None:
    assert len({digit(right, None, RowRng("row", seed)) is None for seed in range(20)}) == 1


def test_mixed_uses_all_three_methods() -> None:
    wrongs = Counter(str(mixed(read("15.20"), "4 * 3.80", RowRng("row", seed))) for seed in range(3000))
    assert 900 < sum(wrongs[text] for text in sampled(operation, "15.20", "4 * 3.80")) < 1100
    for sample, other in ((near, digit), (digit, near)):
        assert any(wrongs[text] for text in sampled(sample, "15.20") - sampled(other, "15.20"))


def test_corruptions_table() -> None:
    assert list(CORRUPTIONS) == ["near", "digit", "operation", "mixed"]
    assert [corruption.sample for corruption in CORRUPTIONS.values()] == [near, digit, operation, mixed]
    assert all(corruption.summary and "\n" not in corruption.summary for corruption in CORRUPTIONS.values())
