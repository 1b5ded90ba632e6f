"""The built-in sample: columns, variety, exact calculations, disjoint splits and reproducibility."""

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import chain, pairwise, product
from typing import Any

import pytest

from pairgen.sources import sample
from pairgen.sources.sample.multiple_choice import read_entries
from pairgen.sources.sample.stories import stories
from pairgen.sources.sample.templates import read_blocks

Row = dict[str, Any]
QUESTION = {"metamath": "query", "gsm8k": "question", "arc": "question", "hellaswag": "ctx"}
COLUMNS = {
    "metamath": {"type", "query", "original_question", "response"},
    "gsm8k": {"question", "answer"},
    "arc": {"id", "question", "choices", "answerKey"},
    "hellaswag": {
        "ind",
        "activity_label",
        "ctx_a",
        "ctx_b",
        "ctx",
        "endings",
        "source_id",
        "split",
        "split_type",
        "label",
    },
}

SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@cache
def rows(dataset: str, split: str = "train", count: int = 1000, seed: int = 0) -> list[Row]:
    """The first rows of a split."""
    return [sample.row(dataset, split, index, seed) for index in range(count)]


def metamath(*kinds: str) -> list[Row]:
    """Rows of these types, in two seeds."""
    found = [row for seed in (0, 7) for row in rows("metamath", seed=seed) if row["type"] in kinds]
    assert len(found) > 100
    return found


