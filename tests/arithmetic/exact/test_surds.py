"""The surd evaluator: known values, algebraic laws, comparison with sympy, and fast termination on any text."""

import time
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.exact import expression as tree
from pairgen.arithmetic.exact import surds
from pairgen.arithmetic.exact.evaluate import evaluate_text, exact_value
from pairgen.arithmetic.exact.ratios import NotExact, equal

F = Fraction


def surd_of(text: str) -> surds.Surd | None:
    """The value of an expression as a surd, rational or not; None if it has none."""
    expr = tree.parse(text)
    if expr is None:
        return None
    try:
        return surds.surd(exact_value(expr, {}, surds.WorkBudget()))
    except NotExact:
        return None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0", {}),
        ("3 - 3", {}),
        ("1.50", {(1, 0): F(3, 2)}),
        (".5 * 4", {(1, 0): F(2)}),
        ("2 - 3 - 4", {(1, 0): F(-5)}),
        ("12/3/2", {(1, 0): F(2)}),
        ("-2**2", {(1, 0): F(-4)}),
        ("(-2)**2", {(1, 0): F(4)}),
        ("2**-1", {(1, 0): F(1, 2)}),
        ("2*-3", {(1, 0): F(-6)}),
        ("2**3**2", {(1, 0): F(512)}),
        ("2**-3**2", {(1, 0): F(1, 512)}),
        ("2**2**-1", {(2, 0): F(1)}),
        ("0**0", {(1, 0): F(1)}),
        ("(2/3)**-2", {(1, 0): F(9, 4)}),
        ("4**0.5", {(1, 0): F(2)}),
        ("8**(2/3)", {(1, 0): F(4)}),
        ("(8/27)**(-1/3)", {(1, 0): F(3, 2)}),
        ("0**(1/3)", {}),
        ("1**(1/5)", {(1, 0): F(1)}),
        ("16**(1/4)", {(1, 0): F(2)}),
        ("4**(1/4)", {(2, 0): F(1)}),
        ("2**(3/2)", {(2, 0): F(2)}),
        ("2**(-1/2)", {(2, 0): F(1, 2)}),
        ("sqrt(0)", {}),
        ("sqrt(12)", {(3, 0): F(2)}),
        ("sqrt (1/2)", {(2, 0): F(1, 2)}),
        ("sqrt(8/27)", {(6, 0): F(2, 9)}),
        ("sqrt(6)*sqrt(10)", {(15, 0): F(2)}),
        ("sqrt(sqrt(16))", {(1, 0): F(2)}),
        ("sqrt(2) + sqrt(8)", {(2, 0): F(3)}),
        ("sqrt(2) + sqrt(3)", {(2, 0): F(1), (3, 0): F(1)}),
        ("1/sqrt(2)", {(2, 0): F(1, 2)}),
        ("1/(1 + sqrt(2))", {(1, 0): F(-1), (2, 0): F(1)}),
        ("1/(sqrt(3) - sqrt(2))", {(2, 0): F(1), (3, 0): F(1)}),
        ("(1 + sqrt(2))**-2", {(1, 0): F(3), (2, 0): F(-2)}),
        ("1/(pi + pi*sqrt(2))", {(1, -1): F(-1), (2, -1): F(1)}),
        ("4*pi/3 * 3**3", {(1, 1): F(36)}),
        ("pi*pi", {(1, 2): F(1)}),
        ("sqrt(2)*pi/sqrt(8)", {(1, 1): F(1, 2)}),
        ("(1 + pi)**2", {(1, 0): F(1), (1, 1): F(2), (1, 2): F(1)}),
        ("sqrt(99999999977)", {(99999999977, 0): F(1)}),  # prime or of two primes: squarefree either way
        ("sqrt(10007**2)", {(1, 0): F(10007)}),
        ("sqrt(3*10007**4)", {(3, 0): F(10007**2)}),
        ("sqrt(10007*10009)", {(10007 * 10009, 0): F(1)}),
    ],
)
def test_exact_value_known_values(expression: str, value: surds.Surd) -> None:
    assert surd_of(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", "()", "1 2", "(1", "1)", "1 +", "* 2", "2 * * 3", "2 ** ", "** 2", "2(3)", "--1", "2**--1", "+1"),
        *(
            "1e5",
            "5.",
            ".",
            "1..2",
            "2pi",
            "pi(2)",
            "2sqrt(4)",
            "sqrt",
            "sqrt 4",
            "sqrt()",
            "sqrtpi",
            "pie",
            "2//1",
            "٣",
        ),
        *("1/0", "0**-1", "1/(sqrt(2) - sqrt(2))", "1/(pi - pi)"),
        *("sqrt(-1)", "sqrt(pi)", "sqrt(pi**2)", "sqrt(sqrt(2))", "(-8)**(1/3)", "(-4)**(1/2)", "2**(1/3)", "2**(1/4)"),
        *("2**sqrt(2)", "2**pi", "pi**(1/2)", "1**(1/13)", "2**65", "(pi**64)*pi"),
        *("1/(1 + pi)", "1/(1 + sqrt(2) + sqrt(3))"),
        "sqrt(10007*10009*10037)",  # squarefree, but not distinguished from p*p*q: all primes are above the limit
    ],
)
def test_exact_value_raises_not_exact(expression: str) -> None:
    assert surd_of(expression) is None
    assert evaluate_text(expression) is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [("2 - 2", F(0)), ("sqrt(9)/2", F(3, 2)), ("sqrt(2)", None), ("pi", None), ("1 + pi", None)],
)
def test_evaluate_surds_to_rational(expression: str, value: Fraction | None) -> None:
    found = surds.simplified(surd_of(expression) or {})
    assert (Fraction(*found) if isinstance(found, tuple) else None) == value


