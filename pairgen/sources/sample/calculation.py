r"""MATH-like exercises: fractions, powers, roots, percents, ratios, means and remainders."""

from fractions import Fraction
from math import lcm

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear
from pairgen.sources.sample.exercise import Backward, Exercise, boxed, frac, nonzero, root, signed
from pairgen.sources.sample.numbers import divide, latex, tidy


def fraction_sum(d: Draw, r: Draw) -> Exercise:
    """Two fractions added or subtracted."""
    b, e = d.some((3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 20), 2)
    p, q = Fraction(d.whole(1, b - 1), b), Fraction(d.whole(1, e - 1), e)
    plus = d.chance(0.6)
    total = tidy(p + q if plus else p - q)
    sign = "+" if plus else "-"
    common = lcm(p.denominator, q.denominator)
    up, uq = int(p * common), int(q * common)
    asked = f"{latex(tidy(p))} {sign} {latex(tidy(q))}"
    merged = frac(f"{up} {sign} {uq}", common)
    over = frac(up + uq if plus else up - uq, common)
    steps = f"{asked} = {frac(up, common)} {sign} {frac(uq, common)} = {merged} = {over}"
    return Exercise(
        (
            f"Compute ${asked}$ and express the answer in lowest terms.",
            f"What is ${asked}$ as a common fraction?",
            f"Simplify ${asked}$.",
        ),
        (
            r.pick(("Both can be written over", "We bring both over", "A common denominator is")) + f" ${common}$.",
            rf"\[{steps}{'' if over == latex(total) else f' = {latex(total)}'}.\]",
            f"The result is ${boxed(latex(total))}$.",
        ),
        latex(total),
    )


def fraction_product(d: Draw, r: Draw) -> Exercise:
    """Three fractions multiplied, the last perhaps turned over."""
    a, b, c, e = d.whole(2, 12), d.whole(2, 12), d.whole(2, 12), d.whole(2, 12)
    n = d.whole(2, 30)
    value = tidy(Fraction(a, b) * Fraction(c, e) * n)
    asked = rf"{frac(a, b)} \cdot {frac(c, e)} \cdot {n}"
    above, below = rf"{a} \cdot {c} \cdot {n}", rf"{b} \cdot {e}"
    over = frac(a * c * n, b * e)
    return Exercise(
        (f"Compute ${asked}$.", f"Simplify the product ${asked}$.", f"What is the value of ${asked}$?"),
        (
            r.pick(("We multiply above and below the line.", "Everything goes over one line.", "Collect the factors.")),
            (
                f"${asked} = {frac(above, below)} = {over}{'' if over == latex(value) else f' = {latex(value)}'}$,"
                f" so the answer is ${boxed(latex(value))}$."
            ),
        ),
        latex(value),
    )


def powers(d: Draw, r: Draw) -> Exercise:
    """Products and quotients of powers of one base."""
    base, a, b = d.pick((2, 3, 5, 7, 10, 11)), d.whole(5, 16), d.whole(5, 16)
    left = d.whole(1, {2: 9, 3: 6, 5: 4, 7: 3, 10: 5, 11: 2}[base])
    c = a + b - left
    asked = frac(rf"{base}^{{{a}}} \cdot {base}^{{{b}}}", f"{base}^{{{c}}}")
    return Exercise(
        (f"Simplify ${asked}$.", f"What is the value of ${asked}$?", f"Write ${asked}$ as a whole number."),
        (
            r.pick(
                ("Exponents add up above the line.", "We add and subtract exponents.", "All powers share one base.")
            ),
            rf"\[{asked} = {base}^{{{a} + {b} - {c}}} = {base}^{{{left}}} = {boxed(base**left)}.\]",
        ),
        latex(base**left),
    )


def root_product(d: Draw, r: Draw) -> Exercise:
    """The product of two square roots in simplest form."""
    a, b, k = d.whole(2, 30), d.whole(2, 30), d.whole(1, 9)
    inside, (written, outer, inner) = a * b, root(a * b)
    answer = latex(k * outer) if inner == 1 else f"{k * outer if k * outer > 1 else ''}\\sqrt{{{inner}}}"
    asked = rf"{k if k > 1 else ''}\sqrt{{{a}}} \cdot \sqrt{{{b}}}"
    joined = rf"{k if k > 1 else ''}\sqrt{{{inside}}}"
    simpler = f" = {k} \\cdot {written}" if k > 1 and outer > 1 else ""
    return Exercise(
        (f"Simplify ${asked}$.", f"Write ${asked}$ in simplest radical form."),
        (
            r.pick(("The product of the roots is the root of the product.", "We multiply under the root.")),
            f"${asked} = {joined}{simpler} = {boxed(answer)}$.",
        ),
        answer,
    )


def order_of_operations(d: Draw, r: Draw) -> Exercise:
    """A calculation with a bracket, a power and a product."""
    a, b, c, e, k = d.whole(20, 200), d.whole(2, 9), d.whole(5, 15), d.whole(1, 4), nonzero(d, 30)
    gap = c - e
    value = a - b * gap**2 + k
    asked = rf"{a} - {b} \cdot ({c} - {e})^2 {signed(k)}"
    power = rf"{a} - {b} \cdot {gap}^2 {signed(k)} = {a} - {b} \cdot {gap**2} {signed(k)}"
    return Exercise(
        (f"Evaluate ${asked}$.", f"What is the value of ${asked}$?", f"Compute ${asked}$."),
        (
            r.pick(("Brackets and powers come first.", "The bracket is done first, then the power, then the product.")),
            rf"\[{asked} = {power} = {a} - {b * gap**2} {signed(k)} = {boxed(value)}.\]",
        ),
        latex(value),
        Backward(
            rf"What is the value of $X - {b} \cdot ({c} - {e})^2 {signed(k)}$?",
            rf"We have $X - {b} \cdot ({c} - {e})^2 {signed(k)} = {value}$.",
            f"X - {b * gap**2} {signed(k)} = {value}",
            Linear(1, k - b * gap**2),
            value,
        ),
    )


