"""Everyday scenes to be finished, in the manner of HellaSwag: the right ending goes on with what is being done.

A scene is a thing somebody does, in steps: each step may be the start of a row, and the next one is its right ending.
Wrong endings are steps of other scenes, told of the same person, so that only sense tells them apart.
"""

from typing import Any

from pairgen.sample.draw import Draw, belongs

# Activity, whether it is told as a how-to, and its steps. ``{they}`` is he or she, ``{their}`` his or her.
SCENES: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    (
        "Washing a car",
        False,
        (
            "fills a bucket with water and soap beside the car",
            "rubs the doors and the bonnet with a wet sponge",
            "rinses the foam off the roof with a hose",
            "dries the windows with a soft cloth until they shine",
        ),
    ),
    (
        "Baking bread",
        False,
        (
            "pours flour, yeast and warm water into a bowl",
            "presses and folds the dough on a board for a few minutes",
            "lays the dough in a tin and lets it rise under a towel",
            "slides the tin into the hot oven and sets a timer",
            "cuts a slice of the warm loaf and spreads butter on it",
        ),
    ),
    (
        "Planting a tree",
        False,
        (
            "digs a round hole in the lawn with a spade",
            "sets the roots of the young tree into the hole",
            "shovels the loose earth back around the trunk",
            "pours a can of water over the fresh earth",
        ),
    ),
    (
        "Playing the guitar",
        False,
        (
            "takes a guitar out of its case and sits on a stool",
            "turns the pegs and listens to each string in turn",
            "strums a slow song and taps a foot along with it",
            "bows to the small crowd and leans the guitar on the wall",
        ),
    ),
    (
        "Painting a fence",
        False,
        (
            "scrapes the old paint off the boards of the fence",
            "stirs a tin of white paint with a stick",
            "brushes the paint along the boards from left to right",
            "wipes the brush clean and looks at the bright white boards",
        ),
    ),
    (
        "Swimming",
        False,
        (
            "stands at the edge of the pool in a swimming cap",
            "dives in and glides a few metres under water",
            "swims to the far wall and turns with a push of the feet",
            "climbs up the ladder and reaches for a dry towel",
        ),
    ),
    (
        "Shaving",
        False,
        (
            "looks into the bathroom mirror and wets a rough chin",
            "spreads white foam over cheeks and chin",
            "draws the razor down one cheek and rinses the blade",
            "pats the smooth skin dry and puts the razor away",
        ),
    ),
    (
        "Fixing a bicycle",
        False,
        (
            "turns the bicycle upside down on the garage floor",
            "pulls the flat tyre off the rim with two levers",
            "slips a new tube into the tyre and pumps it up",
            "spins the wheel to see whether it runs true",
            "rides a short round in the street to test the repair",
        ),
    ),
    (
        "Skiing",
        False,
        (
            "clips both boots into the skis at the top of the slope",
            "pushes off and leans into the first wide turn",
            "speeds down the steep part with bent knees",
            "brakes at the bottom in a cloud of snow",
        ),
    ),
    (
        "Walking the dog",
        False,
        (
            "takes the lead off the hook while the dog jumps about",
            "walks the dog along the path by the river",
            "throws a stick across the grass and the dog runs after it",
            "wipes the muddy paws with an old rag at the front door",
        ),
    ),
    (
        "Making tea",
        False,
        (
            "fills the kettle and switches it on",
            "drops two tea bags into a pot",
            "pours the boiling water over the tea bags",
            "adds milk to the cup and takes a careful sip",
        ),
    ),
    (
        "Playing chess",
        False,
        (
            "sets up the white and black pieces on the board",
            "moves a pawn two squares forward and presses the clock",
            "takes a knight of the opponent after long thought",
            "tips over the king and shakes hands across the board",
        ),
    ),
    (
        "Cleaning windows",
        False,
        (
            "sprays soapy water on the glass of the shop window",
            "pulls a rubber blade down the glass in long strokes",
            "catches the last drops on the sill with a rag",
        ),
    ),
    (
        "Building a campfire",
        True,
        (
            "Clear a patch of ground of leaves and lay a ring of stones",
            "Stack small dry twigs in the middle of the ring of stones",
            "Hold a match to the twigs and shield the flame from the wind",
            "Add thicker branches once the twigs burn with a steady flame",
            "Pour water over the embers until they no longer hiss",
        ),
    ),
    (
        "How to write a letter of thanks",
        True,
        (
            "Choose plain paper and a pen that does not smear",
            "Open with a greeting that uses the name of the giver",
            "Say what you were given and how you use it",
            "Close with kind words and sign your name by hand",
        ),
    ),
    (
        "How to wash a woollen jumper",
        True,
        (
            "Turn the jumper inside out and fill a basin with cool water",
            "Swirl the jumper gently in the water with a mild soap",
            "Press the water out between two towels without wringing",
            "Lay the jumper flat on a rack, away from the sun, to dry",
        ),
    ),
    (
        "How to grow tomatoes on a balcony",
        True,
        (
            "Fill a deep pot with rich soil and place it in the sun",
            "Set one young plant in the pot and tie it to a stick",
            "Water the soil each morning but keep the leaves dry",
            "Pick the fruits when they are red all around",
        ),
    ),
    (
        "How to prepare for a job interview",
        True,
        (
            "Read about the company and note what it makes",
            "Practise answers to common questions with a friend",
            "Lay out clean clothes the evening before",
            "Arrive ten minutes early and greet everyone politely",
        ),
    ),
    (
        "How to change a light bulb",
        True,
        (
            "Switch the lamp off and wait until the old bulb is cool",
            "Turn the old bulb to the left until it comes out",
            "Screw the new bulb in by hand until it sits firmly",
            "Switch the lamp on to see whether the new bulb glows",
        ),
    ),
    (
        "How to pack a suitcase",
        True,
        (
            "Write a list of what you need for each day of the trip",
            "Roll shirts and trousers tightly to save room",
            "Put shoes and heavy things at the bottom of the suitcase",
            "Close the lid, weigh the suitcase and add a name tag",
        ),
    ),
)
_PEOPLE = (
    ("A man", "he"),
    ("A woman", "she"),
    ("A boy", "he"),
    ("A girl", "she"),
    ("An old man", "he"),
    ("A young woman", "she"),
    ("A father", "he"),
    ("A grandmother", "she"),
    ("A teenager", "he"),
)
_LOOKS = (
    "in a red jacket",
    "with a straw hat",
    "in blue overalls",
    "with short dark hair",
    "in a striped shirt",
    "with round glasses",
    "in a grey jumper",
    "with a long scarf",
    "in rubber boots",
    "with a green apron",
)
_TIMES = (
    "on a sunny morning",
    "late in the afternoon",
    "while music plays in the background",
    "as two children watch",
    "on a quiet Sunday",
    "in front of the camera",
    "shortly before noon",
    "after a rainy night",
)
_NEXT = ("next", "then", "after that", "a moment later")
_ADVICE = (
    "Take your time, since doing it in a hurry rarely pays.",
    "This makes all later steps easier.",
    "Most people skip this, and regret it.",
    "It costs little and takes only a few minutes.",
    "Ask somebody to help if you do it for the first time.",
)