TREES = st.recursive(
    st.one_of(
        st.integers(0, 30).map(str),
        st.sampled_from(["pi", "0.5", "1.25", "(1/3)"]),
        st.integers(0, 50).map("sqrt({})".format),
    ),
    lambda children: st.one_of(
        st.tuples(st.just("("), children, st.sampled_from([" + ", " - ", "*"]), children, st.just(")")).map("".join),
        children.map("(-{})".format),
        st.tuples(children.map("({})**".format), st.integers(0, 3).map(str)).map("".join),
    ),
    max_leaves=6,
)
WIDE_TREES = st.recursive(
    TREES,
    lambda children: st.one_of(
        st.tuples(st.just("("), children, st.sampled_from(["/", " - ", "*-"]), children, st.just(")")).map("".join),
        children.map("sqrt({})".format),
        st.tuples(children.map("({})**".format), st.sampled_from(["-2", "-1", "(1/2)", "(-3/2)", "(2/3)", "0.25"])).map(
            "".join
        ),
        children.map("-{}**2".format),
    ),
    max_leaves=3,
)


def zero_in_sympy(expression: str, value: surds.Surd) -> bool:
    stated = sympy.Add(*(sympy.Rational(c) * sympy.sqrt(n) * sympy.pi**k for (n, k), c in value.items()))
    gap = sympy.sympify(expression, rational=True) - stated
    return sympy.expand(gap) == 0 or sympy.expand(sympy.radsimp(gap)) == 0 or sympy.simplify(gap) == 0


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_exact_value_without_division_equals_sympy(expression: str) -> None:
    value = surd_of(expression)
    if value is None:  # only for its size: three digits cubed, and cubed again, fit
        assert len(expression) > tree.MAX_LENGTH or expression.count("**") > 2
        return
    assert zero_in_sympy(expression, value)


@given(WIDE_TREES)
@settings(max_examples=150, deadline=None)
def test_exact_value_equals_sympy_if_defined(expression: str) -> None:
    value = surd_of(expression)
    if value is None:
        return
    assert zero_in_sympy(expression, value)
    assert all(value.values())
    assert all(n >= 1 and all(times == 1 for times in sympy.factorint(n).values()) for n, _ in value)
    number = surds.simplified(value)
    ratio = evaluate_text(expression)
    assert (ratio is not None) == isinstance(number, tuple)
    assert ratio is None or (ratio[1] > 0 and equal(ratio, number))


@given(TREES, TREES, TREES)
@settings(max_examples=100, deadline=None)
def test_surds_satisfy_ring_axioms(a: str, b: str, c: str) -> None:
    laws = [
        (f"({a}+{b})*({a}-{b})", f"({a})**2-({b})**2"),
        (f"({a})*({b})", f"({b})*({a})"),
        (f"({a})*({b}+{c})", f"{a}*{b}+{a}*{c}"),
        (f"{a}-({b}-{c})", f"{a}-{b}+{c}"),
        (f"{a}-{a}", "0"),
    ]
    for left, right in laws:
        one, other = surd_of(left), surd_of(right)
        assert one == other or one is None or other is None


