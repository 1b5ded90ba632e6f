r"""MATH-like exercises: equations, functions and sequences."""

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear
from pairgen.sources.sample.exercise import (
    LETTERS,
    Backward,
    Exercise,
    boxed,
    frac,
    grouped,
    nonzero,
    polynomial,
    signed,
    term,
)
from pairgen.sources.sample.numbers import divide, latex


def linear_equation(d: Draw, r: Draw) -> Exercise:
    """One unknown, one side."""
    v, a, b, x = d.pick(LETTERS), d.whole(2, 12), nonzero(d, 40), d.whole(-9, 15)
    c = a * x + b
    left = polynomial((a, v), (b, ""))
    verb = r.pick(("Subtracting", "We take away")) if b > 0 else r.pick(("Adding", "We add"))
    join = "from" if b > 0 else "to"
    found = f"{v} = {frac(c - b, a)} = {boxed(x)}"
    return Exercise(
        (
            f"Solve for ${v}$: ${left} = {c}$.",
            f"If ${left} = {c}$, what is the value of ${v}$?",
            f"For which number ${v}$ is ${left}$ equal to ${c}$?",
        ),
        (
            (
                f"{verb} ${abs(b)}$ {join} both sides{' and get' if verb[0] == 'W' else ' gives'} "
                f"${term(a, v)} = {c} {signed(-b)} = {c - b}$."
            ),
            r.pick((f"Dividing by ${a}$ shows that ${found}$.", f"Hence ${found}$.", rf"So we have \[{found}.\]")),
        ),
        latex(x),
        Backward(
            f"If ${term(a, v)} + X = {c}$, what is the value of ${v}$?",
            f"The solution of ${term(a, v)} + X = {c}$ is ${v} = {x}$.",
            rf"{a} \cdot {grouped(x)} + X = {c}",
            Linear(1, a * x),
            c,
        ),
    )


def two_sided_equation(d: Draw, r: Draw) -> Exercise:
    """One unknown on both sides; the solution may be a fraction."""
    v, c, rest, over = d.pick(LETTERS), d.whole(2, 9), d.whole(2, 9), nonzero(d, 30)
    a, b = c + rest, nonzero(d, 20)
    e = b + over  # ax + b = cx + e, so rest * x = over
    x = latex(divide(over, rest))
    left, right = polynomial((a, v), (b, "")), polynomial((c, v), (e, ""))
    return Exercise(
        (
            f"Find the value of ${v}$ if ${left} = {right}$.",
            f"Solve the equation ${left} = {right}$.",
            f"The expressions ${left}$ and ${right}$ are equal. What is ${v}$?",
        ),
        (
            r.pick(
                (
                    f"Moving ${term(c, v)}$ to the left gives ${polynomial((rest, v), (b, ''))} = {e}$.",
                    f"Subtract ${term(c, v)}$ on both sides: ${polynomial((rest, v), (b, ''))} = {e}$.",
                )
            ),
            f"Then ${term(rest, v)} = {e} {signed(-b)} = {over}$, so ${v} = {boxed(x)}$.",
        ),
        x,
    )


def polynomial_value(d: Draw, r: Draw) -> Exercise:
    """A quadratic function at one place."""
    f, v, a, b, c, k = d.pick("fgh"), d.pick("xtn"), nonzero(d, 6), nonzero(d, 9), nonzero(d, 20), d.whole(-6, 9)
    value = a * k * k + b * k + c
    rule = polynomial((a, f"{v}^2"), (b, v), (c, ""))
    hidden = polynomial((a, f"{v}^2"), (b, v))
    inserted = rf"{a} \cdot {grouped(k)}^2 {signed(b)} \cdot {grouped(k)}"
    return Exercise(
        (
            f"Let ${f}({v}) = {rule}$. What is ${f}({k})$?",
            f"Evaluate ${rule}$ at ${v} = {k}$.",
            f"If ${f}({v}) = {rule}$, compute the value of ${f}({k})$.",
        ),
        (
            r.pick((f"We put ${v} = {k}$ into the formula.", f"We replace ${v}$ by ${k}$.", "It is enough to insert.")),
            rf"\[{inserted} {signed(c)} = {a * k * k} {signed(b * k)} {signed(c)} = {boxed(value)}.\]",
        ),
        latex(value),
        Backward(
            f"Let ${f}({v}) = {hidden} + X$. What is ${f}({k})$?",
            f"For ${f}({v}) = {hidden} + X$ it is known that ${f}({k}) = {value}$.",
            f"{inserted} + X = {value}",
            Linear(1, value - c),
            value,
        ),
    )


def quadratic(d: Draw, r: Draw) -> Exercise:
    """A quadratic equation with whole solutions, found by factoring."""
    v = d.pick("xyzt")
    small, gap = d.whole(-12, 9), d.whole(1, 12)
    large, b, c = small + gap, -(2 * small + gap), small * (small + gap)
    asked = polynomial((1, f"{v}^2"), (b, v), (c, ""))
    factors = "".join(f"({v} {signed(-s)})" if s else v for s in (small, large))
    return Exercise(
        (
            f"What is the larger solution of ${asked} = 0$?",
            f"The equation ${asked} = 0$ has two solutions. Find the larger one.",
            f"Find the greatest number ${v}$ with ${asked} = 0$.",
        ),
        (
            f"{r.pick(('The left side factors:', 'We can factor:', 'Factoring gives'))} ${asked} = {factors}$.",
            f"So ${v} = {small}$ or ${v} = {large}$, and the larger one is ${boxed(large)}$.",
        ),
        latex(large),
    )


