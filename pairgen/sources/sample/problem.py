"""Word problems with their words and numbers chosen, and the questions they ask."""

from collections.abc import Mapping
from typing import NamedTuple

from pairgen.sources.sample.draw import Draw, side_of
from pairgen.sources.sample.numbers import WORDS, Value, bare, cents, percent, plain
from pairgen.sources.sample.story import Expression, Story, evaluate, stories

# What may come in parts; everything else is counted, so it must come out whole.
MEASURES = {"liters", "centimeters", "hours", "cups", "kilometers", "kilograms"}

SHE = {"they": "she", "They": "She", "their": "her", "Their": "Her", "them": "her"}
HE = {"they": "he", "They": "He", "their": "his", "Their": "His", "them": "him"}
WOMEN = (
    "Amara Bea Carmen Delia Farah Greta Hana Ines Jolie Keiko Lucia Maren Nadia Odile Priya Rosa Salma Tilda Uma Vera "
    "Wanda Yara Zora Anneke Brigid Chloe Dorit Esther Freya Gita Helga Isla Jana Kaia Leila Mina Noor Petra Rhea Sunita"
)
MEN = (
    "Abel Boris Cyrus Dario Emil Farid Goran Hamza Ivo Jonas Kofi Luis Mateo Nikhil Oskar Pavel Quentin Rafael Sven "
    "Tomas Umar Viktor Walid Yusuf Zeno Anders Bruno Callum Dmitri Enzo Felix Gideon Hugo Idris Jorge Kwame Lars"
)
PEOPLE = (*((name, SHE) for name in WOMEN.split()), *((name, HE) for name in MEN.split()))
NAMES = (PEOPLE[::2], PEOPLE[1::2])
OTHERS = (
    "Alba",
    "Benno",
    "Clara",
    "Deniz",
    "Elena",
    "Fritz",
    "Gloria",
    "Henk",
    "Ilse",
    "Jamal",
    "Kira",
    "Lorenz",
    "Moira",
)


class Problem(NamedTuple):
    """A story with its words and numbers chosen."""

    story: Story
    words: dict[str, str]
    values: dict[str, Value]
    wording: tuple[int, ...]  # which wording of each fact, and of the question
    spelled: bool  # small counts are spelled out in the question

    @property
    def answer(self) -> Value:
        """The result of the last step."""
        return self.values[self.story.steps[-1].key]

    @property
    def final(self) -> str:
        """The answer as it ends a solution."""
        return bare(self.answer, self.story.steps[-1].unit)


def draw_problem(split: str, d: Draw) -> Problem:
    """Draw stories until the numbers of one make sense.

    What is told, its numbers and the name belong together to one split.
    """
    while True:
        story = d.pick(stories())
        values: dict[str, Value] = {}
        for key, choices in story.draws:
            values[key] = evaluate(choices.tree, values) if isinstance(choices, Expression) else d.pick(choices)
        if not _work_out(story, values):
            continue
        words: dict[str, str] = {}
        for slots, options in story.words:
            words.update(zip(slots, d.pick(options), strict=True))
        key = f"{story.number} {' '.join(words.values())} {[str(values[key]) for key in story.givens]}"
        name, pronouns = d.pick(NAMES[side_of(split, key)])
        words |= {"name": name, "other": d.pick(OTHERS), **pronouns}
        wording = tuple([int(d.random() * len(texts)) for texts in (*story.facts, story.asks)])
        return Problem(story, words, values, wording, d.chance(0.3))


def _work_out(story: Story, values: dict[str, Value]) -> bool:
    """Add the result of every step to the values; False if one makes no sense."""
    for step in story.steps:
        result = values[step.key] = evaluate(step.expression.tree, values)
        if result <= 0:
            return False
        if step.unit == "$" or step.unit in MEASURES:
            if 100 % result.denominator:
                return False
        elif result.denominator != 1 or result < 2:
            return False
    return True


def write_given(value: Value, unit: str, spelled: bool = False) -> str:
    """A number as a question writes it."""
    if unit[:1] == "$":
        return "$" + cents(value, commas=True)
    if unit == "%":
        return percent(value) + "%"
    if unit == "fraction":
        return f"{value.numerator}/{value.denominator}"
    if spelled and value.denominator == 1 and value <= 12:
        return WORDS[int(value)]
    return plain(value, commas=True)


def fill_slots(problem: Problem, hidden: str = "") -> dict[str, str]:
    """What goes into the slots of a story's texts; the hidden number is written as x."""
    units = problem.story.units
    slots = dict(problem.words)
    for key in problem.story.givens:
        slots[key] = write_given(problem.values[key], units[key], problem.spelled)
    if hidden:
        slots[hidden] = "$x" if units[hidden][:1] == "$" else "x%" if units[hidden] == "%" else "x"
    slots["answer"] = write_given(problem.answer, problem.story.steps[-1].unit)
    return slots


def told(problem: Problem, slots: Mapping[str, str], wording: tuple[int, ...]) -> str:
    """The story without its question."""
    return " ".join([texts[i] for texts, i in zip(problem.story.facts, wording, strict=False)]).format_map(slots)


def asked(problem: Problem, slots: Mapping[str, str], wording: tuple[int, ...]) -> str:
    """The story and its question."""
    return f"{told(problem, slots, wording)} {problem.story.asks[wording[-1]].format_map(slots)}"


def reworded(problem: Problem, r: Draw) -> tuple[int, ...]:
    """A wording that differs from the problem's own in at least one place."""
    counts = [len(texts) for texts in (*problem.story.facts, problem.story.asks)]
    while True:
        wording = tuple([int(r.random() * count) for count in counts])
        if wording != problem.wording:
            return wording


def sentence(text: str) -> str:
    """With a capital at the front."""
    return text[:1].upper() + text[1:]