@given(st.integers(0, 10**11), st.integers(1, 10**11))
@settings(max_examples=100, deadline=None)
def test_root_product_and_power(n: int, m: int) -> None:
    assert surd_of(f"sqrt({n})**2") == surd_of(f"{n}")
    assert surd_of(f"sqrt({n})*sqrt({m})") == surd_of(f"sqrt({n})*({m})**(1/2)")
    assert surd_of(f"sqrt({n}**2)") == surd_of(f"{n}")
    assert surd_of(f"sqrt({n}/{m})*sqrt({m})") == surd_of(f"sqrt({n})")
    assert surd_of(f"({n}+sqrt({m}))/({n}+sqrt({m}))") == {(1, 0): F(1)}
    assert surd_of(f"({n}**5)**(1/5)") == surd_of(f"{n}")


def seconds(expression: str) -> float:
    start = time.perf_counter()
    surd_of(expression)
    return time.perf_counter() - start


BOUND = 5.0
"""Seconds; a generous limit to detect hanging. The slowest known text takes a tenth of a second."""


@given(
    st.one_of(
        st.text("0123456789.+-*/() sqrtpi", max_size=300),
        st.lists(
            st.sampled_from([*"0123456789.+-*/()", "**", "sqrt(", "pi", "99999", "**64", "(1+pi)", "sqrt(7)"]),
            max_size=150,
        ).map("".join),
        st.tuples(WIDE_TREES, st.sampled_from(["**64", "**63**(1/2)", "**8**2", "**-64"])).map("({0[0]}){0[1]}".format),
    )
)
@settings(max_examples=300, deadline=None)
def test_evaluate_text_terminates(text: str) -> None:
    assert seconds(text) < BOUND


PRIMES = list(sympy.primerange(2, 100))
PRODUCT = "*".join(f"(1+sqrt({p}))" for p in PRIMES)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9" * 1_000_000,
        "2**" * 99 + "2",
        "(" * 300,
        "(" * 140 + "2**2" + ")" * 140,
        "-" * 300,
        "2**-9999999999",
        "2**(1/9999999999)",
        "sqrt(" * 60,
        "sqrt(" * 59 + "2" + ")" * 59,
        "(1/3)**64**64",
        "((1/3)**64)**64",
        "99999999999999999999**64",
        "(((99999**4)**4)**8)**64",
        "0." + "0" * 280 + "1**64",
        PRODUCT[:300].rpartition("*")[0],
        "(1+pi)**64",  # one term too many
        "(" + PRODUCT.rsplit("*", len(PRIMES) - 6)[0] + ")**11",  # 64 terms, and too much work
        "1**" * 99 + "1",  # too deep
        "(" + "+".join(f"sqrt({p})" for p in PRIMES[:20]) + ")**64",
        "sqrt(1" + "0" * 280 + "7)",
        "(" + "9" * 280 + ")**(1/11)",
    ],
)
def test_surds_reject_hostile_text_quickly(text: str) -> None:
    assert surd_of(text) is None
    assert seconds(text) < BOUND


@pytest.mark.parametrize(
    "text",
    [
        "(1+sqrt(2)+sqrt(3)+sqrt(5))**64",
        "+".join(["(1+pi)**63"] * 27),
        "+".join(["(9876543/1234567+pi)**40"] * 11),
        "({0})**3*({0})**2".format("*".join(f"(1+sqrt({p}))" for p in PRIMES[:6])),
        "*".join(f"sqrt({p})" for p in PRIMES),
        "1**" * 45 + "1",
    ],
)
def test_large_text_terminates(text: str) -> None:
    assert len(text) <= tree.MAX_LENGTH
    assert seconds(text) < BOUND


def test_multiply_combines_many_square_roots() -> None:
    primes = PRIMES[:20]
    product = 1
    for prime in primes:
        product *= prime
    assert surd_of("*".join(f"sqrt({p})" for p in primes)) == {(product, 0): F(1)}
