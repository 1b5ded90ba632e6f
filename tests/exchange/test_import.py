"""Importing existing preference data: every layout by its columns alone, conversations, counts, errors."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.errors import SourceError, UsageError, WrongColumns
from pairgen.exchange.imports.detection import by_columns, detect, layouts
from pairgen.exchange.imports.importing import find_importer, import_pairs
from pairgen.exchange.imports.layout_table import LAYOUTS
from pairgen.exchange.imports.preferences import from_text
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import DropRow
from pairgen.pairs.validate import violations
from pairgen.stats import describe

Row = dict[str, Any]

QUESTION, GOOD, BAD, WORSE = "What shines at night?", "The moon.", "A lamp post.", "Nothing."
SYSTEM, BEFORE = "Be brief.", "Hi!"


def user(text: str = QUESTION) -> Row:
    return {"role": "user", "content": text}


def assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


def said(speaker: str, text: str) -> Row:
    return {"from": speaker, "value": text}


# Each layout as its documentation shows it: rows, then prompt, chosen and rejected completions, and kept messages.
EXAMPLES: dict[str, tuple[list[Row], str, str, list[str], list[Row] | None]] = {
    "trl": (
        [{"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}],
        "The sky is",
        " blue.",
        [" green."],
        None,
    ),
    "trl-implicit": (
        [{"chosen": "The sky is blue.", "rejected": "The sky is green."}],
        "The sky is",
        " blue.",
        [" green."],
        None,
    ),
    "trl-chat": (
        [{"prompt": [user()], "chosen": [assistant(GOOD)], "rejected": [assistant(BAD)]}],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "chat": (
        [
            {
                "prompt": QUESTION,
                "prompt_id": "ab12",
                "chosen": [user(), assistant(GOOD)],
                "rejected": [user(), assistant(BAD)],
                "messages": [user(), assistant(GOOD)],
                "score_chosen": 8.5,
                "score_rejected": 3.0,
            }
        ],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "hh": (
        [
            {
                "chosen": f"\n\nHuman: {BEFORE}\n\nAssistant: Hello.\n\nHuman: {QUESTION}\n\nAssistant: {GOOD}",
                "rejected": f"\n\nHuman: {BEFORE}\n\nAssistant: Hello.\n\nHuman: {QUESTION}\n\nAssistant: {BAD}",
            }
        ],
        f"Human: {BEFORE}\n\nAssistant: Hello.\n\nHuman: {QUESTION}\n\nAssistant:",
        f" {GOOD}",
        [f" {BAD}"],
        [user(BEFORE), assistant("Hello."), user()],
    ),
    "orca": (
        [{"system": SYSTEM, "question": QUESTION, "chosen": GOOD, "rejected": BAD}],
        f"{SYSTEM}\n\n{QUESTION}",
        f"\n{GOOD}",
        [f"\n{BAD}"],
        [{"role": "system", "content": SYSTEM}, user()],
    ),
    "system": (
        [{"id": "t1", "source": "truthy", "system": "", "prompt": QUESTION, "chosen": GOOD, "rejected": BAD}],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "azure": (
        [
            {
                "input": {"messages": [{"role": "system", "content": SYSTEM}, user()], "tools": []},
                "preferred_output": [assistant(GOOD)],
                "non_preferred_output": [assistant(BAD)],
            }
        ],
        f"{SYSTEM}\n\n{QUESTION}",
        f"\n{GOOD}",
        [f"\n{BAD}"],
        [{"role": "system", "content": SYSTEM}, user()],
    ),
    "kto": (
        [
            {"prompt": [user()], "completion": [assistant(BAD)], "label": False},
            {"prompt": [user()], "completion": [assistant(GOOD)], "label": True},
            {"prompt": [user()], "completion": [assistant(WORSE)], "label": False},
        ],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}", f"\n{WORSE}"],
        None,
    ),
    "ranked": (
        [{"prompt": [user()], "completions": [BAD, GOOD, WORSE], "scores": [0.5, 0.9, 0.1]}],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}", f"\n{WORSE}"],
        None,
    ),
    "nectar": (
        [
            {
                "prompt": f"\n\nHuman: {QUESTION}\n\nAssistant: ",
                "answers": [{"answer": BAD, "model": "b", "rank": 2.0}, {"answer": GOOD, "model": "a", "rank": 1.0}],
                "turns": 1,
            }
        ],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "ultrafeedback": (
        [
            {
                "source": "evol_instruct",
                "instruction": QUESTION,
                "completions": [
                    {"response": GOOD, "overall_score": 9.0, "model": "a"},
                    {"response": BAD, "overall_score": 4.0, "model": "b"},
                    {"response": "The same.", "overall_score": 9.0, "model": "c"},
                ],
            }
        ],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "nemo-rl": (
        [
            {
                "context": [user()],
                "completions": [
                    {"rank": 0, "completion": [assistant(GOOD)]},
                    {"rank": 1, "completion": [assistant(BAD)]},
                ],
                "task_name": "HelpSteer3",
            }
        ],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "step-dpo": (
        [
            {
                "dataset": "gsm",
                "prompt": "How many are 2 + 2 + 1?",
                "initial_reason_steps": "Let's think step by step.\nStep 1: 2 + 2 = 4.\nStep 2:",
                "chosen": " 4 + 1 = 5.",
                "rejected": " 4 + 1 = 6.",
                "full_chosen": "Let's think step by step.\nStep 1: 2 + 2 = 4.\nStep 2: 4 + 1 = 5. The answer is 5.",
                "full_rejected": "Let's think step by step.\nStep 1: 2 + 2 = 4.\nStep 2: 4 + 1 = 6. The answer is 6.",
                "answer": "5",
            }
        ],
        "How many are 2 + 2 + 1?\nLet's think step by step.\nStep 1: 2 + 2 = 4.\nStep 2:",
        " 4 + 1 = 5.",
        [" 4 + 1 = 6."],
        None,
    ),
    "llama-factory": (
        [
            {
                "conversations": [said("human", BEFORE), said("gpt", "Hello."), said("human", QUESTION)],
                "chosen": said("gpt", GOOD),
                "rejected": said("gpt", BAD),
            }
        ],
        f"Human: {BEFORE}\n\nAssistant: Hello.\n\nHuman: {QUESTION}\n\nAssistant:",
        f" {GOOD}",
        [f" {BAD}"],
        [user(BEFORE), assistant("Hello."), user()],
    ),
    "axolotl": (
        [{"messages": [user()], "chosen": assistant(GOOD), "rejected": assistant(BAD)}],
        QUESTION,
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "alpaca": (
        [{"instruction": "Answer.", "input": QUESTION, "chosen": GOOD, "rejected": BAD}],
        f"Answer.\n{QUESTION}",
        f"\n{GOOD}",
        [f"\n{BAD}"],
        None,
    ),
    "sft": ([{"prompt": "The sky is", "completion": " blue."}], "The sky is", " blue.", [""], None),
    "sft-messages": ([{"messages": [user(), assistant(GOOD)]}], QUESTION, f"\n{GOOD}", [""], None),
    "sharegpt": (
        [{"id": "x", "conversations": [said("system", SYSTEM), said("human", QUESTION), said("gpt", GOOD)]}],
        f"{SYSTEM}\n\n{QUESTION}",
        f"\n{GOOD}",
        [""],
        [{"role": "system", "content": SYSTEM}, user()],
    ),
    "orca-chat": (
        [{"cluster": "a", "instruction": SYSTEM, "conversation": [{"input": QUESTION, "output": GOOD}]}],
        f"{SYSTEM}\n\n{QUESTION}",
        f"\n{GOOD}",
        [""],
        [{"role": "system", "content": SYSTEM}, user()],
    ),
    "sft-alpaca": (
        [{"instruction": "Say blue.", "input": "", "output": "blue"}],
        "Say blue.",
        "\nblue",
        [""],
        None,
    ),
    "metamath": (
        [{"type": "GSM_SV", "query": "1 + 1?", "original_question": "1 + 1?", "response": "It is 2."}],
        "1 + 1?",
        "\nIt is 2.",
        [""],
        None,
    ),
    "question-answer": ([{"question": "1 + 1?", "answer": "2\n#### 2"}], "1 + 1?", "\n2\n#### 2", [""], None),
}


def write(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def imported(out: Path, rows: list[Row], layout: str | None = None, sft: bool = False, **options: Any) -> PairDataset:
    given = BuildOptions(source=(write(out.with_suffix(".jsonl"), rows),), **options)
    return import_pairs(find_importer(given, layout, sft=sft), out, given)


def test_each_layout_has_an_example() -> None:
    assert set(EXAMPLES) == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    rows, prompt, chosen, rejected, messages = EXAMPLES[name]
    sft = LAYOUTS[name].sft
    assert detect(rows, sft, "rows") == name
    pairs = imported(tmp_path / "out", rows, sft=sft)
    assert pairs.manifest["options"]["layout"] == name
    assert bool(pairs.manifest.get("sft")) == sft
    assert pairs.manifest.get("license") is None
    found = list(pairs["train"])
    assert {(row["prompt"], row["chosen"]) for row in found} == {(prompt, chosen)}
    assert [row["rejected"] for row in found] == rejected
    assert len({row["group_id"] for row in found}) == 1
    assert all(row["messages"] == messages for row in found)
    assert found[0]["row"] == "out.jsonl:1"
    assert violations(pairs) == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_other_layouts_do_not_fit_an_example(name: str) -> None:
    """A layout that also fits has fewer columns, so that it does not count."""
    (row, *_), *_ = EXAMPLES[name]
    fitting = {other for other, layout in layouts(LAYOUTS[name].sft).items() if layout.fits(row)}
    allowed = {"trl", "trl-implicit", "chat"} | ({"sft"} if LAYOUTS[name].sft else set())
    assert fitting - {name} <= allowed


def test_a_row_that_fits_two_layouts_is_refused(tmp_path: Path) -> None:
    row = {"system": SYSTEM, "question": QUESTION, "prompt": QUESTION, "chosen": GOOD, "rejected": BAD}
    with pytest.raises(UsageError, match=r"out\.jsonl: fits the layouts orca and system; choose one with --layout"):
        imported(tmp_path / "out", [row])
    assert len(imported(tmp_path / "out", [row], layout="orca")) == 1


def test_a_row_for_two_trainers_is_refused(tmp_path: Path) -> None:
    row = {"instruction": QUESTION, "input": "", "prompt": QUESTION, "chosen": GOOD, "rejected": BAD}
    with pytest.raises(UsageError, match="fits the layouts trl and alpaca; choose one with --layout"):
        imported(tmp_path / "out", [row])


def test_messages_with_an_answer_are_not_the_prompt(tmp_path: Path) -> None:
    row = {"prompt": QUESTION, "chosen": GOOD, "rejected": BAD, "messages": [user(), assistant(GOOD)]}
    assert imported(tmp_path / "out", [row])["train"][0]["prompt"] == QUESTION


def test_a_pair_dataset_can_be_imported_again(tmp_path: Path) -> None:
    rows, *_ = EXAMPLES["azure"]
    pairs = imported(tmp_path / "out", rows)
    options = BuildOptions(source=(str(pairs.path),))
    again = import_pairs(find_importer(options), tmp_path / "again", options)
    for name in ("prompt", "messages", "chosen", "rejected", "group_id"):
        assert again["train"][0][name] == pairs["train"][0][name]


def test_unknown_columns_are_listed(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"matches no known layout .* \(its columns are q, a, b\); name the columns with"
    ):
        imported(tmp_path / "out", [{"q": "1", "a": "2", "b": "3"}])


def test_splits_of_different_layouts_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", EXAMPLES["trl"][0])
    two = write(tmp_path / "two.jsonl", EXAMPLES["chat"][0])
    with pytest.raises(UsageError, match="the splits have different layouts: train is trl and eval is chat"):
        find_importer(BuildOptions(source=(one, f"eval={two}")))


def test_columns_by_name(tmp_path: Path) -> None:
    row = {"q": QUESTION, "sys": SYSTEM, "good": GOOD, "bad": BAD}
    pairs = imported(tmp_path / "out", [row], columns="prompt=q,system=sys,chosen=good,rejected=bad")
    assert pairs["train"][0]["messages"] == [{"role": "system", "content": SYSTEM}, user()]
    assert "--columns prompt=q,system=sys,chosen=good,rejected=bad" in pairs.manifest["command"]
    with pytest.raises(WrongColumns, match="worse"):
        imported(tmp_path / "other", [row], columns="prompt=q,chosen=good,rejected=worse")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt", "must be written as OURS=THEIRS"),
        ("prompt=q,rubbish=x", "rubbish is unknown; available: chosen"),
        ("prompt=q,chosen=a", "rejected is missing"),
    ],
)
def test_wrong_columns_option(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        by_columns(text, sft=False)


def test_layout_and_source_errors(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", EXAMPLES["trl"][0])
    with pytest.raises(UsageError, match="name the data to import"):
        find_importer(BuildOptions())
    with pytest.raises(UsageError, match="--layout and --columns exclude each other"):
        find_importer(BuildOptions(source=(file,), columns="prompt=a,chosen=b,rejected=c"), "trl")
    with pytest.raises(UsageError, match="--layout sft: unknown; available: trl"):
        find_importer(BuildOptions(source=(file,)), "sft")
    with pytest.raises(SourceError, match="no such file"):
        find_importer(BuildOptions(source=(str(tmp_path / "missing.jsonl"),)))


# ---------------------------------------------------------------- rows that yield no pair


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "chosen and rejected are the same"),
        ({"prompt": "p", "chosen": "a", "rejected": " \n"}, "rejected is empty"),
        ({"prompt": "p", "chosen": None, "rejected": "b"}, "chosen is null"),
        ({"prompt": "  ", "chosen": "a", "rejected": "b"}, "prompt is empty"),
        ({"prompt": "p", "chosen": 3, "rejected": "b"}, "chosen is not a string"),
        ({"prompt": "p", "chosen": "a" * 100_001, "rejected": "b"}, "chosen is over 100,000 characters"),
        ({"prompt": "p", "chosen": "\ud800", "rejected": "b"}, "invalid Unicode"),
        (
            {"prompt": "p", "chosen": [user("x"), assistant("a")], "rejected": [user("y"), assistant("b")]},
            "chosen and rejected differ in more than their last message",
        ),
        (
            {"prompt": "p", "chosen": [user("x"), assistant("a")], "rejected": [user("x")]},
            "rejected does not end with an assistant message",
        ),
        (
            {"prompt": "p", "chosen": [{"role": "tool", "content": "x"}, assistant("a")], "rejected": "b"},
            "chosen has a message that is not from system, user or assistant",
        ),
        (
            {
                "prompt": [user([{"type": "image_url", "image_url": "x"}])],  # type: ignore[arg-type]
                "chosen": [assistant("a")],
                "rejected": [assistant("b")],
            },
            "prompt has a message that is not text",
        ),
        (
            {"prompt": [user(), assistant("a")], "chosen": [assistant("a")], "rejected": [assistant("b")]},
            "the prompt is not a conversation that ends with a user message",
        ),
    ],
)
def test_a_row_without_a_pair_is_counted_with_its_reason(row: Row, reason: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in (EXAMPLES["trl"][0][0], row)), "utf-8"
    )
    options = BuildOptions(source=(str(tmp_path / "rows.jsonl"),), on_error="skip")
    pairs = import_pairs(find_importer(options, "trl"), tmp_path / "out", options)
    found = pairs.manifest["splits"]["train"]
    assert (found["rows"], found["pairs"]) == (2, 1)
    assert found["drops"] in ({reason: 1}, {"unreadable row": 1})
    assert reason == "invalid Unicode" or "unreadable row" not in found["drops"]


def test_kto_rows_without_a_partner_are_dropped(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "completion": " x", "label": True},
        {"prompt": "a", "completion": " y", "label": "False"},
        {"prompt": "b", "completion": " x", "label": True},
        {"prompt": "a", "completion": " z", "label": 0, "group_id": "other"},
    ]
    pairs = imported(tmp_path / "out", rows)
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in pairs] == [("a", " x", " y")]
    drops = {"no completion is worse than another": 2}
    assert (pairs.manifest["splits"]["train"]["rows"], pairs.manifest["splits"]["train"]["drops"]) == (3, drops)


def test_each_assistant_message_of_a_conversation_is_a_row(tmp_path: Path) -> None:
    turns = [user("Hi"), assistant("Hello."), user(), assistant(GOOD), user("Bye")]
    pairs = imported(tmp_path / "out", [{"messages": turns}, {"messages": [user()]}], sft=True)
    assert [(row["messages"], row["chosen"]) for row in pairs] == [(None, "\nHello."), (turns[:3], f" {GOOD}")]
    assert pairs.manifest["splits"]["train"]["drops"] == {"completion is null": 1}


def test_options_of_a_build_apply(tmp_path: Path) -> None:
    rows = [
        {"id": number, "prompt": f"p{number // 2}", "chosen": f"a{number}", "rejected": "b"} for number in range(40)
    ]
    pairs = imported(tmp_path / "out", rows, eval_size=10, license="cc-by-4.0")
    assert (len(pairs["train"]), len(pairs["eval"])) == (30, 10)
    assert not {row["prompt"] for row in pairs["train"]} & {row["prompt"] for row in pairs["eval"]}
    assert pairs["train"][0]["row_id"] is not None
    assert pairs.manifest["license"] == "cc-by-4.0"
    command = pairs.manifest["command"]
    assert command.startswith("pairgen import out.jsonl --layout trl --out out --eval-size 10 --license cc-by-4.0")


@pytest.mark.parametrize("name", ["kto", "sharegpt", "azure", "trl"])
def test_workers_change_nothing(name: str, tmp_path: Path) -> None:
    rows, *_ = EXAMPLES[name]
    many = [
        json.loads(json.dumps(row).replace("night", f"night {n}").replace("sky", f"sky {n}"))
        for n in range(500)
        for row in rows
    ]
    one, two = (imported(tmp_path / f"out{count}", many, sft=LAYOUTS[name].sft, workers=count) for count in (1, 2))
    without = [[{**row, "row": None} for row in pairs] for pairs in (one, two)]
    assert without[0] == without[1]
    assert len(one) == 500 * len(EXAMPLES[name][3])


# ---------------------------------------------------------------- properties

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(prompt=texts, chosen=texts, rejected=texts)
@settings(deadline=None)
def test_text_pairs_keep_every_character(prompt: str, chosen: str, rejected: str) -> None:
    """Prompt and completion, put together, are those of the source; a new line is added where no space is."""
    if not prompt.strip():
        return
    found = from_text(prompt, [chosen, rejected])
    assert found.prompt == found.prompt.rstrip()
    for ours, theirs in ((found.chosen, chosen), (*found.rejected, rejected)):
        assert found.prompt + ours in (prompt + theirs, f"{prompt.rstrip()}\n{prompt[len(prompt.rstrip()) :]}{theirs}")
        assert ours.startswith((" ", "\n"))


keys = st.sampled_from(["role", "content", "rank", "from", "value", "messages", "answer", "response", "overall_score"])
leaves = st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["", "x", "user", "assistant"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2), max_leaves=6
)


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
@settings(deadline=None)
def test_no_row_breaks_a_layout(name: str, data: st.DataObject) -> None:
    """Every reader yields a preference or drops the row, whatever the row holds in place of some values."""
    layout = LAYOUTS[name]
    row = dict(EXAMPLES[name][0][0])
    for column in data.draw(st.sets(st.sampled_from(sorted({*layout.columns, "prompt", "system", "messages"})))):
        row[column] = data.draw(values)
    layout.fits(row)
    if layout.joins:
        row |= {"completions": [row["completion"], "x"], "scores": [1, 0]}
    renamed = layout.renamed(row)
    for part in layout.expand(renamed) if layout.expand else [renamed]:
        with contextlib.suppress(DropRow):
            found = layout.read(part)
            assert found.prompt == found.prompt.rstrip()
            assert all(text.startswith((" ", "\n")) for text in (found.chosen, *found.rejected))


def test_real_files(real_data: Path, tmp_path: Path) -> None:
    for file, layout, count in (("orca_dpo_pairs_284", "azure", 284), ("chat_layout_100", "chat", 100)):
        options = BuildOptions(source=(str(real_data / "preference" / f"{file}.jsonl"),))
        importer = find_importer(options)
        assert importer.layout == layout
        pairs = import_pairs(importer, tmp_path / file, options)
        assert len(pairs) == count
        assert violations(pairs) == []


def test_data_without_rejected_completions_has_no_distances(tmp_path: Path) -> None:
    pairs = imported(tmp_path / "out", EXAMPLES["sft"][0], sft=True)
    assert set(describe(pairs)["train"]) == {"pairs", "rows", "drops", "prompt_length", "chosen_length"}
    assert "edit_distance" not in pairs.manifest["statistics"]["train"]
    assert "Edit distance" not in (pairs.path / "README.md").read_text()
