"""Word problems with random words and numbers, from ``tables/counts.txt`` and ``tables/money.txt``.

A block of these tables, in the notation of ``templates.py``::

    story
    word item: pencils, markers
    number boxes (boxes): 3..14; the number of boxes    a number with a meaning may become the unknown
    fact <name> buys <boxes> boxes of <item>. | ...     one sentence of the problem
    ask How many are left? | ...
    answer <name> has <answer> left                     the answer, as a clause
    step left (<item>): all - gave; the number of pencils left; <name> keeps | ...; at home
                                                        expression; meaning; text before it; text after the unit

Units are nouns ("boxes"), rates ("pencils/box", "$/box"), "$", "%" or "fraction"; a number without a unit in
parentheses is not shown.
"""

from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.rng import SampleRng, split_bit
from pairgen.sources.sample.templates import (
    Block,
    Expression,
    Value,
    capitalized,
    fill,
    number_lines,
    parse,
    phrases,
    plain,
    read_blocks,
    split_wordings,
)

# Units that allow decimals; everything else is counted in integers.
MEASURES = {"liters", "centimeters", "hours", "cups", "kilometers", "kilograms"}
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
SHE = {"they": "she", "They": "She", "their": "her", "Their": "Her", "them": "her"}
HE = {"they": "he", "They": "He", "their": "his", "Their": "His", "them": "him"}


class Step(NamedTuple):
    """One calculation of the solution."""

    key: str
    unit: str
    expression: Expression
    meaning: str  # a noun phrase: "the number of jars"
    leads: tuple[str, ...]  # wordings of the text before the calculation: "<they> packs"
    tail: str  # the text after the unit


class Story(NamedTuple):
    """The template of a word problem."""

    block: Block
    words: tuple[str, ...]
    givens: tuple[str, ...]  # the numbers that the problem states
    units: dict[str, str]  # of the stated numbers and of the steps' results
    meanings: dict[str, str]  # of the numbers that may be the unknown of a backward question
    texts: tuple[tuple[str, ...], ...]  # the wordings of each fact, and last of the question
    steps: tuple[Step, ...]


@cache
def stories() -> tuple[Story, ...]:
    """All stories, read once."""
    return tuple(_read_story(block) for block in read_blocks("counts.txt", "money.txt"))


def _read_story(block: Block) -> Story:
    numbers = number_lines(block.lines)
    units = {name: unit for name, unit, _, _ in numbers if unit is not None}
    steps = tuple(_read_step(line) for line in block.lines["step"])
    return Story(
        block,
        tuple(name for names, _ in block.words for name in names),
        tuple(units),
        units | {step.key: step.unit for step in steps},
        {name: meaning for name, _, _, meaning in numbers if meaning},
        (*block.wordings["fact"], *block.wordings["ask"]),
        steps,
    )


def _read_step(line: str) -> Step:
    head, _, rest = line.partition("): ")
    key, _, unit = head.partition(" (")
    expression, meaning, leads, tail = [*rest.split("; "), ""][:4]
    return Step(key, unit, parse(expression), meaning, split_wordings(leads), tail)


class Problem(NamedTuple):
    """A story with its words, numbers and wordings chosen."""

    story: Story
    values: dict[str, Any]  # words, numbers and the results of the steps
    wording: tuple[int, ...]  # the index of the wording of each text
    spelled: bool  # small counts are spelled out in the question

    @property
    def answer(self) -> Value:
        """The result of the last step."""
        result: Value = self.values[self.story.steps[-1].key]
        return result

    @property
    def final_answer(self) -> str:
        """The answer as it ends a solution."""
        return write_number(self.answer, self.story.steps[-1].unit)


def sample_problem(split: str, rng: SampleRng) -> Problem:
    """Sample stories until the numbers of one are plausible.

    A combination of story, words and numbers gets names of one half of the name list in each split, so no question can
    be in both.
    """
    while True:
        story = rng.choice(stories())
        values = story.block.sample(rng)
        if not _calculate(story, values):
            continue
        key = f"{story.texts[0][0]} {[str(values[name]) for name in (*story.words, *story.givens)]}"
        names, pronouns = rng.choice((("women", SHE), ("men", HE)))
        candidates = phrases("names").wordings[names][0][split_bit(split, key) :: 2]
        values |= {"name": rng.choice(candidates), "other": phrases("names").choice("others", rng), **pronouns}
        return Problem(story, values, _sample_wording(story, rng), rng.chance(0.3))


def _calculate(story: Story, values: dict[str, Any]) -> bool:
    """Add the results of the steps to the values; False where one is not positive, or not a plausible amount."""
    for step in story.steps:
        result = values[step.key] = step.expression.evaluate(values)
        decimals = step.unit == "$" or step.unit in MEASURES
        if result <= 0 or (100 % result.denominator if decimals else result < 2 or result.denominator != 1):
            return False
    return True


def _sample_wording(story: Story, rng: SampleRng) -> tuple[int, ...]:
    return tuple([int(rng.random() * len(texts)) for texts in story.texts])


def sample_rewording(problem: Problem, rng: SampleRng) -> tuple[int, ...]:
    """A wording that differs from the problem's own in at least one sentence."""
    while (wording := _sample_wording(problem.story, rng)) == problem.wording:
        pass
    return wording


# ---------------------------------------------------------------- texts of a problem


def write_number(value: Value, unit: str, commas: bool = False) -> str:
    """A number without sign and unit: ``13.50`` for money, else ``13.5``."""
    return plain(value, commas, cents=unit[:1] == "$")


def _write_given(value: Value, unit: str, spelled: bool) -> str:
    """A number as the question states it."""
    if unit[:1] == "$":
        return "$" + write_number(value, unit, commas=True)
    if unit == "%":
        return f"{plain(value * 100)}%"
    if unit == "fraction":
        return f"{value.numerator}/{value.denominator}"
    return NUMBER_WORDS[int(value)] if spelled and value <= 12 and value.denominator == 1 else plain(value, commas=True)


def slots_of(problem: Problem, hidden: str = "") -> dict[str, Any]:
    """The values of the slots in the story's texts; the hidden number is written as x."""
    story, slots = problem.story, dict(problem.values)
    for name in story.givens:
        slots[name] = _write_given(problem.values[name], story.units[name], problem.spelled)
    if hidden:
        slots[hidden] = {"$": "$x", "%": "x%"}.get(story.units[hidden][:1], "x")
    slots["answer"] = _write_given(problem.answer, story.steps[-1].unit, spelled=False)
    return slots


def write_question(problem: Problem, slots: dict[str, Any], wording: tuple[int, ...]) -> str:
    """The problem with its question; without it where the wording has no index for it."""
    return " ".join([fill(texts[i], slots) for texts, i in zip(problem.story.texts, wording, strict=False)])


def write_answer(problem: Problem, slots: dict[str, Any], opening: str = "") -> str:
    """The answer as a sentence."""
    return capitalized(f"{opening} {fill(problem.story.block.lines['answer'][0], slots)}.".lstrip())
