"""Science questions about situations: food chains, experiments, seasons, crosses, small tables."""

from collections.abc import Callable
from fractions import Fraction

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.quantities import Question

CHAINS = (
    "grass, grasshopper, frog, snake, hawk",
    "algae, water flea, minnow, trout, heron",
    "oak leaf, caterpillar, sparrow, hawk",
    "wheat, mouse, owl",
    "clover, rabbit, fox",
    "green plankton, tiny shrimp, herring, seal, orca",
    "carrot, rabbit, weasel, eagle",
    "pond weed, snail, duck, alligator",
    "rose bush, aphid, ladybug, spider, robin",
    "grain, beetle, shrew, barn owl",
    "kelp, sea urchin, sea otter, shark",
    "lichen, caribou, wolf",
    "acorn, squirrel, marten, lynx",
    "berry, thrush, falcon",
    "cactus, pack rat, rattlesnake, roadrunner",
    "bamboo, rat, python",
)

# What is changed, what is measured, and what has to stay the same.
TRIALS = (
    ("bean plants", "the amount of water", "the height of the plants", ("the kind of soil", "the amount of light")),
    ("radish seeds", "the temperature", "the number of seeds that sprout", ("the kind of seed", "the amount of water")),
    (
        "tomato plants",
        "the kind of fertilizer",
        "the mass of the fruit",
        ("the size of the pots", "the hours of light"),
    ),
    (
        "toy cars",
        "the slope of the ramp",
        "the distance the cars roll",
        ("the kind of car", "the surface of the floor"),
    ),
    (
        "paper planes",
        "the length of the wings",
        "the time in the air",
        ("the kind of paper", "the height of the throw"),
    ),
    (
        "sugar cubes",
        "the warmth of the water",
        "the time to dissolve",
        ("the amount of water", "the size of the cubes"),
    ),
    (
        "ice cubes",
        "the wrapping material",
        "the time until they melt",
        ("the size of the cubes", "the warmth of the room"),
    ),
    ("batteries", "the brand", "the hours a flashlight stays lit", ("the kind of bulb", "the size of the batteries")),
    (
        "rubber balls",
        "the height of the drop",
        "the height of the bounce",
        ("the kind of ball", "the hardness of the floor"),
    ),
    (
        "pendulums",
        "the length of the string",
        "the time of one swing",
        ("the mass of the weight", "the angle of release"),
    ),
    (
        "bread slices",
        "the dampness of the air",
        "the area covered by mold",
        ("the kind of bread", "the size of the slices"),
    ),
    ("magnets", "the temperature", "the number of pins they lift", ("the size of the magnets", "the kind of pin")),
    (
        "parachutes",
        "the size of the cloth",
        "the time of the fall",
        ("the weight of the load", "the height of the drop"),
    ),
    ("crickets", "the temperature", "the number of chirps in a minute", ("the number of crickets", "the kind of food")),
    (
        "goldfish",
        "the warmth of the water",
        "the breaths in a minute",
        ("the size of the fish", "the size of the bowl"),
    ),
    (
        "dishes of yeast",
        "the amount of sugar",
        "the volume of gas given off",
        ("the amount of yeast", "the warmth of the water"),
    ),
    ("solar panels", "the angle toward the Sun", "the voltage", ("the size of the panels", "the time of day")),
    ("nails", "the kind of coating", "the amount of rust", ("the size of the nails", "the number of days in water")),
)

NORTH = ("Canada", "Norway", "Japan", "Poland", "Ireland", "Greece", "Sweden", "Germany", "Korea", "Finland", "Austria")
SOUTH = ("New Zealand", "Argentina", "Chile", "South Africa", "Uruguay", "Lesotho", "southern Australia", "Tasmania")
SEASONS = ("spring", "summer", "fall", "winter")


TRAITS = (
    ("pea plants", "tall stems", "short stems", "T"),
    ("pea plants", "round seeds", "wrinkled seeds", "R"),
    ("pea plants", "purple flowers", "white flowers", "P"),
    ("rabbits", "black fur", "white fur", "B"),
    ("guinea pigs", "rough coats", "smooth coats", "H"),
    ("mice", "gray fur", "white fur", "G"),
    ("fruit flies", "long wings", "short wings", "L"),
    ("corn plants", "yellow kernels", "pale kernels", "Y"),
)


