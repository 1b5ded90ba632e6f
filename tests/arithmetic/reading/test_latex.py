"""Sides in LaTeX: what is parsed once against parsing each text, and the variables that are known."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.expression import Expr
from pairgen.arithmetic.labels import NO_MATCH, NO_VALUE, Unverified
from pairgen.arithmetic.reading import latex
from pairgen.arithmetic.solution import Solution

PIECES = st.sampled_from(
    [
        *"xyA",
        *"0123",
        *("12", "1{,}500", ".5", "+", "-", r"\cdot ", "/", "^2", "^{", "{", "}", "(", ")", "!", r"\%", r"\$", " "),
        *(r"\frac{", "}{", r"\frac12", r"\frac ", r"\sqrt{", r"\sqrt", r"\binom{", r"\choose ", r"\left(", r"\right)"),
        *(r"\text{ cm}", r"\circ", "^\\circ", "_", r"\pi", ",", r"\,"),
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map("".join)


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except Unverified as error:
        return error.reason


@given(TEXTS, TEXTS)
@example(r"x + 2\frac{", "}{2}")  # a mixed number if it is below 2
@example(r"\frac{3}{", r"} + y")
@example("", r"\frac{1}{2}")
@example("x + ", "!")
@example(r"\binom{5}{", "}")
@example(r"\sqrt ", "x")
@example(r"\sqrt", "x")
@example("5", "x")
@example("", "0")
def test_read_with_equals_reading_each_digit(before: str, after: str) -> None:
    assert outcome(lambda: latex.read_with(before, after)) == outcome(
        lambda: tuple(latex.read(f"{before}{digit}{after}", None) for digit in "012")
    )


@given(TEXTS, st.frozensets(st.sampled_from("xyA")))
def test_read_refuses_unknown_variables_only(text: str, known: frozenset[str]) -> None:
    """Read before with any variables, a side is refused for those that are unknown as if it were read anew."""
    found = outcome(lambda: latex.read(text, known))
    latex._parsed.cache_clear()
    assert outcome(lambda: latex.read(text, known)) == found
    free: Expr | object = outcome(lambda: latex.read(text, None))
    unknown = {*text} & {*"xyA"} - known
    assert found == free or (found == NO_VALUE and unknown)
    if not isinstance(free, str):
        assert (found == NO_VALUE) == bool(unknown)


@pytest.mark.parametrize("first", [r"$\sqrt{4} + 3 = 5$", r"$\cdot$"])
def test_a_reading_does_not_depend_on_those_before(first: str) -> None:
    """The sum was once found in a cache under that of the root, and verified."""

    def reasons(text: str) -> list[object]:
        solution = Solution(text, len(text))
        return [outcome(lambda step=step: solution.check(step).expression) for step in solution.steps]  # type: ignore[misc]

    reasons(first)
    assert reasons(r"\quad $-4 + 3 = 5$") == [NO_MATCH]
