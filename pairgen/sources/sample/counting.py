r"""MATH-like exercises: counting and chance."""

from fractions import Fraction
from math import comb, factorial, gcd, perm

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear
from pairgen.sources.sample.exercise import Backward, Exercise, boxed, frac
from pairgen.sources.sample.numbers import latex, tidy


def choosing(d: Draw, r: Draw) -> Exercise:
    """Ways to choose a few out of many."""
    n, k = d.whole(6, 24), d.whole(2, 4)
    thing, group = d.pick(
        (
            ("players", "a team"),
            ("books", "a parcel"),
            ("students", "a committee"),
            ("flavors", "a mix"),
            ("cards", "a hand"),
        )
    )
    above, below = r" \cdot ".join(str(n - i) for i in range(k)), r" \cdot ".join(str(k - i) for i in range(k))
    value = comb(n, k)
    return Exercise(
        (
            f"In how many ways can ${k}$ of ${n}$ {thing} be chosen for {group}?",
            f"There are ${n}$ {thing}, and {group} takes ${k}$ of them. How many choices are there?",
        ),
        (
            r.pick(
                ("The order does not matter.", "Only who or what is chosen counts, not the order.", "We count sets.")
            ),
            rf"\[\binom{{{n}}}{{{k}}} = {frac(above, below)} = {frac(perm(n, k), factorial(k))} = {boxed(value)}.\]",
        ),
        latex(value),
    )


def offices(d: Draw, r: Draw) -> Exercise:
    """Ways to fill different posts with different people."""
    n = d.whole(5, 60)
    roles = d.some(("a president", "a treasurer", "a secretary", "a coach", "a speaker", "a captain"), d.whole(2, 3))
    factors = [n - i for i in range(len(roles))]
    listed = ", ".join(roles[:-1]) + f" and {roles[-1]}"
    shown = r" \cdot ".join(map(str, factors))
    value = perm(n, len(roles))
    return Exercise(
        (
            f"A club of ${n}$ people elects {listed}, all different. In how many ways is that possible?",
            f"How many ways are there to pick {listed} from ${n}$ people if nobody takes two posts?",
        ),
        (
            (
                f"{r.pick(('For the first post there are', 'The first post can be filled by'))} ${n}$ people, "
                "and for each further post there is one person fewer."
            ),
            rf"This gives ${shown} = {boxed(value)}$ ways.",
        ),
        latex(value),
    )


def outfits(d: Draw, r: Draw) -> Exercise:
    """Independent choices."""
    a, b, c = d.whole(2, 15), d.whole(2, 15), d.whole(2, 12)
    x, y, z = d.some(("shirts", "hats", "scarves", "pairs of shoes", "jackets", "skirts", "belts", "bags"), 3)
    value = a * b * c
    return Exercise(
        (
            f"Someone owns ${a}$ {x}, ${b}$ {y} and ${c}$ {z}. How many ways are there to take one of each?",
            f"From ${a}$ {x}, ${b}$ {y} and ${c}$ {z} one of each is taken. How many combinations are there?",
        ),
        (
            r.pick(("The choices do not depend on each other.", "Each choice goes with each other choice.")),
            rf"So we multiply: ${a} \cdot {b} \cdot {c} = {a * b} \cdot {c} = {boxed(value)}$.",
        ),
        latex(value),
        Backward(
            f"Someone owns ${a}$ {x}, $X$ {y} and ${c}$ {z}. How many ways are there to take one of each?",
            f"Someone owns ${a}$ {x}, $X$ {y} and ${c}$ {z}, and there are ${value}$ ways to take one of each.",
            rf"{a} \cdot X \cdot {c} = {value}",
            Linear(a * c, 0),
            value,
        ),
    )


def drawing(d: Draw, r: Draw) -> Exercise:
    """The chance of two of a kind, drawn without putting back."""
    red, blue = d.whole(2, 15), d.whole(2, 15)
    n = red + blue
    value = latex(tidy(Fraction(red * (red - 1), n * (n - 1))))
    item, color, other = d.pick(("marbles", "balls", "socks", "cards")), *d.some(("red", "blue", "green", "white"), 2)
    over = frac(red * (red - 1), n * (n - 1))
    first = frac(red // gcd(red, n), n // gcd(red, n))
    return Exercise(
        (
            (
                f"A bag holds ${red}$ {color} and ${blue}$ {other} {item}. Two are taken out at random. "
                f"What is the probability that both are {color}?"
            ),
            (
                f"Two {item} are drawn at random from ${red}$ {color} and ${blue}$ {other} ones and not put back. "
                f"Find the probability that both are {color}."
            ),
        ),
        (
            f"The first is {color} with probability ${frac(red, n)}{'' if first == frac(red, n) else f' = {first}'}$.",
            f"{r.pick(('After that', 'Then'))} ${red} - 1 = {red - 1}$ of ${n} - 1 = {n - 1}$ {item} are {color}.",
            (
                rf"So the probability is \[{frac(red, n)} \cdot {frac(red - 1, n - 1)} = {over}"
                rf"{'' if over == value else f' = {value}'}.\]"
            ),
            f"The answer is ${boxed(value)}$.",
        ),
        value,
    )


COUNTING = (
    choosing,
    offices,
    outfits,
    drawing,
)
