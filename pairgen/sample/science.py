"""School science with choices, in the manner of ARC-Challenge: every question is made of a small table of facts."""

from typing import Any

from pairgen.sample.draw import Draw, belongs

# What belongs to which kind. No item belongs to two, so that an item of another kind is a wrong choice.
KINDS: dict[str, tuple[str, ...]] = {
    "a mammal": ("bat", "whale", "otter", "hedgehog", "kangaroo", "seal", "squirrel", "camel", "mole", "deer"),
    "a bird": ("penguin", "ostrich", "heron", "swallow", "parrot", "falcon", "duck", "woodpecker", "crane"),
    "a reptile": ("tortoise", "gecko", "cobra", "crocodile", "iguana", "chameleon", "python"),
    "an amphibian": ("newt", "bullfrog", "salamander", "toad"),
    "a fish": ("trout", "shark", "eel", "salmon", "seahorse", "tuna", "carp"),
    "an insect": ("beetle", "ant", "dragonfly", "moth", "grasshopper", "wasp", "ladybird", "cricket"),
    "a metal": ("copper", "iron", "aluminium", "zinc", "silver", "lead", "nickel", "tin"),
    "a gas at room temperature": ("oxygen", "helium", "nitrogen", "carbon dioxide", "neon", "hydrogen"),
    "a planet": ("Mars", "Venus", "Jupiter", "Saturn", "Neptune", "Uranus"),
    "a rock": ("granite", "sandstone", "basalt", "limestone", "slate", "marble"),
    "a part of a plant": ("root", "leaf", "stem", "petal", "seed", "bud"),
    "an organ of the human body": ("heart", "liver", "kidney", "stomach", "lung", "brain", "pancreas"),
}

# Pairs of a thing and what goes with it alone: the question may be asked from either side.
PAIRS: dict[str, tuple[tuple[str, str, str], tuple[tuple[str, str], ...]]] = {
    "tool": (
        (
            "Which tool measures {}?",
            "A class needs to measure {}. Which tool should it use?",
            "What does a {} measure?",
        ),
        (
            ("thermometer", "the temperature of water"),
            ("balance", "the mass of a stone"),
            ("graduated cylinder", "the volume of a liquid"),
            ("barometer", "the pressure of the air"),
            ("stopwatch", "how long a ball takes to fall"),
            ("anemometer", "the speed of the wind"),
            ("rain gauge", "how much rain has fallen"),
            ("metre stick", "the height of a door"),
            ("spring scale", "the force that pulls on a block"),
            ("ammeter", "the electric current in a wire"),
            ("protractor", "the angle between two lines"),
        ),
    ),
    "organ": (
        (
            "Which part of the body {}?",
            "A doctor studies the part of the body that {}. Which is it?",
            "What is true of the {}?",
        ),
        (
            ("heart", "pumps blood through the vessels"),
            ("lung", "takes oxygen out of the air"),
            ("kidney", "cleans the blood and makes urine"),
            ("stomach", "breaks up food with acid"),
            ("skin", "keeps germs from getting in"),
            ("brain", "receives messages from the nerves"),
            ("skeleton", "holds the body up"),
            ("biceps", "pulls on a bone of the arm"),
            ("large intestine", "takes water out of digested food"),
            ("pupil of the eye", "lets light into the eye"),
            ("ear drum", "shakes when sound reaches it"),
        ),
    ),
    "plant": (
        (
            "Which part of a plant {}?",
            "A gardener asks which part of a plant {}. What is it?",
            "What is true of the {} of a plant?",
        ),
        (
            ("root", "takes in water from the soil"),
            ("leaf", "makes sugar with the help of light"),
            ("stem", "carries water from the roots upward"),
            ("petal", "draws insects with its colour"),
            ("seed", "can grow into a new plant"),
            ("pollen", "is carried from flower to flower"),
            ("bark", "protects the trunk of a tree"),
            ("thorn", "keeps animals from eating the plant"),
        ),
    ),
    "change": (
        ("What is it called when {}?", "Which word names what happens when {}?", "When does {} take place?"),
        (
            ("melting", "a solid becomes a liquid"),
            ("freezing", "a liquid becomes a solid"),
            ("evaporation", "a puddle dries up in the sun"),
            ("condensation", "water drops form on a cold glass"),
            ("sublimation", "dry ice turns into a gas at once"),
            ("erosion", "a river carries soil away"),
            ("photosynthesis", "a plant turns light into food"),
            ("pollination", "a bee brings pollen to another flower"),
            ("migration", "birds fly south before winter"),
            ("hibernation", "a bear sleeps through the cold months"),
            ("rusting", "iron turns brown in damp air"),
            ("digestion", "food is broken into parts the body can use"),
        ),
    ),
    "energy": (
        (
            "Which form of energy is found in {}?",
            "Which form of energy does one mainly find in {}?",
            "Which of these is the best example of {}?",
        ),
        (
            ("chemical energy", "a battery on a shelf"),
            ("kinetic energy", "a bicycle that rolls down a road"),
            ("elastic energy", "a stretched rubber band"),
            ("gravitational energy", "a book on a high shelf"),
            ("thermal energy", "a pot of hot soup"),
            ("sound energy", "the air around a ringing bell"),
            ("light energy", "the beam of a torch"),
            ("nuclear energy", "the core of a uranium atom"),
        ),
    ),
    "sky": (
        ("What causes {}?", "A student asks what causes {}. What is the answer?", "What does {} cause?"),
        (
            ("the turning of the Earth about its axis", "day and night"),
            ("the tilt of the Earth's axis", "the seasons"),
            ("the pull of the Moon", "the tides of the ocean"),
            ("the path of the Moon around the Earth", "the phases of the Moon"),
            ("the Moon in front of the Sun", "an eclipse of the Sun"),
            ("the shadow of the Earth on the Moon", "an eclipse of the Moon"),
            ("light bent by drops of rain", "a rainbow"),
            ("the sudden slip of rock along a fault", "an earthquake"),
        ),
    ),
}