def most_growth(d: Draw) -> Question:
    """Read a small table and compare differences."""
    what = d.pick(("plant", "crystal", "sapling", "icicle", "vine", "sprout"))
    starts = [d.whole(2, 40) for _ in range(4)]
    gains = d.some(range(2, 25), 4)
    table = "; ".join(f"{what} {n}: {a} to {a + gain} cm" for n, a, gain in zip("1234", starts, gains, strict=True))
    best = gains.index(max(gains))
    ends = tuple(f"{what} {n}" for n in "1234")
    stem = f"{{name}} writes down how lengths changed in a month ({table}). Which one grew the most?"
    return Question(stem, ends[best], ends[:best] + ends[best + 1 :])


def food_chain(d: Draw) -> Question:
    """Who eats whom."""
    links = d.pick(CHAINS).split(", ")
    place = d.whole(1, len(links) - 1)
    asks = (
        (f"which living thing is food for the {links[place]}?", place - 1),
        (f"which one loses its food if every {links[place - 1]} dies out?" if place > 1 else "", place),
        ("which one makes its own food?", 0),
        ("which one gets the smallest part of the energy from the Sun?", len(links) - 1),
        ("which one eats the producer?", 1),
    )
    ask, right = d.pick([pair for pair in asks if pair[0]])
    opening = d.pick(
        ("In the food chain {},", "{{name}} draws the food chain {}. In it,", "Energy flows like this: {}. Here,")
    )
    shown = opening.format(" → ".join(links)).replace("{{", "{").replace("}}", "}")
    return Question(f"{shown} {ask}", links[right], tuple(links[:right] + links[right + 1 :]))


def experiment(d: Draw) -> Question:
    """The variables of an experiment."""
    subject, changed, measured, constants = d.pick(TRIALS)
    opening = d.pick(
        (
            f"{{name}} uses {subject} to find out how {changed} affects {measured}.",
            f"In a test with {subject}, {{name}} records {measured} for different choices of {changed}.",
            f"A class asks whether {measured} depends on {changed} and sets up a test with {subject}.",
        )
    )
    form = d.whole(0, 2)
    if form == 0:
        ask = d.pick(("What is the independent variable?", "What is changed on purpose?"))
        return Question(f"{opening} {ask}", changed, (measured, *constants))
    if form == 1:
        ask = d.pick(("What is the dependent variable?", "What is measured as the result?"))
        return Question(f"{opening} {ask}", measured, (changed, *constants))
    ask = d.pick(("What has to be the same each time?", "Which of these should be kept constant?"))
    return Question(f"{opening} {ask}", d.pick(constants), (changed, measured))


def season(d: Draw) -> Question:
    """Seasons are opposite on the two halves of the Earth."""
    here, there = (d.pick(NORTH), d.pick(SOUTH))
    if d.chance(0.5):
        here, there = there, here
    now = d.whole(0, 3)
    stem = d.pick(
        (
            f"When it is {SEASONS[now]} in {here}, what season is it in {there}?",
            f"{{name}} flies from {here}, where it is {SEASONS[now]}, to {there}. Which season is it there?",
        )
    )
    other = (now + 2) % 4
    return Question(stem, SEASONS[other], tuple(name for name in SEASONS if name != SEASONS[other]))


def cross(d: Draw) -> Question:
    """What share of the young shows a trait."""
    kind, strong, weak, gene = d.pick(TRAITS)
    first, second = d.pick((2, 1, 0)), d.pick((2, 1, 0))  # dominant genes of each parent
    recessive = Fraction((2 - first) * (2 - second), 4)
    names = (gene.lower() * 2, gene + gene.lower(), gene * 2)
    asked, share = d.pick(((strong, 1 - recessive), (weak, recessive)))
    stem = f"In {kind}, the gene for {strong} ({gene}) is dominant over the gene for {weak} ({gene.lower()}). "
    stem += f"What part of the young of the parents {names[first]} and {names[second]} should have {asked}?"
    ends = {Fraction(n, 4): f"{n * 25}%" for n in range(5)}
    return Question(stem, ends.pop(share), tuple(ends.values()))


SITUATIONS: tuple[Callable[[Draw], Question], ...] = (most_growth, food_chain, experiment, season, cross)
