"""Where results are found, and how the calculation in front of one is read."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.evaluate import evaluate
from pairgen.arithmetic.steps import Step, calculation_of, find_steps, plain


def found(text: str) -> list[tuple[str, str | None]]:
    """Each result as written, with its calculation in plain arithmetic."""
    pairs = []
    for step in find_steps(text):
        calculation = calculation_of(text, step)
        pairs.append((text[step.start : step.stop], None if calculation is None else plain(calculation)))
    return pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They pack 48/2 = 24 jars.", [("24", "48/2")]),
        ("Together $25 + $15.20 + $6.80 = $47.", [("47", "25 + 15.20 + 6.80")]),
        ("So 3 x 4 = 12 and 3 × $1 = $3.", [("12", "3 * 4"), ("3", "3 * 1")]),
        ("That is $1,500 * 12 = $18,000 a year", [("18,000", "1500 * 12")]),
        ("It is 30% of 50 = 15.", [("15", "(30/100) * 50")]),
        ("100% - 30% = 70% are left", [("70", "(100/100) - (30/100)")]),
        ("(3/4)*12=9", [("9", "(3/4)*12")]),
        ("13(2)=26 and (2)(3) = 6", [("26", "13*(2)"), ("6", "(2)*(3)")]),
        ("3 boxes * 12 pens/box = 36 pens", [("36", "3 * 12")]),
        ("8 cars/set x 4 sets = 32 cars", [("32", "8 * 4")]),
        ("a 12-ounce cup * 3 = 36", [("36", "12 * 3")]),
        ("It costs $.50 * 4 = $2.", [("2", ".50 * 4")]),
        ("2,000 steps + 500 steps = 2,500 steps", [("2,500", "2000 + 500")]),
        ("5 times 24 = 120", [("120", "5 * 24")]),
        ("1890€ + 10€ = 1900€", [("1900", "1890 + 10")]),
        ("10 – 4 = 6", [("6", "10 - 4")]),
        ("20 - (-3) = 23", [("23", "20 - (-3)")]),
        ("6/8 + 0 = 3/4", [("3/4", "6/8 + 0")]),
        ("there was a total of 4 * 6 = 24", [("24", "4 * 6")]),
        ("- 5 + 3 = 8 of them\n- 1 + 1 = 2", [("8", "5 + 3"), ("2", "1 + 1")]),
        ("in all (2 + (3 - 1) = 4) of them", [("4", "2 + (3 - 1)")]),
        # a chain: each equality is judged on its own, and an expression is no result
        ("180 - 43 - 47 = 137 - 47 = 90", [("90", "137 - 47")]),
        ("2 * 3 = 6 = 5 + 1", [("6", "2 * 3")]),
        # the calculation goes on to the left, so nothing is proved
        ("2x + 5 + 3 = 18", [("18", None)]),
        ("x - 5 + 3 = 8", [("8", None)]),
        ("half of 6 + 4 = 7", [("7", None)]),
        ("a third of 6 * 2 = 4", [("4", None)]),
        ("2^2 * 3 = 12", [("12", None)]),
        ("10 * 1 1/2 * 2 = 30", [("30", None)]),
        # no results at all
        ("x = 5", []),
        ("the price = $20", []),
        ("5 * 4 = 2(10)", []),
        ("3 + 4 = 7x", []),
        ("3 + 4 = 75/x", []),
        ("3 + 4 = 16 * 47", []),
        ("3 + 4 = 2^3", []),
        ("3 + 4 = ", []),
        ("= 7", []),
        ("", []),
    ],
)
def test_table_of_texts(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert found(text) == expected


def test_a_percent_sign_behind_the_result_is_noted() -> None:
    assert [step.percent for step in find_steps("1/4 = 25% and 1 + 1 = 2")] == [True, False]


def test_nothing_from_stop_on_is_found() -> None:
    text = "1 + 1 = 2\n#### 2 + 2 = 4"
    assert [text[step.start : step.stop] for step in find_steps(text, text.index("####"))] == ["2"]
    assert len(find_steps(text)) == 2


def test_results_are_a_sequence() -> None:
    steps = find_steps("1 + 1 = 2, 2 + 2 = 4, 3 + 3 = 6")
    assert len(steps) == 3
    assert [*steps] == steps[0:3] == [steps[0], steps[1], steps[-1]]
    assert all(isinstance(step, Step) for step in steps)


@given(
    st.integers(0, 99_999),
    st.sampled_from(["+", "-", "*", "/", "x", "×", "÷"]),
    st.integers(1, 99_999),
    st.sampled_from(["", "$", "€"]),
    st.sampled_from(["", " apples", " pens/box", " kg", "-ounce"]),
    st.sampled_from(["So ", "", "He has ", "\n", "which is (", "= 4 + 1 = 5, "]),
    st.booleans(),
)
def test_what_is_written_is_read(
    left: int, operator: str, right: int, currency: str, unit: str, before: str, commas: bool
) -> None:
    """A calculation put into a sentence comes back with its exact value, whatever stands around it."""
    number = "{:,}" if commas else "{}"
    a, b = number.format(left), number.format(right)
    text = f"{before}{currency}{a}{unit} {operator} {currency}{b} = {currency}1 in all."
    step = find_steps(text)[-1]
    calculation = calculation_of(text, step)
    assert calculation is not None
    sign = {"x": "*", "×": "*", "÷": "/"}.get(operator, operator)
    assert evaluate(plain(calculation)) == evaluate(f"{left} {sign} {right}")


@given(st.text(alphabet="0123456789=+-*/x().,% $abc\n€½²ß😀", max_size=200))
def test_any_text_gives_steps_inside_it(text: str) -> None:
    for step in find_steps(text):
        assert 0 <= step.sign < step.start < step.stop <= len(text)
        calculation = calculation_of(text, step)
        if calculation is not None:
            assert text[: step.sign].endswith(calculation)
            evaluate(plain(calculation))


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000,
        "=" * 100_000,
        "1 + " * 25_000 + "= 2",
        "(" * 50_000 + "1" + ")" * 50_000 + " = 1",
        "a " * 50_000 + "= 1",
        ("ab/" * 30 + "1 = 1 ") * 1_000,
        "1 1 1 " * 16_000 + "= 1",
        "x = 1" * 20_000,
        "1,111" * 20_000 + " = 1",
    ],
    ids=lambda text: text[:8],
)
def test_no_text_is_slow(text: str) -> None:
    start = time.perf_counter()
    for step in find_steps(text)[:100]:
        calculation_of(text, step)
    assert time.perf_counter() - start < 5  # a bound on hanging, not a measurement