# Things in order, from least to most, and how the ends are asked for.
ORDERS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "planets",
        "closest to the Sun",
        "farthest from the Sun",
        ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    ),
    (
        "animals",
        "lightest when grown",
        "heaviest when grown",
        ("ant", "mouse", "rabbit", "sheep", "horse", "elephant", "blue whale"),
    ),
    ("lengths", "shortest", "longest", ("1 millimetre", "1 centimetre", "1 decimetre", "1 metre", "1 kilometre")),
    (
        "things",
        "smallest",
        "largest",
        ("atom", "cell of a leaf", "grain of rice", "apple", "mountain", "Moon", "Earth", "Sun", "galaxy"),
    ),
    (
        "kinds of wave",
        "shortest in wavelength",
        "longest in wavelength",
        ("X-rays", "ultraviolet light", "blue light", "red light", "microwaves", "radio waves"),
    ),
    (
        "travellers",
        "slowest",
        "fastest",
        ("a snail", "a walking child", "a galloping horse", "a passenger jet", "sound in steel", "light"),
    ),
)
_WHO = ("A student", "A teacher", "Mina", "A science club", "Theo", "A visitor to a museum", "Jun's class")
_WHERE = ("on a worksheet", "in a book", "on a poster", "in a notebook", "on the board", "on a set of cards")


def _kind(d: Draw) -> tuple[str, list[str]]:
    kind = d.pick(tuple(KINDS))
    others = [item for name, items in KINDS.items() if name != kind for item in items]
    if d.chance(0.3):
        odd = d.pick(others)
        same = d.some(KINDS[kind], min(4, len(KINDS[kind])))
        asked = d.pick(
            (
                "Which of these is not {}?",
                "All but one of these are alike. Which one is not {}?",
                "Which does not count as {}?",
            )
        )
        return asked.format(kind), [odd, *same]
    right = d.pick(KINDS[kind])
    found = f"{d.pick(_WHO)} finds these names {d.pick(_WHERE)}. Which one is {{}}?"
    asked = d.pick(("Which of these is {}?", "Which one should be listed as {}?", found, found))
    return asked.format(kind), [right, *d.some(others, 4)]


def _pair(d: Draw) -> tuple[str, list[str]]:
    (first, second, backward), facts = PAIRS[d.pick(tuple(PAIRS))]
    chosen = d.some(facts, 5)
    if d.chance(0.35):
        return backward.format(chosen[0][0]), [fact for _, fact in chosen]
    return d.pick((first, second)).format(chosen[0][1]), [thing for thing, _ in chosen]


def _order(d: Draw) -> tuple[str, list[str]]:
    what, least, most, ordered = d.pick(ORDERS)
    places = sorted(d.some(range(len(ordered)), 5))
    if d.chance(0.5):
        places, least = places[::-1], most
    items = [ordered[place] for place in places]
    ask = d.pick(("Which of these {} is {}?", "Of these {}, which one is {}?", "{who} lists some {}. Which is {}?"))
    return ask.format(what, least, who=d.pick(_WHO)), items


def question(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the hub's layout of ARC. What is asked and what is right decide the split, see ``belongs``."""
    attempt = 0
    while True:
        d = Draw("arc", index, seed, attempt)
        asked, choices = d.pick((_kind, _kind, _pair, _order))(d)
        if belongs(split, f"{asked}|{choices[0]}"):
            break
        attempt += 1
    count = d.pick((4,) * 18 + (3, 5))
    choices = choices[:count]
    labels = list("12345" if d.chance(0.05) else "ABCDE")[: len(choices)]
    texts = d.some(choices, len(choices))
    return {
        "id": f"sample_{split}_{index}",
        "question": asked,
        "choices": {"text": texts, "label": labels},
        "answerKey": labels[texts.index(choices[0])],
    }
