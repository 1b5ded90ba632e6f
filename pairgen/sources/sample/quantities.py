"""Science questions worked out from numbers: motion, matter, forces, electricity, heat."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.numbers import Value, divide, plain


class Question(NamedTuple):
    """What is asked, the right choice, and choices that are wrong. ``{name}`` in the stem is any person's name."""

    stem: str
    right: str
    wrong: tuple[str, ...]


MOVERS = ("train", "bus", "cyclist", "boat", "toy car", "runner", "drone", "skater", "horse", "robot", "sled", "ferry")
THINGS = ("metal block", "stone", "wooden cube", "glass ball", "piece of plastic", "lump of clay", "mineral sample")
LOADS = ("crate", "cart", "box", "sled", "suitcase", "barrel", "shopping cart", "piano on wheels", "trunk")

# A small unit, a large one, and how many of the small one it holds.
UNITS = (
    ("millimeters", "centimeters", 10),
    ("centimeters", "meters", 100),
    ("meters", "kilometers", 1000),
    ("grams", "kilograms", 1000),
    ("milliliters", "liters", 1000),
    ("milligrams", "grams", 1000),
)


def _amounts(stem: str, right: Value, others: tuple[Value, ...], unit: str) -> Question:
    """Choices that are numbers with a unit; what is not above zero, has no end or equals the right one is left out."""
    wrong = dict.fromkeys(
        f"{plain(other)} {unit}" for other in others if other > 0 and other != right and 100 % other.denominator == 0
    )
    return Question(stem, f"{plain(right)} {unit}", tuple(wrong))


def _product(stem: str, a: int, b: int, unit: str) -> Question:
    """The answer is ``a * b``."""
    return _amounts(stem, a * b, (a + b, 2 * a * b, 10 * a * b, a * b + a, divide(a, b)), unit)


def _quotient(stem: str, a: int, b: int, unit: str) -> Question:
    """The answer is ``a / b``."""
    right = divide(a, b)
    return _amounts(stem, right, (a * b, a + b, a - b, right * 10, right + 1, right * 2), unit)


def motion(d: Draw) -> Question:
    """Distance, speed or time from the other two."""
    mover, speed, time = d.pick(MOVERS), d.whole(2, 30), d.whole(2, 12)
    form = d.whole(0, 2)
    if form == 0:
        stem = f"A {mover} moves at {speed} meters per second for {time} seconds. How far does it get?"
        return _product(stem, speed, time, "meters")
    if form == 1:
        stem = f"A {mover} covers {speed * time} meters in {time} seconds. What is its average speed?"
        return _quotient(stem, speed * time, time, "meters per second")
    stem = f"A {mover} moves at {speed} meters per second. How long does it take for {speed * time} meters?"
    return _quotient(stem, speed * time, speed, "seconds")


def density(d: Draw) -> Question:
    """Density from mass and volume, or whether something floats."""
    thing, volume = d.pick(THINGS), d.whole(2, 40)
    if d.chance(0.5):
        mass = volume * d.whole(2, 12)
        stem = f"A {thing} has a mass of {mass} grams and a volume of {volume} cubic centimeters. What is its density?"
        return _quotient(stem, mass, volume, "grams per cubic centimeter")
    volume, light = volume * 5, d.chance(0.5)
    mass = volume * d.whole(4, 9) // 10 if light else volume * d.whole(12, 40) // 10
    stem = f"A {thing} with a mass of {mass} grams and a volume of {volume} cubic centimeters is dropped into water."
    ends = [
        f"It {does} because it is {how} dense than water." for does in ("floats", "sinks") for how in ("less", "more")
    ]
    right = ends[0] if light else ends[3]
    return Question(f"{stem} What happens?", right, tuple(end for end in ends if end != right))


def push_and_pull(d: Draw) -> Question:
    """Force from mass and acceleration, work from force and distance, or the net force of two."""
    load, a, b = d.pick(LOADS), d.whole(2, 40), d.whole(2, 15)
    form = d.whole(0, 2)
    if form == 0:
        stem = f"What force gives a {load} of {a} kilograms an acceleration of {b} meters per second squared?"
        return _product(stem, a, b, "newtons")
    if form == 1:
        stem = f"A force of {a} newtons moves a {load} over {b} meters. How much work is done?"
        return _product(stem, a, b, "joules")
    strong, weak = (a + b) * 10, a * 10
    ways = d.some(("left", "right"), 2)
    stem = f"A {load} is pulled to the {ways[0]} with {strong} newtons and to the {ways[1]} with {weak} newtons."
    ends = [f"{size} newtons to the {way}" for size in (strong - weak, strong + weak) for way in ways]
    return Question(f"{stem} What is the net force?", ends[0], tuple(ends[1:]))


