r"""MATH-like exercises: lengths, areas, angles and coordinates."""

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear
from pairgen.sources.sample.exercise import Backward, Exercise, boxed, frac, grouped, root, signed
from pairgen.sources.sample.numbers import divide, latex


def triangle_area(d: Draw, r: Draw) -> Exercise:
    """Half of base times height."""
    base, height = d.whole(3, 60), d.whole(3, 60)
    value = divide(base * height, 2)
    formula = rf"{frac(1, 2)} \cdot {base} \cdot {height}"
    return Exercise(
        (
            f"A triangle has a base of length ${base}$ and the height on it is ${height}$. What is its area?",
            f"Find the area of a triangle with base ${base}$ and height ${height}$.",
        ),
        (
            r.pick(
                ("The area is half of base times height.", "A triangle is half of a parallelogram.", "By the formula:")
            ),
            rf"\[{formula} = {frac(base * height, 2)} = {boxed(latex(value))}.\]"
            if (base * height) % 2 == 0
            else rf"\[{formula} = {boxed(latex(value))}.\]",
        ),
        latex(value),
        Backward(
            f"A triangle has a base of length ${base}$ and the height on it is $X$. What is its area?",
            f"A triangle with base ${base}$ and height $X$ has area ${latex(value)}$.",
            rf"{frac(1, 2)} \cdot {base} \cdot X = {latex(value)}",
            Linear(divide(base, 2), 0),
            value,
        ),
    )


def rectangle_from_perimeter(d: Draw, r: Draw) -> Exercise:
    """The area of a rectangle whose perimeter and length are known."""
    long, wide = d.whole(6, 50), d.whole(2, 40)
    around = 2 * (long + wide)
    return Exercise(
        (
            f"The perimeter of a rectangle is ${around}$ and one side is ${long}$. Find its area.",
            f"A rectangle with one side of length ${long}$ has perimeter ${around}$. What is its area?",
        ),
        (
            rf"{r.pick(('The other side is', 'The missing side is'))} ${frac(around, 2)} - {long} = {wide}$.",
            rf"{r.pick(('So', 'Hence', 'It follows that'))} the area is ${long} \cdot {wide} = {boxed(long * wide)}$.",
        ),
        latex(long * wide),
    )


def ring(d: Draw, r: Draw) -> Exercise:
    """The area between two circles with one center."""
    small, gap = d.whole(2, 30), d.whole(1, 20)
    large = small + gap
    value = large**2 - small**2
    answer = rf"{value}\pi"
    return Exercise(
        (
            f"Two circles share a center; their radii are ${small}$ and ${large}$. What is the area between them?",
            f"Find the area of a ring with inner radius ${small}$ and outer radius ${large}$.",
        ),
        (
            r.pick(("We subtract the small disk from the large one.", "The ring is a difference of two disks.")),
            rf"\[\pi \cdot {large}^2 - \pi \cdot {small}^2 = {large**2}\pi - {small**2}\pi = {boxed(answer)}.\]",
        ),
        answer,
    )


def hypotenuse(d: Draw, r: Draw) -> Exercise:
    """The long side of a right triangle."""
    a, b = d.whole(2, 40), d.whole(2, 40)
    square = a * a + b * b
    value = root(square)[0]
    plain_root = rf"\sqrt{{{square}}}"
    simpler = "" if value == plain_root else f" = {value}"
    return Exercise(
        (
            f"The legs of a right triangle are ${a}$ and ${b}$. How long is the hypotenuse?",
            f"In a right triangle the two shorter sides measure ${a}$ and ${b}$. Find the longest side.",
        ),
        (
            r.pick(("By the Pythagorean theorem,", "The squares of the legs add up to the square we need, so"))
            + rf" its length is \[\sqrt{{{a}^2 + {b}^2}} = \sqrt{{{a * a} + {b * b}}} = {plain_root}{simpler}.\]",
            f"{r.pick(('The answer is', 'This means the length is'))} ${boxed(value)}$.",
        ),
        value,
    )


