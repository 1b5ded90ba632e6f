"""Word problems with random words and numbers, from ``tables/counts.txt`` and ``tables/money.txt``."""

from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.rng import SampleRng, in_split
from pairgen.sources.sample.templates import (
    Block,
    Expression,
    Value,
    capitalized,
    fill,
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


class Style(NamedTuple):
    """How a text writes numbers and operators."""

    times: str = "*"
    over: str = "/"
    space: str = " "  # around operators
    units: bool = False  # "8 boxes x 6 pencils/box"
    dollars: bool = False  # "$" before amounts of money
    commas: bool = False
    percent: str = "decimal"  # "%", "decimal" or "fraction"

    def write_symbol(self, token: str) -> str:
        """An operator with spaces around it; any other token unchanged."""
        if token not in ("+", "-", "*", "/"):
            return token
        symbol = self.times if token == "*" else self.over if token == "/" else token
        return f"{self.space}{symbol}{self.space}"

    def write_number(self, value: Value, unit: str) -> str:
        """A number: with cents if it is money, and with its unit if the style has units."""
        if unit == "%":
            percent = plain(value * 100)
            return {"%": f"{percent}%", "fraction": f"{percent}/100", "decimal": f"{float(value):.2f}"}[self.percent]
        if unit == "fraction":
            return f"{value.numerator}/{value.denominator}"
        if unit[:1] != "$":
            return plain(value, self.commas) + (f" {unit}" if self.units and unit else "")
        written = plain(value, self.commas, cents=True)
        return f"{'$' if self.dollars else ''}{written}{unit[1:] if self.units else ''}"


PLAIN = Style()
PROSE = Style(dollars=True, commas=True, percent="%")


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
    stated: tuple[str, ...]  # the numbers that the problem states
    units: dict[str, str]  # of the stated numbers and of the steps' results
    meanings: dict[str, str]  # of the numbers that may be the unknown of a backward question
    texts: tuple[tuple[str, ...], ...]  # the wordings of each fact, and last of the question
    answer: str  # the answer as a clause
    steps: tuple[Step, ...]


@cache
def stories() -> tuple[Story, ...]:
    """All stories, read once."""
    return tuple(_read_story(block) for block in read_blocks("counts.txt", "money.txt"))


def _read_story(block: Block) -> Story:
    steps = tuple(_read_step(line) for line in block.lines["step"])
    units = {number.name: number.unit for number in block.numbers if number.unit is not None}
    return Story(
        block,
        stated=tuple(units),
        units=units | {step.key: step.unit for step in steps},
        meanings={number.name: number.meaning for number in block.numbers if number.meaning},
        texts=(*block.wordings["fact"], *block.wordings["ask"]),
        answer=block.lines["answer"][0],
        steps=steps,
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
    slots: dict[str, Any]  # the same as the problem writes them
    texts: tuple[str, ...]  # one wording of each of the story's texts

    def fill(self, text: str) -> str:
        """One of the story's texts with the words and numbers of the problem."""
        return fill(text, self.slots)

    def sentences(self) -> list[str]:
        """The facts, and last the question."""
        return [self.fill(text) for text in self.texts]

    def answer_sentence(self, opening: str = "") -> str:
        """The answer as a sentence."""
        return capitalized(f"{opening} {self.fill(self.story.answer)}.".lstrip())

    @property
    def question(self) -> str:
        """The complete problem."""
        return " ".join(self.sentences())

    @property
    def answer(self) -> str:
        """The answer as it ends a solution."""
        last = self.story.steps[-1]
        return PLAIN.write_number(self.values[last.key], last.unit)


def sample_problem(split: str, rng: SampleRng) -> Problem:
    """Sample stories until the numbers of one are plausible.

    The names come from one half of the name list in each split, and which half depends on the story, words and numbers:
    so no question is in both splits.
    """
    while True:
        story = rng.choice(stories())
        values = story.block.sample(rng)
        if _calculate(story, values):
            break
    words = [name for names, _ in story.block.words for name in names]
    key = f"{story.texts[0][0]} {[str(values[name]) for name in (*words, *story.stated)]}"
    gender, pronouns = rng.choice((("women", SHE), ("men", HE)))
    names = phrases("names").wordings[gender][0][0 if in_split(split, key) else 1 :: 2]
    spelled, last = rng.chance(0.3), story.steps[-1]
    slots = values.copy()
    for name in story.stated:
        value, unit = values[name], story.units[name]
        in_words = spelled and unit[:1] not in ("$", "%") and value.denominator == 1 and value <= 12
        slots[name] = NUMBER_WORDS[int(value)] if in_words else PROSE.write_number(value, unit)
    slots |= {"name": rng.choice(names), "other": phrases("names").choice("others", rng), **pronouns}
    slots["answer"] = PROSE.write_number(values[last.key], last.unit)
    return Problem(story, values, slots, tuple(map(rng.choice, story.texts)))


def _calculate(story: Story, values: dict[str, Any]) -> bool:
    """Add the results of the steps to the values; False where one is not positive, or not a plausible amount."""
    for step in story.steps:
        result = values[step.key] = step.expression.evaluate(values)
        least, parts = (1, 100) if step.unit == "$" or step.unit in MEASURES else (2, 1)
        if result.numerator < least or parts % result.denominator:
            return False
    return True


def reworded(problem: Problem, rng: SampleRng) -> Problem:
    """The problem in a wording that differs in at least one sentence."""
    while (texts := tuple(map(rng.choice, problem.story.texts))) == problem.texts:
        pass
    return problem._replace(texts=texts)


def with_unknown(problem: Problem, name: str) -> Problem:
    """The problem with x in place of a number."""
    unknown = "$x" if problem.story.units[name].startswith("$") else "x"
    return problem._replace(slots=problem.slots | {name: unknown})
