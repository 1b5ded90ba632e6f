"""Multiple-choice questions of your own, in any file, with any names of columns.

The choices are a list, an object by label, ARC's ``{text: [...], label: [...]}``, or columns such as ``A``, ``B``, ...,
``option1``, ``option2``, ..., ``choice_a``, ... or ``ending0``, .... The answer is the letter, label, number or text of
the right one. Whether numbers count from 0 or from 1 is found from the rows: a 0 shows the one, the number of choices
the other. Where neither occurs, 1 could be the first choice or the second, and such rows are dropped.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, product, takewhile
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

from pairgen.builders.choices import choice_example, label_text, labelled, reject_choices, structured
from pairgen.builders.interface import Builder, Example, clean_text
from pairgen.errors import WrongColumns
from pairgen.pairs.record import DropRow
from pairgen.sources.origin import Source

LOOKED_AT = 1000
"""Rows that are looked at to find out from what answers count; more if these do not show it."""
STRAY = 50
"""If one way to count fits this many times as many rows as the other, the others are errors in the data."""

LETTERS = tuple(ascii_uppercase[:10])
_SUFFIXES = (LETTERS, tuple(ascii_lowercase[:10]), tuple(map(str, range(1, 11))), tuple(map(str, range(10))))
_WORDS = ("option", "choice", "ending", "answer", "op", "sol")
FAMILIES = [
    LETTERS,
    *(
        tuple(f"{word}{separator}{suffix}" for suffix in suffixes)
        for name, separator, suffixes in product(_WORDS, ("", "_", " "), _SUFFIXES)
        for word in (name, name.capitalize(), name.upper())
    ),
]
"""Columns that hold one choice each: ``A``, ``B``, ...; ``option_a``, ...; ``Choice 1``, ...; ``ending0``, ..."""
_BY_FIRST = {family[0]: family for family in FAMILIES}

_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
NO_CHOICES = "no choices"


class _Choices(NamedTuple):
    """The texts of the choices, their labels if they have any, and whether they are numbers in the source."""

    texts: list[str]
    labels: list[str | None]
    numeric: bool


# ---------------------------------------------------------------- rows


def read(row: Mapping[str, Any], count_from: str = "unknown") -> Example:
    """The choice that ``answer`` names is the answer; rows with the same ``group`` are one question group.

    Args:
        count_from: the number of the first choice: ``0``, ``1``, ``unknown``, or ``mixed`` if it differs between rows.
    """
    question = clean_text(row["question"], "question")
    choices = _choices(row)
    example = choice_example("choices", question, choices.texts, _correct(row["answer"], choices, count_from), row)
    group = label_text(row.get("group"))
    return example._replace(question_group=group) if group else example


def _choices(row: Mapping[str, Any]) -> _Choices:
    """The choices of a row. Raises DropRow."""
    given = structured(row.get("choices"))
    labels: Iterable[Any] = ()
    if label_text(given) is None:
        names = _columns(row)
        texts, labels = [row[name] for name in names], [name[-1] for name in names if not name[-1].isdecimal()]
    elif isinstance(given, list) and not any(isinstance(one, Mapping) for one in given):
        texts = given
    elif isinstance(given, Mapping) and not {"text", "label"} <= given.keys():
        found = {label: text for label, text in given.items() if text is not None}
        texts, labels = list(found.values()), found
    else:
        texts, labels = labelled(given)
    numeric = any(type(text) is not str for text in texts)
    return _Choices(list(map(_text, texts)), list(map(_letter_or_label, labels)), numeric)


def _columns(row: Mapping[str, Any]) -> list[str]:
    """The columns of the choices, without trailing ones that are blank in this row. Raises DropRow."""
    families = [_BY_FIRST[name] for name in row if name in _BY_FIRST]
    found = [names for family in families if len(names := list(takewhile(row.__contains__, family))) > 1]
    found = [names for names in found if not any(set(names) < set(others) for others in found)]
    if len(found) != 1:
        raise DropRow("several sets of choice columns" if found else NO_CHOICES)
    (names,) = found
    while names and label_text(row[names[-1]]) is None:
        names.pop()
    return names


def _text(value: Any) -> str:
    """The text of a choice; a number is one too. Raises DropRow."""
    is_number = type(value) is int or (type(value) is float and math.isfinite(value))
    return clean_text(str(value) if is_number else value, "choice")


def _letter_or_label(label: Any) -> str | None:
    """A label as it is compared: ``(b)`` is B, 2.0 is 2."""
    text = label_text(label)
    letter = _LETTER.fullmatch(text) if text else None
    return letter[1].upper() if letter else text


# ---------------------------------------------------------------- answers


def _correct(answer: Any, choices: _Choices, count_from: str) -> int:
    """The index of the right choice. Raises DropRow if the answer names none, or could name several."""
    label = _letter_or_label(answer)
    if label is None:
        raise DropRow("answer is null" if type(answer) is not str else "answer is empty")
    if type(answer) not in (str, int, float):
        raise DropRow("answer is not a string or a number")
    found = _named(answer, label, choices)
    number = _number(label, choices)
    if number is not None:
        counted = _counted(number, len(choices.texts), count_from)
        if len(counted) > 1 and not found:
            raise DropRow(
                "answers count from 0 in some rows, from 1 in others"
                if count_from == "mixed"
                else "answer could count from 0 or from 1"
            )
        found |= counted if len(counted) == 1 else set()
    if len(found) != 1:
        raise DropRow("answer matches several choices" if found else "answer matches no choice")
    return found.pop()


def _named(answer: Any, label: str, choices: _Choices) -> set[int]:
    """The indices of the choices with this label; if there is none, of those with this text or letter."""
    found = {index for index, other in enumerate(choices.labels) if other == label}
    if found:
        return found
    is_index = type(answer) is not str and not choices.numeric and _NUMBER.fullmatch(label)
    if not (is_index and int(label) <= len(choices.texts)):
        text = str(answer).strip()
        found = {index for index, other in enumerate(choices.texts) if other in (text, label_text(answer))}
    has_letters = any(other in LETTERS for other in choices.labels)
    if not has_letters and label in ascii_uppercase[: len(choices.texts)] and len(label) == 1:
        found.add(ascii_uppercase.index(label))
    return found


def _number(label: str, choices: _Choices) -> int | None:
    """The answer as the number of a choice, unless choices have that label or others like it."""
    has_numbers = any(other and _NUMBER.fullmatch(other) for other in choices.labels)
    return int(label) if _NUMBER.fullmatch(label) and not has_numbers else None


def _counted(number: int, size: int, count_from: str) -> set[int]:
    """The indices of the choices that a number could mean."""
    starts = (int(count_from),) if count_from in ("0", "1") else (0, 1)
    return {number - start for start in starts if 0 <= number - start < size}


# ---------------------------------------------------------------- all rows


def adapt(sources: Mapping[str, Source]) -> Builder:
    """The builder that counts as the answers of these sources do, if they are numbers.

    Raises:
        WrongColumns: no row has choices.
    """
    rows = (row for source in sources.values() for _, block in source.blocks(1 << 16) for _, row in block.rows())
    seen = without = zeros = lasts = others = 0
    for row in rows:
        if not isinstance(row, dict):
            continue
        if seen >= LOOKED_AT and (zeros or lasts or not others):
            break
        seen += 1
        try:
            choices = _choices(row)
        except DropRow as drop:
            without += drop.reason == NO_CHOICES
            continue
        number = _number_alone(row.get("answer"), choices)
        if number is not None:
            zeros += number == 0
            lasts += number == len(choices.texts)
            others += 0 < number < len(choices.texts)
    if seen and without == seen:
        raise _no_choices(sources)
    count_from = "0" if zeros > STRAY * lasts else "1" if lasts > STRAY * zeros else "mixed" if zeros else "unknown"
    recorded = {"answers_count_from": count_from} if zeros or lasts or others else {}
    return replace(BUILDER, read=partial(read, count_from=count_from), recorded=recorded)


def _number_alone(answer: Any, choices: _Choices) -> int | None:
    """The number that an answer is, if it can be nothing else."""
    label = _letter_or_label(answer)
    if label is None or type(answer) not in (str, int, float) or _named(answer, label, choices):
        return None
    return _number(label, choices)


def _no_choices(sources: Mapping[str, Source]) -> WrongColumns:
    files = ", ".join(str(file) for source in sources.values() for file in source.files)
    return WrongColumns(
        f"{files}: has neither a column choices nor columns such as A, B, C or option1, option2; name them with "
        "--columns choices=NAME or --columns A=NAME,B=NAME"
    )


BUILDER = Builder(
    name="choices",
    title="Multiple-choice preference pairs from {source}",
    description="Each question gives one pair per wrong choice: the correct choice is chosen, the wrong one rejected.",
    summary="multiple-choice questions of your own (columns question, choices, answer; optionally group)",
    columns=frozenset({"question", "answer"}),
    optional=frozenset({"choices", "group", *LETTERS}),
    unlisted=frozenset(chain.from_iterable(FAMILIES)),
    read=read,
    reject=reject_choices,
    adapt=adapt,
    multiple_choice=True,
)
