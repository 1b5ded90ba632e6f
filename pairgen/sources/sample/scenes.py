"""Everyday scenes to be finished, in the manner of HellaSwag: the right ending goes on with what is being done.

Two thirds are scenes somebody watches, a third are how-to articles, both from tables in ``tables/``::

    scene kitchen: Baking bread             the surroundings, and what is done
    do pours flour and water into a bowl    the steps in order: a row shows one or two of these, the next is right
    odd mails the dough to a cousin         what nobody would do there: a wrong ending on the topic
    howto Health: How to treat {thing}      the category and the headline
    with thing: a blister, a small cut
    step Title. / Sentence. / Sentence.     sentences in order; {n} is any small number

All other wrong endings are steps of scenes in other surroundings, or sentences of articles in other categories: what
could pass for part of one another shares its surroundings or its category.
"""

from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.draw import Draw, belongs
from pairgen.sources.sample.problem import sentence
from pairgen.sources.sample.story import TABLES

PEOPLE = (
    ("a man", "he"),
    ("a woman", "she"),
    ("a boy", "he"),
    ("a girl", "she"),
    ("an old man", "he"),
    ("an old woman", "she"),
    ("a young man", "he"),
    ("a young woman", "she"),
    ("a father", "he"),
    ("a mother", "she"),
    ("a grandfather", "he"),
    ("a grandmother", "she"),
    ("a teenager", "he"),
    ("a tall girl", "she"),
    ("a bald man", "he"),
    ("a college student", "she"),
)
LOOKS = (
    *("in a red jacket", "with a straw hat", "in blue overalls", "with short dark hair", "in a striped shirt"),
    *("with round glasses", "in a gray sweater", "with a long scarf", "in rubber boots", "with a green apron"),
    *("with a ponytail", "in a white T-shirt", "with curly hair", "in a checkered shirt", "with a yellow cap"),
)
TIMES = (
    *("on a sunny morning", "late in the afternoon", "while music plays in the background", "as two children watch"),
    *("on a quiet Sunday", "in front of the camera", "shortly before noon", "after a rainy night", "on a holiday"),
    *("while a friend films", "early in the day", "as the credits of a video roll", "to show how it is done"),
)
OPENINGS = (
    "{person} {look} {do} {time}.",
    "{person} {look} {do}.",
    "we see {person} {look}. {they} {do} {time}.",
    "a video shows {person} {look} {time}. {they} {do}.",
    "{person} {look} looks into the camera and talks. {they} {do}.",
    "{person} {look} appears {time}. {they} {do}.",
)
SECONDS = ("{they} {do}.", "then {they} {do}.", "next, {they} {do}.", "after that, {they} {do}.")
STARTS = (
    "{they}",
    "{they}",
    "then {they}",
    "{they} then",
    "next, {they}",
    "after that, {they}",
    "{they} finally",
    "{who}",
)
TAILS = ("", "", "", " while talking to the camera", " with a smile", " without any hurry", " and looks pleased")


class Scene(NamedTuple):
    """Something a person does, step by step."""

    place: str
    activity: str
    steps: tuple[str, ...]
    odd: tuple[str, ...]


class HowTo(NamedTuple):
    """An article of titles with sentences."""

    category: str
    headline: str
    things: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]


@cache
def scenes() -> tuple[Scene, ...]:
    """The scenes, read once."""
    return tuple(
        Scene(place, activity, _of(lines, "do"), _of(lines, "odd"))
        for name in ("scenes.txt", "more_scenes.txt")
        for place, activity, lines in _blocks(name, "scene ")
    )


@cache
def articles() -> tuple[HowTo, ...]:
    """The how-to articles, read once."""
    return tuple(
        HowTo(
            category,
            headline,
            tuple(_of(lines, "with")[0].removeprefix("thing: ").split(", ")),
            tuple(tuple(step.split(" / ")) for step in _of(lines, "step")),
        )
        for category, headline, lines in _blocks("howto.txt", "howto ")
    )