def _endings(d: Draw, scene: int, step: int) -> tuple[str, list[str]]:
    """The step that comes next, and three steps of other scenes told in the same way."""
    told = SCENES[scene][1]
    others = [steps for name, how_to, steps in SCENES if how_to == told and name != SCENES[scene][0]]
    return SCENES[scene][2][step + 1], [d.pick(steps) for steps in d.some(others, 3)]


def scene(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row of HellaSwag's raw layout. The context's own words decide its split, see ``belongs``."""
    attempt = 0
    while True:
        d = Draw("hellaswag", index, seed, attempt)
        number = d.whole(0, len(SCENES) - 1)
        activity, how_to, steps = SCENES[number]
        step = d.whole(0, len(steps) - 2)
        right, wrong = _endings(d, number, step)
        write = _how_to if how_to else _watched
        first, second, endings = write(d, activity, steps[step], [right, *wrong])
        if belongs(split, first):
            break
        attempt += 1
    order = d.some(range(4), 4)
    return {
        "ind": index,
        "activity_label": activity,
        "ctx_a": first,
        "ctx_b": second,
        "ctx": f"{first} {second}".strip(),
        "endings": [endings[place] for place in order],
        "source_id": f"sample~{split}_{index}",
        "split": split,
        "split_type": "indomain" if d.chance(0.5) else "zeroshot",
        "label": str(order.index(0)),
    }


def _watched(d: Draw, activity: str, step: str, endings: list[str]) -> tuple[str, str, list[str]]:
    """A person seen doing something: the row breaks off after ``he`` or ``she``."""
    del activity
    person, they = d.pick(_PEOPLE)
    look, time = d.pick(_LOOKS), d.pick(_TIMES)
    opening = d.pick(("{0} {1} {2} {3}.", "{3}, {4} {1} {2}.", "We see {4} {1}. {5} {2} {3}."))
    first = opening.format(person, look, step, time, person[0].lower() + person[1:], they.capitalize())
    first = first[0].upper() + first[1:]
    return (
        first,
        d.pick((they, f"{d.pick(_NEXT)} {they}", f"{they} {d.pick(('now', 'finally', 'carefully'))}")),
        [f"{ending}." for ending in endings],
    )


def _how_to(d: Draw, activity: str, step: str, endings: list[str]) -> tuple[str, str, list[str]]:
    """A how-to with the tags that such rows carry in the raw data."""
    title = activity if activity.startswith("How to") else f"How to go about {activity[0].lower()}{activity[1:]}"
    first = f"[header] {title} [title] {step}. [step] {d.pick(_ADVICE)}"
    extra = d.some(_ADVICE, 4)
    return first, "", [f"[title] {ending}. [step] {more}" for ending, more in zip(endings, extra, strict=True)]