def strings(value: Any) -> Iterator[str]:
    """Every string in a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        yield from chain.from_iterable(map(strings, value.values() if isinstance(value, dict) else value))


# ---------------------------------------------------------------- an independent evaluation of the arithmetic


class Reader:
    """Evaluates an expression by recursive descent; ``unknown`` is the value of x. Exact, except for roots and pi."""

    TOKEN = re.compile(r"\\[a-zA-Z]+|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[a-zA-Z]+|[^\s\w]")

    def __init__(self, text: str, unknown: Fraction | None = None) -> None:
        self.tokens = self.TOKEN.findall(text)[::-1]
        self.unknown = unknown

    def value(self) -> Any:
        result = self.total()
        if self.tokens:
            raise ValueError(f"left over: {self.tokens[::-1]}")
        return result

    def peek(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def total(self) -> Any:
        result = -self.term() if self.peek() == "-" and self.tokens.pop() else self.term()
        while self.peek() in ("+", "-"):
            result = result + self.term() if self.tokens.pop() == "+" else result - self.term()
        return result

    def term(self) -> Any:
        result = self.power()
        while token := self.peek():
            if token in ("*", "×", "/", "÷", r"\cdot"):
                result = result / self.power() if self.tokens.pop() in "/÷" else result * self.power()
            elif token in "({xX" or token[0] == "\\":
                result = result * self.power()  # 4x, 2(x + 1), 3\sqrt{2}
            else:
                break
        return result

    def power(self) -> Any:
        result = self.atom()
        while self.peek() in ("^", "%"):
            result = result / 100 if self.tokens.pop() == "%" else result ** self.atom()
        return result

    def group(self) -> Any:
        close = {"(": ")", "{": "}"}[self.tokens.pop()]
        result = self.total()
        if not self.tokens or self.tokens.pop() != close:
            raise ValueError("unbalanced")
        return result

    def atom(self) -> Any:
        if self.peek() in ("(", "{"):
            return self.group()
        token = self.tokens.pop() if self.tokens else "nothing"
        if token[0].isdigit():
            return Fraction(token.replace(",", ""))
        if token in ("x", "X") and self.unknown is not None:
            return self.unknown
        if token == r"\pi":
            return math.pi
        if token == r"\boxed":
            return self.group()
        if token == r"\sqrt":
            return math.sqrt(self.group())
        if token == r"\frac":
            return self.group() / self.group()
        if token == r"\binom":
            return Fraction(math.comb(int(self.group()), int(self.group())))
        raise ValueError(f"unknown token {token}")


def sides(line: str, x_is_times: bool) -> list[str]:
    """The expressions on both sides of each equals sign: ``She has 4 boxes x 6 = 24 mugs.`` -> 4 * 6, 24."""
    line = re.sub(r"\$|(?<=\w)/[a-z]+", "", line)
    tokens = re.findall(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?%?|[A-Za-z']+|\d*x\b|[^\s\w]", line)
    if x_is_times:
        tokens = ["*" if token == "x" else token for token in tokens]
    else:
        tokens = list(chain.from_iterable(re.findall(r"\d[\d.,]*%?|\D+", token) for token in tokens))
    cuts = [-1, *(position for position, token in enumerate(tokens) if token == "="), len(tokens)]
    return [
        _expression(tokens[start + 1 : stop], from_end=number == 0)
        for number, (start, stop) in enumerate(pairwise(cuts))
    ]


def _expression(tokens: list[str], from_end: bool) -> str:
    """The expression next to an equals sign, without the nouns after its numbers."""

    def is_word(token: str) -> bool:
        return token != "x" and token[0].isalpha()

    kept: list[str] = []
    for position, token in enumerate(tokens):
        after = next((other for other in tokens[position:] if not is_word(other)), "=")
        before = next((other for other in tokens[position::-1] if not is_word(other)), "")
        if not (is_word(token) and (before[:1].isdigit()) and after in "+-*/×÷="):
            kept.append(token)
    inside = [not is_word(token) and (token[0].isdigit() or token in "x+-*/×÷()%") for token in kept]
    if from_end:
        start = max((position + 1 for position, good in enumerate(inside) if not good), default=0)
        return " ".join(kept[start:])
    return " ".join(kept[: inside.index(False) if False in inside else len(kept)])


def check_prose(text: str, x_is_times: bool, unknown: Fraction | None = None) -> list[Any]:
    """Check all equations in a text; returns their results."""
    results = []
    for line in text.split("\n"):
        if "=" in line:
            values = [Reader(side, unknown).value() for side in sides(line, x_is_times)]
            assert len(set(values)) == 1, line
            results += values[1:]
    return results


def final_answer(response: str) -> str:
    """The text after ``The answer is:``."""
    return response.rsplit("The answer is: ", 1)[1]


# ---------------------------------------------------------------- all datasets


@pytest.mark.parametrize("dataset", sample.DATASETS)
def test_row_depends_only_on_its_key(dataset: str) -> None:
    assert [sample.row(dataset, "train", index) for index in range(40, -1, -1)] == rows(dataset)[40::-1]
    assert sample.row(dataset, "train", 3, 0) != sample.row(dataset, "train", 3, 1)
    assert sample.row(dataset, "train", 3)[QUESTION[dataset]] != sample.row(dataset, "eval", 3)[QUESTION[dataset]]


def test_row_is_the_same_in_another_process() -> None:
    code = (
        "import json; from pairgen.sources import sample;"
        "print(json.dumps([sample.row(name, 'eval', i, 5) for name in sample.DATASETS for i in range(20)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [sample.row(name, "eval", index, 5) for name in sample.DATASETS for index in range(20)]
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("dataset", sample.DATASETS)
def test_row_has_the_columns_of_the_dataset_and_clean_texts(dataset: str, seed: int) -> None:
    for row in rows(dataset, seed=seed):
        assert set(row) == COLUMNS[dataset]
        for text in strings(row):
            assert text == text.strip()
            assert "  " not in text
            assert not re.search(r"<[a-z_]+>|\{[a-z_]{2,}\}|\s[,.;?!]|\.\.", text.replace(r"\dots", ""))
            assert not re.search(r"\b[Aa] (?:[aeio]|un[^i])\w", text), text
            assert text or (dataset == "hellaswag" and row["ctx_b"] == "")


@pytest.mark.parametrize(("dataset", "least"), [("metamath", 820), ("gsm8k", 990), ("arc", 800), ("hellaswag", 800)])
def test_row_questions_vary(dataset: str, least: int) -> None:
    assert len({row[QUESTION[dataset]] for row in rows(dataset)}) > least
    both = {row[QUESTION[dataset]] for seed in (0, 7) for row in rows(dataset, seed=seed)}
    assert len(both) > 1.6 * least


@pytest.mark.parametrize("dataset", sample.DATASETS)
def test_row_splits_share_no_question(dataset: str) -> None:
    columns = {QUESTION[dataset]} | ({"original_question"} if dataset == "metamath" else set())
    train, evaluation = (
        {row[column] for seed in (0, 7) for row in rows(dataset, split, seed=seed) for column in columns}
        for split in ("train", "eval")
    )
    assert train.isdisjoint(evaluation)


# ---------------------------------------------------------------- MetaMath and GSM8K


def test_metamath_types_have_the_proportions_of_the_original() -> None:
    counts = Counter(row["type"] for seed in (0, 7, 8) for row in rows("metamath", seed=seed))
    shares = {"GSM_AnsAug": 80, "GSM_Rephrased": 80, "GSM_SV": 40, "GSM_FOBAR": 40}
    shares |= {"MATH_AnsAug": 75, "MATH_Rephrased": 50, "MATH_SV": 15, "MATH_FOBAR": 15}
    assert set(counts) == set(shares)
    for kind, share in shares.items():
        assert abs(counts[kind] / 3000 - share / 395) < 0.03, kind


def test_metamath_rows_that_share_a_question_agree_on_the_answer() -> None:
    groups = defaultdict(list)
    for row in rows("metamath", count=2000):
        groups[row["original_question"]].append(row)
    shared = [group for group in groups.values() if len(group) > 1]
    assert len(shared) > 500
    for group in shared:
        forward = [row for row in group if not row["type"].endswith(("SV", "FOBAR"))]
        assert len({final_answer(row["response"]) for row in forward}) <= 1
        assert all(row["query"] == row["original_question"] for row in group if row["type"].endswith("AnsAug"))
        assert all(row["query"] != row["original_question"] for row in group if not row["type"].endswith("AnsAug"))
    answers = [
        {row["response"] for row in group} for group in shared if {row["type"][-6:] for row in group} == {"AnsAug"}
    ]
    assert sum(len(responses) > 1 for responses in answers) > 0.9 * len(answers) > 20


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("So Ada packs 4 boxes x 6 mugs/box = 24 mugs.", True),
        ("In 2 weeks she pays $1,200 + 3 * $12.50 = 1,200 + 37.50 = $1,237.50.", True),
        ("To find the rest, we take 7 and subtract 2.5: 7 - 2.5 = 4.5 liters", True),
        ("Of these, 20% * 45 = 9 are red, or 3/4 * 12 = 9.", True),
        ("So Ada packs 4 boxes x 6 mugs/box = 25 mugs.", False),
        ("She pays $1,200 + 3 * $12.50 = 1,200 + 36.50 = $1,237.50.", False),
    ],
)
def test_check_prose_rejects_wrong_calculations(line: str, good: bool) -> None:
    if good:
        assert len(check_prose(line.replace(" are red, or", "\n"), x_is_times=True)) == line.count("=")
    else:
        with pytest.raises(AssertionError):
            check_prose(line, x_is_times=True)


def test_metamath_solutions_calculate_correctly() -> None:
    lengths = Counter()
    for row in metamath("GSM_AnsAug", "GSM_Rephrased"):
        body, hashes, last = row["response"].rsplit("\n", 2)
        answer = final_answer(last)
        assert hashes == f"#### {answer}"
        results = check_prose(body, x_is_times=True)
        assert len(results) == body.count("=")
        assert results[-1] == Fraction(answer)
        lengths[len([line for line in body.split("\n") if "=" in line])] += 1
    assert set(lengths) <= {2, 3, 4, 5, 6}
    assert len(lengths) == 5


def test_metamath_solutions_write_numbers_in_many_ways() -> None:
    text = "\n".join(row["response"] for row in metamath("GSM_AnsAug", "GSM_Rephrased"))
    forms = (
        r" \* ",
        r"\d x \d",
        " × ",
        r"\d/\d",
        " ÷ ",
        r"\$\d+\.\d\d",
        r"\$\d,\d{3}",
        r"\d%",
        r" \d\.\d",
        r"\d,\d{3} ",
    )
    forms += (r"\d \+ \d+ \+ \d", r"= [^=\n]+ = ", r"\d [a-z]+ [*x] \d+ [a-z]+/[a-z]+ =", r"\d\*\d", r"\d - \d+ \+ \d")
    assert not [form for form in forms if not re.search(form, text)]


def test_metamath_backward_solutions_find_the_hidden_number() -> None:
    for row in metamath("GSM_SV", "GSM_FOBAR"):
        body, answer = row["response"].rsplit("\n####", 1)[0], final_answer(row["response"])
        query, original = row["query"], row["original_question"]
        results = check_prose(body, x_is_times=False, unknown=Fraction(answer))
        assert len(results) == body.count("=") >= 2
        assert re.search(r"(?<![a-z])x(?![a-z])", query)
        assert query.endswith("what is the value of unknown variable x?" if "FOBAR" in row["type"] else "variable x?")
        stated = original.split("?")[0].replace(",", "").lower()
        assert answer in stated or SPELLED[int(answer)] in stated


def _math(text: str) -> list[str]:
    """The formulas of a LaTeX text."""
    return [a or b for a, b in re.findall(r"\$([^$]*)\$|\\\[(.*?)\\\]", text, re.DOTALL)]


def _value(side: str, unknown: Fraction | None) -> Any:
    """The value of one side of an equation; None if it contains other letters."""
    try:
        return Reader(side.strip().rstrip("."), unknown).value()
    except ValueError:
        return None


def test_metamath_latex_solutions_calculate_correctly_and_box_their_answer() -> None:
    checked, seen = 0, 0
    for row in metamath("MATH_AnsAug", "MATH_Rephrased"):
        body, _, answer = row["response"].rpartition("\nThe answer is: ")
        assert rf"\boxed{{{answer}}}" in body
        for formula in _math(body):
            values = [_value(side, None) for side in formula.split("=")]
            assert all(math.isclose(a, b) for a, b in pairwise(value for value in values if value is not None)), formula
            seen += formula.count("=")
            checked += sum(value is not None for value in values) - 1 if "=" in formula else 0
    assert checked > 0.6 * seen > 500


def test_metamath_latex_backward_equations_hold_for_their_answer() -> None:
    for row in metamath("MATH_SV", "MATH_FOBAR"):
        answer = Fraction(final_answer(row["response"]))
        equations = [formula.split("=") for formula in _math(row["response"]) if "=" in formula]
        assert equations
        for left, right in equations:
            assert _value(left, answer) == _value(right, answer) is not None


def test_gsm8k_annotations_calculate_correctly_and_end_with_the_answer() -> None:
    for row in rows("gsm8k"):
        body, answer = row["answer"].split("\n#### ")
        annotations = re.findall(r"([^=\n]*)= ?\$?<<([^=<>]+)=([^<>]+)>>(\S+)", body)
        assert len(annotations) == body.count("<<") == len(body.split("\n")) >= 2
        for shown, inside, result, after in annotations:
            assert Reader(inside).value() == Fraction(result)
            assert after.rstrip(".") == result
            assert Reader(sides(f"{shown} = {result}", x_is_times=True)[0]).value() == Fraction(result)
        assert Fraction(annotations[-1][2]) == Fraction(answer)


def test_stories_name_the_person_before_a_pronoun() -> None:
    for story in stories():
        leads = [lead for step in story.steps for lead in step.leads]
        for sentences in product(*story.texts[:-1]):
            text = " ".join((*sentences, *story.texts[-1], story.answer, *leads))
            pronoun, name = re.search(r"<[Tt]he(y|ir|m)>", text), text.find("<name>")
            assert pronoun is None or -1 < name < pronoun.start() + 40, text
            assert all(f"<{name}>" in text for name in story.stated), text


# ---------------------------------------------------------------- ARC


def test_arc_rows_have_one_right_choice() -> None:
    sizes, digits = Counter(), 0
    for row in chain(rows("arc"), rows("arc", seed=7)):
        texts, labels = row["choices"]["text"], row["choices"]["label"]
        assert len(texts) == len(labels) == len(set(texts))
        assert "".join(labels) in ("ABCDE"[: len(labels)], "12345"[: len(labels)])
        assert row["answerKey"] in labels
        sizes[len(texts)] += 1
        digits += labels[0] == "1"
    assert set(sizes) == {3, 4, 5}
    assert sizes[4] > 1500
    assert 40 < digits < 200
    assert len({row["id"] for row in rows("arc")}) == 1000


def test_arc_facts_have_one_answer() -> None:
    count = 0
    for block in read_blocks("kinds.txt", "pairs.txt"):
        entries = read_entries(block)
        items = [item for _, items in entries for item in items]
        assert len(items) == len(set(items)) >= 8
        assert len(entries) == len(dict(entries)) >= (4 if "ask_key" in block.lines else 2)
        count += len(entries) if "ask_key" in block.lines else len(items)
    assert count > 350


CALCULATED = (
    (r"moves at (\d+) meters per second for (\d+) seconds", lambda a, b: a * b),
    (r"covers (\d+) meters in (\d+) seconds", lambda a, b: a / b),
    (r"force of (\d+) newtons moves .* over (\d+) meters", lambda a, b: a * b),
    (r"mass of (\d+) grams and a volume of (\d+) cubic centimeters. What is its density", lambda a, b: a / b),
    (r"dissolves (\d+) grams of .* in (\d+) grams", lambda a, b: a + b),
    (r"hears it (\d+) seconds later. Sound travels (\d+)", lambda a, b: a * b),
)


def test_arc_calculated_choices_are_right() -> None:
    found = Counter()
    for row in chain(rows("arc"), rows("arc", seed=7), rows("arc", "eval")):
        texts = dict(zip(row["choices"]["label"], row["choices"]["text"], strict=True))
        for pattern, rule in CALCULATED:
            if match := re.search(pattern, row["question"]):
                right = rule(*map(Fraction, match.groups()))
                values = {label: Fraction(text.split()[0]) for label, text in texts.items()}
                assert [label for label, value in values.items() if value == right] == [row["answerKey"]]
                found[pattern] += 1
    assert len(found) == len(CALCULATED)


# ---------------------------------------------------------------- HellaSwag


def test_hellaswag_columns_are_consistent() -> None:
    sources = Counter()
    for row in chain(rows("hellaswag"), rows("hellaswag", "eval", seed=7)):
        assert row["ctx"] == f"{row['ctx_a']} {row['ctx_b']}".strip()
        assert row["label"] in ("0", "1", "2", "3")
        assert len(row["endings"]) == len(set(row["endings"])) == 4
        assert all(4 < len(ending.split()) <= 30 and ending[-1] in ".?!" for ending in row["endings"])
        how_to = row["source_id"].startswith("wikihow~")
        assert how_to == ("[header]" in row["ctx"] and "[title]" in row["ctx"] and "[step]" in row["ctx"])
        assert how_to == (row["ctx_b"] == "")
        sources[how_to, row["split"]] += 1
    assert len(sources) == 4
    assert sources[True, "train"] > 200
    labels = Counter(row["label"] for row in rows("hellaswag"))
    assert min(labels.values()) > 200


def test_hellaswag_steps_are_both_right_and_wrong_endings() -> None:
    """Whether an ending is right depends on its context, so a model cannot memorize the right endings."""
    right, wrong = set(), set()
    for row in chain(*(rows("hellaswag", seed=seed) for seed in (0, 7, 8))):
        for index, ending in enumerate(row["endings"]):
            (right if str(index) == row["label"] else wrong).add(ending)
    assert len(right & wrong) > 0.5 * len(right)