def electricity(d: Draw) -> Question:
    """Current, voltage or power."""
    current, resistance = d.whole(2, 12), d.whole(2, 30)
    device = d.pick(("lamp", "heater", "motor", "toaster", "fan", "doorbell"))
    form = d.whole(0, 2)
    if form == 0:
        stem = f"A {device} with a resistance of {resistance} ohms is connected to {current * resistance} volts. "
        return _quotient(stem + "How large is the current?", current * resistance, resistance, "amperes")
    if form == 1:
        stem = f"A current of {current} amperes flows through a {device} with a resistance of {resistance} ohms. "
        return _product(stem + "What is the voltage?", current, resistance, "volts")
    stem = f"A {device} uses {current * resistance} joules of energy in {resistance} seconds. What is its power?"
    return _quotient(stem, current * resistance, resistance, "watts")


def thunder(d: Draw) -> Question:
    """How far off a sound was made."""
    source, seconds = (
        d.pick(("a flash of lightning", "a firework", "a blast in a quarry", "a starting gun")),
        d.whole(2, 12),
    )
    stem = f"{{name}} sees {source} and hears it {seconds} seconds later. Sound travels 340 meters per second. "
    return _product(stem + "How far away was it?", 340, seconds, "meters")


def state_of_matter(d: Draw) -> Question:
    """Solid, liquid or gas, from melting and boiling points."""
    melts, liquid = d.whole(-80, 300, 5), d.whole(40, 400, 5)
    boils = melts + liquid
    place = d.whole(0, 2)
    now = (melts - d.whole(5, 60), melts + d.whole(5, liquid - 5), boils + d.whole(5, 90))[place]
    ends = ("a solid", "a liquid", "a gas", "half solid and half gas")
    name = d.pick(("A substance", "An unknown material", "A chemical", "The content of a jar"))
    stem = f"{name} melts at {melts} degrees Celsius and boils at {boils} degrees Celsius. What is it at {now} degrees?"
    return Question(stem, ends[place], tuple(end for end in ends if end != ends[place]))


def conversion(d: Draw) -> Question:
    """One unit in another."""
    small, large, factor = d.pick(UNITS)
    amount = Fraction(d.whole(2, 95), 10)
    stem = f"{{name}} measures {plain(amount)} {large}. How many {small} is that?"
    right = amount * factor
    return _amounts(stem, right, (right * 10, right / 10, right * 100, right + factor), small)


def mixing(d: Draw) -> Question:
    """Mass is conserved."""
    water, added = d.whole(50, 500, 10), d.whole(3, 45)
    powder = d.pick(("salt", "sugar", "baking soda", "instant coffee", "drink powder", "plant food"))
    stem = f"{{name}} dissolves {added} grams of {powder} in {water} grams of water. What is the mass of the solution?"
    return _amounts(stem, water + added, (water, water - added, water + 2 * added, added), "grams")


def heat_flow(d: Draw) -> Question:
    """Heat goes from the warm to the cold."""
    thing, place = d.some(("spoon", "stone", "copper rod", "cup of tea", "bath of water", "glass ball", "brick"), 2)
    warm, cold = d.whole(50, 95), d.whole(5, 40)
    first, second = (warm, cold) if d.chance(0.5) else (cold, warm)
    stem = f"A {thing} at {first} degrees Celsius touches a {place} at {second} degrees. How does heat flow?"
    ends = [f"from the {thing} to the {place}", f"from the {place} to the {thing}"]
    right = ends[0] if first > second else ends[1]
    wrong = ends[1] if first > second else ends[0]
    return Question(stem, right, (wrong, "equally in both directions", "not at all, since both are solid or liquid"))


QUANTITIES: tuple[Callable[[Draw], Question], ...] = (
    motion,
    density,
    push_and_pull,
    electricity,
    thunder,
    state_of_matter,
    conversion,
    mixing,
    heat_flow,
)