def composition(d: Draw, r: Draw) -> Exercise:
    """A linear function of a linear function."""
    v, a, b, c, e, k = d.pick("xtn"), d.whole(2, 9), nonzero(d, 15), d.whole(2, 9), nonzero(d, 12), d.whole(-4, 9)
    inner = c * k + e
    value = a * inner + b
    f, g, gx = polynomial((a, v), (b, "")), polynomial((c, v), (e, "")), rf"{c} \cdot {grouped(k)}"
    return Exercise(
        (
            f"If $f({v}) = {f}$ and $g({v}) = {g}$, what is $f(g({k}))$?",
            f"Let $f({v}) = {f}$ and let $g({v}) = {g}$. Compute $f(g({k}))$.",
        ),
        (
            f"{r.pick(('First,', 'We start inside:', 'To begin,'))} $g({k}) = {gx} {signed(e)} = {inner}$.",
            (
                rf"{r.pick(('Then', 'Hence', 'It follows that'))} $f({inner}) = {a} \cdot {grouped(inner)} {signed(b)}"
                f" = {a * inner} {signed(b)} = {boxed(value)}$."
            ),
        ),
        latex(value),
        Backward(
            f"If $f({v}) = {f}$ and $g({v}) = {term(c, v)} + X$, what is $f(g({k}))$?",
            f"If $f({v}) = {f}$ and $g({v}) = {term(c, v)} + X$, then $f(g({k})) = {value}$.",
            rf"{a}({gx} + X) {signed(b)} = {value}",
            Linear(a, a * c * k + b),
            value,
        ),
    )


def new_operation(d: Draw, r: Draw) -> Exercise:
    """An operation defined for the occasion."""
    sign = d.pick((r"\star", r"\diamond", r"\circ", r"\oplus", r"\ast"))
    p, q, m, n, k = d.whole(2, 9), d.whole(2, 9), d.whole(2, 20), d.whole(2, 20), d.whole(0, 15)
    value = p * m + q * n - k
    rule = polynomial((p, "a"), (q, "b"), (-k, ""))
    tail = f" {signed(-k)}" if k else ""
    return Exercise(
        (
            f"Define $a {sign} b = {rule}$. What is ${m} {sign} {n}$?",
            f"The operation ${sign}$ is given by $a {sign} b = {rule}$. Find ${m} {sign} {n}$.",
        ),
        (
            r.pick((f"Here $a = {m}$ and $b = {n}$.", "We follow the definition.", "By definition we get:")),
            rf"\[{m} {sign} {n} = {p} \cdot {m} + {q} \cdot {n}{tail} = {p * m} + {q * n}{tail} = {boxed(value)}.\]",
        ),
        latex(value),
        Backward(
            f"Define $a {sign} b = {rule}$. What is ${m} {sign} X$?",
            f"Define $a {sign} b = {rule}$. It turns out that ${m} {sign} X = {value}$.",
            rf"{p} \cdot {m} + {q}X{tail} = {value}",
            Linear(q, p * m - k),
            value,
        ),
    )


def sequence_term(d: Draw, r: Draw) -> Exercise:
    """A term of an arithmetic sequence."""
    first, step, n = d.whole(-15, 40), nonzero(d, 12), d.whole(9, 60)
    value = first + (n - 1) * step
    start = ", ".join(str(first + i * step) for i in range(4))
    return Exercise(
        (
            rf"What is term number {n} of the arithmetic sequence ${start}, \dots$?",
            rf"The sequence ${start}, \dots$ goes on in equal steps. Find its term number {n}.",
        ),
        (
            (
                f"{r.pick(('The common difference is', 'Each step adds', 'From term to term we add'))} "
                f"${first + step} - {grouped(first)} = {step}$."
            ),
            (
                f"To reach term {n} we take ${n} - 1 = {n - 1}$ steps, which gives "
                rf"${first} + {n - 1} \cdot {grouped(step)} = {first} {signed((n - 1) * step)} = {boxed(value)}$."
            ),
        ),
        latex(value),
        Backward(
            f"An arithmetic sequence starts with $X$, and its common difference is ${step}$. What is term number {n}?",
            f"Term number {n} of an arithmetic sequence from $X$ on, with common difference ${step}$, is ${value}$.",
            rf"X + {n - 1} \cdot {grouped(step)} = {value}",
            Linear(1, (n - 1) * step),
            value,
        ),
    )


def series_sum(d: Draw, r: Draw) -> Exercise:
    """The sum of an arithmetic series."""
    first, step, n = d.whole(1, 40), d.whole(1, 9), d.whole(5, 50)
    last = first + (n - 1) * step
    total = n * (first + last) // 2
    shown = rf"{first} + {first + step} + {first + 2 * step} + \dots + {last}"
    return Exercise(
        (f"Find the sum ${shown}$.", f"Compute ${shown}$.", f"What do we get when we add up ${shown}$?"),
        (
            (
                rf"There are ${frac(f'{last} - {first}', step)} + 1 = {n}$ terms"
                f"{r.pick((', and', '. Note that', '; clearly'))} their mean is "
                f"${frac(f'{first} + {last}', 2)} = {latex(divide(first + last, 2))}$."
            ),
            rf"The sum is ${n} \cdot {latex(divide(first + last, 2))} = {boxed(total)}$.",
        ),
        latex(total),
    )


ALGEBRA = (
    linear_equation,
    two_sided_equation,
    polynomial_value,
    quadratic,
    composition,
    new_operation,
    sequence_term,
    series_sum,
)