def _blocks(name: str, mark: str) -> list[tuple[str, str, list[str]]]:
    """The blocks of a table: both parts of the first line, and the lines below it."""
    blocks = [block.split("\n") for block in (TABLES / name).read_text(encoding="utf-8").strip().split("\n\n")]
    heads = [(block[0].removeprefix(mark).split(": ", 1), block[1:]) for block in blocks if block[0].startswith(mark)]
    return [(group, title, lines) for (group, title), lines in heads]


def _of(lines: list[str], kind: str) -> tuple[str, ...]:
    """What the lines of a kind say."""
    return tuple(line.removeprefix(kind + " ") for line in lines if line.startswith(kind + " "))


def scene(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row of HellaSwag's raw layout."""
    d = Draw("hellaswag", split, seed, index)
    while True:
        source, write = ("wikihow", _article) if d.chance(1 / 3) else ("activitynet", _watched)
        label, first, second, endings = write(d)
        context = f"{first} {second}".strip()
        if belongs(split, context):
            break
    order = d.some(range(4), 4)
    return {
        "ind": index,
        "activity_label": label,
        "ctx_a": first,
        "ctx_b": second,
        "ctx": context,
        "endings": [endings[place] for place in order],
        "source_id": f"{source}~sample_{split}_{seed}_{index}",
        "split": "train" if split == "train" else "val",
        "split_type": "indomain" if split == "train" or d.chance(0.5) else "zeroshot",
        "label": str(order.index(0)),
    }


def _watched(d: Draw) -> tuple[str, str, str, list[str]]:
    """Label, context and endings of a scene; the right ending is the first."""
    shown = d.pick(scenes())
    place = d.whole(0, len(shown.steps) - 2)
    (person, they), look = d.pick(PEOPLE), d.pick(LOOKS)
    slots = {"person": person, "they": they, "look": look, "time": d.pick(TIMES), "do": shown.steps[place]}
    first = _sentences(d.pick(OPENINGS).format_map(slots))
    if place < len(shown.steps) - 2 and d.chance(0.5):
        place += 1
        slots["do"] = shown.steps[place]
        first += " " + _sentences(d.pick(SECONDS).format_map(slots))
    slots["who"] = "the " + person.split(" ", 1)[1]
    elsewhere = [other for other in scenes() if other.place != shown.place]
    wrong = [d.pick(other.steps) for other in d.some(elsewhere, 3)]
    if d.chance(0.7):
        wrong[0] = d.pick(shown.odd)
    endings = [
        f"{ending}{'' if ' and ' in ending or ' with ' in ending else d.pick(TAILS)}."
        for ending in (shown.steps[place + 1], *wrong)
    ]
    return shown.activity, first, d.pick(STARTS).format_map(slots), endings


def _sentences(text: str) -> str:
    """Each sentence with a capital at the front."""
    return ". ".join(sentence(part) for part in text.split(". "))


def _article(d: Draw) -> tuple[str, str, str, list[str]]:
    """Label, context and endings of a how-to article; the right ending is the first."""
    shown = d.pick(articles())
    thing = d.pick(shown.things)
    place = d.whole(0, len(shown.steps) - 1)
    others = d.some([other for other in articles() if other.category != shown.category], 3)
    headline = shown.headline.format_map({"thing": thing})
    title, *told = shown.steps[place]
    start = f"[header] {headline} [title] {title} [step] {told[0]}"
    form = d.random()
    if form < 0.3 and place + 1 < len(shown.steps):  # the article goes on with its next title
        after = [shown.steps[place + 1], *(d.pick(other.steps[1:]) for other in others)]
        context, endings = f"{start} {told[1]}", [f"[title] {step[0]} [step] {step[1]}" for step in after]
    elif form < 0.65:  # the step goes on
        after = [shown.steps[place], *(d.pick(other.steps) for other in others)]
        context, endings = start, [" ".join(step[2 : d.pick((3, 4))]) for step in after]
    else:
        after = [shown.steps[place], *(d.pick(other.steps) for other in others)]
        mark = d.pick((" ", " ", " [substeps] "))
        context, endings = f"{start}{mark}{told[1]}", [step[3] for step in after]
    number = {"n": str(d.whole(3, 12))}
    return shown.category, context.format_map(number), "", [ending.format_map(number) for ending in endings]
