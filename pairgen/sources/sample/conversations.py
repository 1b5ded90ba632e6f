"""Rows in the layouts of conversational data: questions on facts and how-to articles, with good and bad answers.

Facts come from ``tables/kinds.txt`` and articles from ``tables/howto.txt``: so it is known which answers are right.
"""

from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.multiple_choice import read_entries
from pairgen.sources.sample.rng import SampleRng, in_split
from pairgen.sources.sample.templates import Block, capitalized, fill, phrases, read_blocks

ARTICLE_SHARE = 0.5
"""The share of the questions that ask how to do something, where a dataset has both."""

ORDINALS = ("first", "second", "third")


class Answered(NamedTuple):
    """A question with a good answer and a bad one, and a further question on the good one with its answer."""

    question: str
    good: str
    bad: str
    further: str
    further_answer: str


def orca_chat_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the layout of orca-chat: an instruction, and turns with input and output."""
    rng = SampleRng("orca-chat", split, seed, index)
    turns = [_answered(split, rng) for _ in range(rng.choice((1, 2, 2, 3)))]
    return {
        "instruction": phrases("talk").choice("system", rng),
        "conversation": [{"input": turn.question, "output": turn.good} for turn in turns],
    }


def sharegpt_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in ShareGPT's layout: an article, and a question on one of its steps."""
    rng = SampleRng("sharegpt", split, seed, index)
    found = _article(split, rng)
    texts = [found.question, found.good, found.further, found.further_answer][: rng.choice((2, 4, 4))]
    speakers = ("human", "gpt") * 2
    return {
        "id": f"sample_{split}_{seed}_{index}",
        "conversations": [{"from": who, "value": text} for who, text in zip(speakers, texts, strict=False)],
    }


def orca_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the layout of orca_dpo_pairs."""
    rng = SampleRng("orca", split, seed, index)
    found = _answered(split, rng)
    return {
        "system": phrases("talk").choice("system", rng) if rng.chance(0.8) else "",
        "question": found.question,
        "chosen": found.good,
        "rejected": found.bad,
    }


def ultrafeedback_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the layout of ultrafeedback_binarized: whole conversations, with scores."""
    rng = SampleRng("ultrafeedback", split, seed, index)
    found = _article(split, rng)
    asked = {"role": "user", "content": found.question}
    chosen, rejected = ([asked, {"role": "assistant", "content": text}] for text in (found.good, found.bad))
    return {
        "prompt": found.question,
        "prompt_id": f"sample_{split}_{seed}_{index}",
        "chosen": chosen,
        "rejected": rejected,
        "messages": chosen,
        "score_chosen": rng.choice((8.0, 8.5, 9.0)),
        "score_rejected": rng.choice((2.0, 4.0, 5.5)),
    }


def truthy_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in the layout of truthy-dpo: a question that a careless answer gets wrong."""
    rng = SampleRng("truthy", split, seed, index)
    found = _fact(split, rng)
    return {
        "id": f"sample_{split}_{seed}_{index}",
        "source": "sample",
        "system": phrases("talk").choice("truthful", rng),
        "prompt": found.question,
        "chosen": found.good,
        "rejected": found.bad,
    }


def _answered(split: str, rng: SampleRng) -> Answered:
    return _article(split, rng) if rng.chance(ARTICLE_SHARE) else _fact(split, rng)


def _fact(split: str, rng: SampleRng) -> Answered:
    """Whether a thing is of a kind, of which there are several in a block of facts, and no thing is of two."""
    texts = phrases("talk")
    while True:
        entries = read_entries(rng.choice(_kinds()))
        (kind, items), (other, other_items) = rng.sample(entries, 2)
        item, holds = rng.choice(items), rng.chance(0.4)
        slots = {"item": item, "kind": kind, "other": other, "example": rng.choice(other_items)}
        asked = {**slots, "asked": kind if holds else other}
        if in_split(split, f"{item}, {asked['asked']}"):  # whatever the wording of the question
            break
    question = fill(texts.choice("fact", rng), asked)
    yes, no = (capitalized(fill(texts.choice(key, rng), slots)) for key in ("yes", "no"))
    wrong_yes, wrong_no = (capitalized(fill(texts.choice(key, rng), slots)) for key in ("wrong_yes", "wrong_no"))
    return Answered(
        question,
        yes if holds else no,
        wrong_no if holds else wrong_yes,
        fill(texts.choice("example", rng), slots),
        capitalized(fill(texts.choice("example_answer", rng), slots)),
    )


@cache
def _kinds() -> tuple[Block, ...]:
    """The blocks of facts whose keys and items are things with an article: "a bat" is "a mammal"."""

    def is_thing(text: str) -> bool:
        return text.startswith(("a ", "an "))

    return tuple(
        block
        for block in read_blocks("kinds.txt")
        if all(is_thing(key) and all(map(is_thing, items)) for key, items in read_entries(block))
    )


def _article(split: str, rng: SampleRng) -> Answered:
    """How something is done, in steps; the bad answer is in a hurry, or is on something else."""
    texts = phrases("talk")
    while True:
        article = rng.choice(read_blocks("howto.txt"))
        slots = article.sample(rng) | {"n": rng.choice(range(3, 13))}
        task = fill(article.title, slots).removeprefix("How to ")
        if in_split(split, task):
            break
    question = fill(texts.choice("howto", rng), {"task": task})
    steps = _steps(article, slots)
    if rng.chance(0.5):
        bad = fill(texts.choice("hurry", rng), {"title": steps[0][0].rstrip(".").lower()})
    else:
        others = [other for other in read_blocks("howto.txt") if other.group != article.group]
        bad = _numbered(_steps(other := rng.choice(others), other.sample(rng) | {"n": slots["n"]}))
    at = rng.choice(range(len(steps)))
    return Answered(
        question,
        _numbered(steps),
        bad,
        fill(texts.choice("more", rng), {"which": ORDINALS[at] if at < len(ORDINALS) else "last"}),
        " ".join(steps[at][2:]),
    )


def _steps(article: Block, slots: dict[str, Any]) -> list[list[str]]:
    """The steps of an article: a title and three sentences each."""
    return [[fill(text, slots) for text in line.split(" / ")] for line in article.lines["step"]]


def _numbered(steps: list[list[str]]) -> str:
    return "\n".join(f"{number}. {title} {reason}" for number, (title, reason, *_) in enumerate(steps, 1))