def percent_of_percent(d: Draw, r: Draw) -> Exercise:
    """A part of a part."""
    p, q, n = d.whole(5, 95, 5), d.whole(10, 90, 10), d.whole(40, 2000, 20)
    part = tidy(Fraction(q * n, 100))
    value = tidy(Fraction(p * part, 100))
    return Exercise(
        (
            rf"What is ${p}\%$ of ${q}\%$ of ${n}$?",
            rf"Find ${p}\%$ of the number that is ${q}\%$ of ${n}$.",
            rf"A number equals ${q}\%$ of ${n}$. How much is ${p}\%$ of it?",
        ),
        (
            (
                rf"{r.pick(('First', 'To begin,', 'We know that'))} ${q}\%$ of ${n}$ is "
                rf"${frac(q, 100)} \cdot {n} = {latex(part)}$."
            ),
            (
                rf"{r.pick(('Then', 'Next,', 'So'))} ${p}\%$ of that is "
                rf"${frac(p, 100)} \cdot {latex(part)} = {boxed(latex(value))}$."
            ),
        ),
        latex(value),
        Backward(
            rf"What is ${p}\%$ of ${q}\%$ of $X$?",
            rf"It is known that ${p}\%$ of ${q}\%$ of $X$ is ${latex(value)}$.",
            rf"{frac(p, 100)} \cdot {frac(q, 100)} \cdot X = {latex(value)}",
            Linear(Fraction(p * q, 10000), 0),
            value,
        ),
    )


def ratio_split(d: Draw, r: Draw) -> Exercise:
    """A whole divided in a ratio."""
    a, b = d.some(range(1, 13), 2)
    unit = d.whole(3, 60)
    thing = d.pick(("marbles", "coins", "tickets", "acres of land", "points", "cards", "dollars", "grams of gold"))
    whole, value = (a + b) * unit, max(a, b) * unit
    share = frac(whole, f"{a} + {b}")
    large = max(a, b)
    return Exercise(
        (
            f"Two people divide ${whole}$ {thing} in the ratio ${a}:{b}$. How large is the larger share?",
            f"A total of ${whole}$ {thing} is split in the ratio ${a}:{b}$. What does the larger part come to?",
        ),
        (
            r.pick(
                (f"One part is ${share} = {unit}$.", f"There are ${a} + {b} = {a + b}$ parts of ${share} = {unit}$.")
            ),
            rf"The larger share consists of ${large}$ parts, so it is ${large} \cdot {unit} = {boxed(value)}$.",
        ),
        latex(value),
        Backward(
            f"Two people divide $X$ {thing} in the ratio ${a}:{b}$. How large is the larger share?",
            f"When two people divide $X$ {thing} in the ratio ${a}:{b}$, the larger share is ${value}$.",
            rf"{frac(large, a + b)} \cdot X = {value}",
            Linear(Fraction(large, a + b), 0),
            value,
        ),
    )


def remainder(d: Draw, r: Draw) -> Exercise:
    """The remainder of a product, found from the remainders of its factors."""
    m, a, b = d.whole(5, 15), d.whole(20, 150), d.whole(20, 150)
    ra, rb = a % m, b % m
    value = ra * rb % m
    reduced = rf"{ra} \cdot {rb} = {ra * rb}"
    same = f"which leaves ${boxed(value)}$" if ra * rb >= m else f"so the remainder is ${boxed(value)}$"
    return Exercise(
        (
            rf"What is the remainder when ${a} \cdot {b}$ is divided by ${m}$?",
            rf"Find the remainder of the product ${a} \cdot {b}$ upon division by ${m}$.",
        ),
        (
            (
                rf"{r.pick(('Note that', 'We have', 'First,'))} ${a} = {m} \cdot {a // m} + {ra}$ and "
                rf"${b} = {m} \cdot {b // m} + {rb}$."
            ),
            (
                f"{r.pick(('It is enough to multiply the remainders:', 'So the product leaves the same remainder as'))}"
                f" ${reduced}$, {same}."
            ),
        ),
        latex(value),
    )


def missing_mean(d: Draw, r: Draw) -> Exercise:
    """The mean of a few numbers."""
    numbers = [d.whole(3, 60) for _ in range(d.whole(4, 6))]
    total, count = sum(numbers), len(numbers)
    value = latex(divide(total, count))
    shown, added = ", ".join(map(str, numbers)), " + ".join(map(str, numbers))
    known = ", ".join(map(str, numbers[:-1]))
    return Exercise(
        (
            f"What is the mean of the numbers ${shown}$?",
            f"Find the average of ${shown}$.",
            f"Compute the arithmetic mean of ${shown}$.",
        ),
        (
            f"{r.pick(('Their sum is', 'The numbers add up to', 'First we add:'))} ${added} = {total}$.",
            (
                f"There are ${count}$ numbers, so the mean is ${frac(total, count)}"
                f"{'' if frac(total, count) == value else f' = {value}'}$, that is, ${boxed(value)}$."
            ),
        ),
        value,
        Backward(
            f"What is the mean of the numbers ${known}, X$?",
            f"The mean of the numbers ${known}, X$ is ${value}$.",
            f"{frac(' + '.join([*map(str, numbers[:-1]), 'X']), count)} = {value}",
            Linear(1, total - numbers[-1]),
            total,
        ),
    )


CALCULATION = (
    fraction_sum,
    fraction_product,
    powers,
    root_product,
    order_of_operations,
    percent_of_percent,
    ratio_split,
    remainder,
    missing_mean,
)
