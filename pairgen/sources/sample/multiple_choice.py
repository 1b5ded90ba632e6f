"""Rows in the layout of ARC-Challenge (science questions) and of HellaSwag (scenes and how-to articles to complete)."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from pairgen.sources.sample.rng import SampleRng, in_split
from pairgen.sources.sample.templates import Block, capitalized, fill, phrases, read_blocks, split_wordings

Question = tuple[str, str, Sequence[str]]
"""The text (in which the slot <name> for a person may be left), the right choice and the wrong ones."""

Completion = tuple[str, str, str, list[str]]
"""The activity, the two parts of the context, and four endings, of which the first is right."""

NAME = {"name": "<name>"}  # leaves the slot for a person's name as it is
CALCULATED_SHARE = 0.4  # the share of the questions with random words and numbers
CHOICES = (4,) * 18 + (3, 5)  # the number of choices
_IMPLAUSIBLE = re.compile(r"-|0 |\d+/").match  # a negative number, zero or a fraction


def arc_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in ARC's layout."""
    rng = SampleRng("arc", split, seed, index)
    question = None
    while question is None:
        question = (_sample_calculated if rng.chance(CALCULATED_SHARE) else _sample_fact)(split, rng)
    text, right, wrong = question
    if "<name>" not in text and rng.chance(0.4):
        text = f"{phrases('question').choice('lead', rng)} {text}"
    count = min(rng.choice(CHOICES), len(wrong) + 1)
    choices = [right, *rng.sample(wrong, count - 1)]
    order = rng.sample(range(count), count)
    labels = list("12345" if rng.chance(0.05) else "ABCDE")[:count]
    return {
        "id": f"Sample_{split}_{seed}_{index}",
        "question": text.replace("<name>", phrases("names").choice(rng.choice(("women", "men")), rng)),
        "choices": {"text": [choices[position] for position in order], "label": labels},
        "answerKey": labels[order.index(0)],
    }


def _sample_calculated(split: str, rng: SampleRng) -> Question | None:
    """A question with random words and numbers; None if it belongs to the other split."""
    block = rng.choice(read_blocks("questions.txt"))
    slots = NAME | block.sample(rng)
    text = fill(block.choice("ask", rng), slots)
    if not in_split(split, text):
        return None
    right = fill(block.lines["right"][0], slots)
    wrong = dict.fromkeys(fill(choice, slots) for choice in block.wordings["wrong"][0])
    return text, right, [choice for choice in wrong if choice != right and not _IMPLAUSIBLE(choice)]


def _sample_fact(split: str, rng: SampleRng) -> Question | None:
    """A question whose answer is the key of an item, an item of a key, or an item of any other key.

    None if it belongs to the other split.
    """
    block = rng.choice(read_blocks("kinds.txt", "pairs.txt"))
    entries = read_entries(block)
    key, items = rng.choice(entries)
    item, keyword = rng.choice(items), "ask_item"
    if "ask_key" in block.lines and rng.chance(0.65):
        keyword = "ask_key"
    elif "ask_other" in block.lines and len(items) >= 3 and rng.chance(0.3):
        keyword = "ask_other"
    text = fill(block.choice(keyword, rng), {"key": key, "item": item, **NAME})
    if not in_split(split, text):
        return None
    if keyword == "ask_key":
        return text, key, [other for other, _ in entries if other != key]
    others = [other for other_key, group in entries if other_key != key for other in group]
    return (text, item, others) if keyword == "ask_item" else (text, rng.choice(others), items)


@cache
def read_entries(block: Block) -> list[tuple[str, tuple[str, ...]]]:
    """The keys of a block of facts, each with its items."""
    entries = (entry.partition(": ") for entry in block.lines["entry"])
    return [(key, split_wordings(items)) for key, _, items in entries]


def hellaswag_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in HellaSwag's layout."""
    rng = SampleRng("hellaswag", split, seed, index)
    completion = None
    while completion is None:
        source, sample = ("wikihow", _sample_article) if rng.chance(1 / 3) else ("activitynet", _sample_scene)
        completion = sample(split, rng)
    activity, context_a, context_b, endings = completion
    order = rng.sample(range(4), 4)
    return {
        "ind": index,
        "activity_label": activity,
        "ctx_a": context_a,
        "ctx_b": context_b,
        "ctx": f"{context_a} {context_b}".strip(),
        "endings": [endings[position] for position in order],
        "source_id": f"{source}~sample_{split}_{seed}_{index}",
        "split": "train" if split == "train" else "val",
        "split_type": "indomain" if split == "train" or rng.chance(0.5) else "zeroshot",
        "label": str(order.index(0)),
    }


def _sample_others(block: Block, table: str, rng: SampleRng) -> list[Block]:
    """Three blocks of a table in other groups."""
    others: list[Block] = []
    while len(others) < 3:
        if (other := rng.choice(read_blocks(table))).group != block.group and other not in others:
            others.append(other)
    return others


def _sample_scene(split: str, rng: SampleRng) -> Completion | None:
    """A scene to complete; None if it belongs to the other split."""
    scene = rng.choice(read_blocks("scenes.txt"))
    steps, texts = scene.lines["do"], phrases("scene")
    position = rng.choice(range(len(steps) - 1))
    slots = texts.sample(rng) | {"do": steps[position]}
    context = fill(texts.choice("first", rng), slots)
    if position < len(steps) - 2 and rng.chance(0.5):
        position += 1
        context += " " + fill(texts.choice("second", rng), slots | {"do": steps[position]})
    context = ". ".join(capitalized(sentence) for sentence in context.split(". "))
    start = fill(texts.choice("start", rng), slots)
    if not in_split(split, f"{context} {start}"):
        return None
    wrong = [rng.choice(other.lines["do"]) for other in _sample_others(scene, "scenes.txt", rng)]
    if rng.chance(0.7):
        wrong[0] = rng.choice(scene.lines["odd"])
    endings = []
    for ending in (steps[position + 1], *wrong):
        tail = "" if " and " in ending or " with " in ending else texts.choice("tail", rng)
        endings.append(f"{ending} {tail}".rstrip() + ".")
    return scene.title, context, start, endings


def _sample_article(split: str, rng: SampleRng) -> Completion | None:
    """A how-to article to complete; None if it belongs to the other split."""
    article, slots = rng.choice(read_blocks("howto.txt")), {"n": rng.choice(range(3, 13))}
    steps = [line.split(" / ") for line in article.lines["step"]]
    position = rng.choice(range(len(steps)))
    title, first, second, _ = steps[position]
    # What to complete: a step after its first sentence, a step after its second sentence, or the article.
    form = rng.choice(("step", "sentence", "article") if position + 1 < len(steps) else ("step", "sentence"))
    context = f"[header] {article.title} [title] {title} [step] {first}"
    if form != "step":
        context += f"{rng.choice((' ', ' ', ' [substeps] '))}{second}"
    context = fill(context, slots | article.sample(rng))
    if not in_split(split, context):
        return None
    following = [steps[position + 1 if form == "article" else position]]
    following += [rng.choice(other.lines["step"]).split(" / ") for other in _sample_others(article, "howto.txt", rng)]
    if form == "article":
        endings = [f"[title] {texts[0]} [step] {texts[1]}" for texts in following]
    else:
        endings = [texts[3] if form == "sentence" else " ".join(texts[2 : rng.choice((3, 4))]) for texts in following]
    return article.group.removeprefix("howto "), context, "", [fill(ending, slots) for ending in endings]