def polygon_angles(d: Draw, r: Draw) -> Exercise:
    """The last angle of a polygon of which the others are known."""
    sides = d.whole(4, 7)
    total = 180 * (sides - 2)
    known = [d.whole(60, 175) for _ in range(sides - 1)]
    last = total - sum(known)
    while not 20 <= last < 180 * 2 - 20 or last == 180:
        known = [d.whole(60, 175) for _ in range(sides - 1)]
        last = total - sum(known)
    name = {4: "quadrilateral", 5: "pentagon", 6: "hexagon", 7: "heptagon"}[sides]
    shown, added = ", ".join(map(str, known)), " + ".join(map(str, known))
    hidden = ", ".join(["X", *map(str, known[1:])])
    return Exercise(
        (
            f"All angles of a {name} but one measure ${shown}$ degrees. How many degrees is the last one?",
            f"In a {name}, ${sides - 1}$ of the angles are ${shown}$ degrees. Find the other angle in degrees.",
        ),
        (
            rf"The angles of a {name} add up to $180 \cdot ({sides} - 2) = {total}$ degrees.",
            (
                f"{r.pick(('The known ones make', 'Together the others are'))} ${added} = {sum(known)}$,"
                f" which leaves ${total} - {sum(known)} = {boxed(last)}$."
            ),
        ),
        latex(last),
        Backward(
            f"All angles of a {name} but one measure ${hidden}$ degrees. How many degrees is the last one?",
            f"The angles of a {name} measure ${hidden}$ and ${last}$ degrees.",
            f"{' + '.join(['X', *map(str, known[1:])])} + {last} = {total}",
            Linear(1, total - known[0]),
            total,
        ),
    )


def box_volume(d: Draw, r: Draw) -> Exercise:
    """The volume of a box."""
    a, b, c = d.whole(2, 20), d.whole(2, 20), d.whole(2, 30)
    return Exercise(
        (
            f"A box is ${a}$ long, ${b}$ wide and ${c}$ high. What is its volume?",
            f"What is the volume of a rectangular prism with edges ${a}$, ${b}$ and ${c}$?",
        ),
        (
            r.pick(("The three edges are multiplied.", "Volume is base area times height.", "We multiply.")),
            rf"\[{a} \cdot {b} \cdot {c} = {a * b} \cdot {c} = {boxed(a * b * c)}.\]",
        ),
        latex(a * b * c),
        Backward(
            f"A box is ${a}$ long, ${b}$ wide and $X$ high. What is its volume?",
            f"A box that is ${a}$ long, ${b}$ wide and $X$ high has volume ${a * b * c}$.",
            rf"{a} \cdot {b} \cdot X = {a * b * c}",
            Linear(a * b, 0),
            a * b * c,
        ),
    )


def midpoint(d: Draw, r: Draw) -> Exercise:
    """The point halfway between two points."""
    x1, y1, x2, y2 = (d.whole(-15, 20) for _ in range(4))
    mx, my = latex(divide(x1 + x2, 2)), latex(divide(y1 + y2, 2))
    answer = f"({mx}, {my})"
    first, second = frac(f"{x1} {signed(x2)}", 2), frac(f"{y1} {signed(y2)}", 2)
    return Exercise(
        (
            f"What is the midpoint of the segment from $({x1}, {y1})$ to $({x2}, {y2})$?",
            f"Find the point halfway between $({x1}, {y1})$ and $({x2}, {y2})$.",
        ),
        (
            r.pick(("We average each coordinate.", "Its coordinates are means.", "Take the mean of both coordinates.")),
            f"They are ${first} = {mx}$ and ${second} = {my}$, so the point is ${boxed(answer)}$.",
        ),
        answer,
    )


def slope(d: Draw, r: Draw) -> Exercise:
    """The slope of a line through two points."""
    x1, y1, run, rise = d.whole(-12, 12), d.whole(-12, 12), d.whole(2, 12), d.whole(-15, 15)
    value = latex(divide(rise, run))
    x2, y2 = x1 + run, y1 + rise
    quotient = frac(f"{y2} - {grouped(y1)}", f"{x2} - {grouped(x1)}")
    over = frac(rise, run)
    return Exercise(
        (
            f"What is the slope of the line through $({x1}, {y1})$ and $({x2}, {y2})$?",
            f"A line passes through $({x1}, {y1})$ and $({x2}, {y2})$. Find its slope.",
        ),
        (
            r.pick(("The slope is rise over run.", "We divide the rise by the run.", "Compare the coordinates.")),
            rf"\[{quotient} = {over}{'' if over == value else f' = {value}'}\]",
            f"{r.pick(('Thus the slope is', 'The answer is'))} ${boxed(value)}$.",
        ),
        value,
    )


GEOMETRY = (
    triangle_area,
    rectangle_from_perimeter,
    ring,
    hypotenuse,
    polygon_angles,
    box_volume,
    midpoint,
    slope,
)
