"""Exports: what each target holds, the way back through import, files, errors."""

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from helpers.rows import pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import OutputExists, UsageError
from pairgen.exchange.exports.export_options import ExportOptions
from pairgen.exchange.exports.exporting import MARK, export
from pairgen.exchange.exports.steps import answer_of, split_steps, wrong_step
from pairgen.exchange.exports.targets import TARGETS
from pairgen.exchange.imports.importing import find_importer, import_pairs
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.messages import Message, plain_prompt
from pairgen.pairs.record import Change, Pair, Provenance, to_batch
from pairgen.pairs.writing import DatasetWriter

Row = dict[str, Any]

STEP_TARGETS = [name for name, target in TARGETS.items() if target.needs_steps]
PAIR_TARGETS = [name for name in TARGETS if name not in STEP_TARGETS]


@pytest.fixture(scope="module")
def metamath(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    options = BuildOptions(("sample:120",), pairs_per_row=3, eval_size=20)
    return build("metamath", tmp_path_factory.mktemp("export") / "metamath", options)


@pytest.fixture(scope="module")
def arc(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    return build("arc", tmp_path_factory.mktemp("export") / "arc", BuildOptions(("sample:60",)))


def read(folder: Path, split: str = "train") -> list[Row]:
    return [json.loads(line) for file in sorted(folder.glob(f"{split}-*")) for line in file.open()]


def exported(dataset: PairDataset, out: Path, to: str, **options: Any) -> list[Row]:
    export(dataset, out, ExportOptions(to=to, **options))
    return read(out)


def write(folder: Path, pairs: list[Pair]) -> PairDataset:
    with DatasetWriter(folder, overwrite=True) as writer:
        writer.write("train", to_batch(pairs))
        return writer.commit({})


def groups(dataset: PairDataset) -> dict[tuple[Any, ...], list[str]]:
    """The rejected completions of each prompt and chosen."""
    found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for row in dataset:
        found[row["prompt"], row["chosen"], json.dumps(row["messages"])].append(row["rejected"])
    return dict(found)


def reimported(folder: Path, out: Path) -> PairDataset:
    splits = sorted({file.name.partition("-")[0] for file in folder.glob("*-of-*")})
    options = BuildOptions(tuple(f"{split}={folder}/{split}-*" for split in splits))
    return import_pairs(find_importer(options), out, options, overwrite=True)


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("to", PAIR_TARGETS)
@pytest.mark.parametrize("file_format", ["jsonl", "parquet", "arrow"])
def test_import_gives_back_what_was_exported(
    to: str, file_format: str, metamath: PairDataset, arc: PairDataset, tmp_path: Path
) -> None:
    for dataset in (metamath, arc):
        export(dataset, tmp_path / "out", ExportOptions(to=to, format=file_format, shard_rows=70), overwrite=True)
        back = reimported(tmp_path / "out", tmp_path / "back")
        assert groups(back) == groups(dataset)
        assert back.splits.keys() == dataset.splits.keys()
        assert {row["source"] for row in back} == {row["source"] for row in dataset}


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() and text == text.strip()
)
leads = st.sampled_from([" ", "\n", "\n\n", "\n "])


@st.composite
def prompts(draw: st.DrawFn) -> tuple[str, tuple[Message, ...] | None]:
    if draw(st.booleans()):
        return draw(texts), None
    system = [Message("system", text)] if (text := draw(st.none() | texts)) else []
    turns = [Message("user", draw(texts))]
    for _ in range(draw(st.integers(0, 2))):
        turns += [Message("assistant", draw(texts)), Message("user", draw(texts))]
    messages = (*system, *turns)
    return plain_prompt(messages), messages if len(messages) > 1 else None


@st.composite
def group_of_pairs(draw: st.DrawFn) -> list[Pair]:
    prompt, messages = draw(prompts())
    chosen, *rejected = draw(st.lists(texts, min_size=2, max_size=4, unique=True))
    lead = draw(leads)
    return [pair(lead + chosen, lead + text, "", prompt, messages=messages) for text in rejected]


@pytest.mark.parametrize("to", PAIR_TARGETS)
@given(made=st.lists(group_of_pairs(), min_size=1, max_size=4, unique_by=lambda group: group[0][:2]))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_import_gives_back_any_pairs(to: str, made: list[list[Pair]], tmp_path: Path) -> None:
    """Text targets do not carry messages: their prompt is the plain text."""
    of_text = to in ("trl", "kto", "ranked")
    pairs = [
        one._replace(pair_id=f"{at}-{number}", group_id=str(at), messages=None if of_text else one.messages)
        for at, group in enumerate(made)
        for number, one in enumerate(group)
    ]
    dataset = write(tmp_path / "pairs", pairs)
    export(dataset, tmp_path / "out", ExportOptions(to=to), overwrite=True)
    assert groups(reimported(tmp_path / "out", tmp_path / "back")) == groups(dataset)


# ---------------------------------------------------------------- steps


def test_steps_of_lines_and_sentences() -> None:
    assert split_steps("\nOne. Two.\nThree\n\nFour.") == ["\nOne. Two.", "\nThree", "\n\nFour."]
    assert split_steps(" Mr. Lee has 3. He buys 2 at 3 p.m. today.\nSo 5.") == [
        " Mr. Lee has 3.",
        " He buys 2 at 3 p.m. today.",
        "\nSo 5.",
    ]
    assert split_steps(" 5") == [" 5"]


@given(st.text("ab .!?\n3A", max_size=40))
def test_steps_together_are_the_text(text: str) -> None:
    steps = split_steps(text)
    assert "".join(steps) == text
    assert not text.strip() or all(step.strip() for step in steps)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (" So 5.\nThe answer is: 5", "5"),
        (" So.\n#### 1,000", "1,000"),
        (" The answer is $\\frac{1}{2}$.", "$\\frac{1}{2}$"),
        (" So 5.", None),
    ],
)
def test_answer_of(solution: str, answer: str | None) -> None:
    assert answer_of(solution) == answer


def test_step_dpo_rows_end_where_the_wrong_step_ends(metamath: PairDataset, tmp_path: Path) -> None:
    rows = exported(metamath, tmp_path / "out", "step-dpo")
    pairs = [pair for pair in metamath["train"] if pair["corrupted"] is not None]
    assert len(rows) == len(pairs) > 200
    for row, one in zip(rows, pairs, strict=True):
        start = row["initial_reason_steps"]
        assert one["chosen"].startswith(start + row["chosen"])
        assert one["rejected"].startswith(start + row["rejected"])
        assert len(start) <= one["edit_start"]
        assert one["corrupted"] in row["rejected"]
        assert one["chosen_edit_stop"] <= len(start + row["chosen"])
        rest, other = one["chosen"][len(start + row["chosen"]) :], one["rejected"][len(start + row["rejected"]) :]
        assert rest == other, "nothing behind the wrong step differs"
        assert row["chosen"] in split_steps(one["chosen"]), "the right step is one step"
        assert (row["full_chosen"], row["full_rejected"]) == (one["chosen"], one["rejected"])


def test_a_change_over_two_steps_makes_them_one() -> None:
    chosen, rejected = " So 1.\nThen 2.\nThen 3.\nEnd.", " So 1.\nThen 9. Now 3.\nEnd."
    step = wrong_step({**pair(chosen, rejected, "x")._asdict(), "edits": None})
    assert (step.before, step.right, step.wrong, step.after) == (
        [" So 1."],
        "\nThen 2.\nThen 3.",
        "\nThen 9. Now 3.",
        ["\nEnd."],
    )


def test_the_first_of_several_changes_is_the_wrong_step() -> None:
    chosen, rejected = " a 1.\n b 2.\n c 3.", " a 1.\n b 7.\n c 8."
    changes = (Change(10, 11, 10, 11), Change(16, 17, 16, 17))
    row = to_batch([pair(chosen, rejected, "x")._replace(provenance=Provenance(edits=changes))]).to_pylist()[0]
    step = wrong_step(row)
    assert (step.before, step.right, step.wrong, step.rest) == ([" a 1."], "\n b 2.", "\n b 7.", "\n c 8.")


def test_steps_of_carried_errors_are_whole(tmp_path: Path) -> None:
    pairs = build("metamath", tmp_path / "carried", BuildOptions(("sample:300",), carry="answer", pairs_per_row=2))
    several = 0
    for row in pairs:
        step = wrong_step(row)
        assert "".join(step.before) + step.wrong + step.rest == row["rejected"]
        assert "".join(step.before) + step.right + "".join(step.after) == row["chosen"]
        assert row["corrupted"] in step.wrong
        assert step.right in split_steps(row["chosen"])
        several += bool(row["edits"])
    assert several > 50


def test_stepwise_labels_end_with_the_wrong_step(metamath: PairDataset, tmp_path: Path) -> None:
    rows = exported(metamath, tmp_path / "out", "stepwise")
    assert {len(row["completions"]) - len(row["labels"]) for row in rows} == {0}
    assert all(all(row["labels"][:-1]) for row in rows)
    right, wrong = ([row for row in rows if row["labels"][-1] == label] for label in (True, False))
    corrupted = [one for one in metamath["train"] if one["corrupted"] is not None]
    assert (len(right), len(wrong)) == (len({one["group_id"] for one in corrupted}), len(corrupted))
    for row, one in zip(wrong, corrupted, strict=True):
        assert one["corrupted"] in row["completions"][-1]
        assert [text.strip() for text in split_steps(one["chosen"])][: len(row["completions"]) - 1] == row[
            "completions"
        ][:-1]


def test_processbench_labels_the_first_wrong_step(metamath: PairDataset, tmp_path: Path) -> None:
    rows = exported(metamath, tmp_path / "out", "processbench")
    by_problem: dict[str, Row] = {}
    for row in rows:
        if row["label"] == -1:
            by_problem[row["problem"]] = row
            continue
        right = by_problem[row["problem"]]
        assert len(row["steps"]) == len(right["steps"])
        assert [one == other for one, other in zip(row["steps"], right["steps"], strict=True)].index(False) == row[
            "label"
        ]
        assert row["final_answer_correct"] == (row["steps"][-1] == right["steps"][-1])


def test_steps_need_a_corruption(arc: PairDataset, tmp_path: Path) -> None:
    for to in STEP_TARGETS:
        with pytest.raises(UsageError, match=f"arc: has no pair with a corrupted step, which --to {to} needs"):
            export(arc, tmp_path / "out", ExportOptions(to=to))
        assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_load_dataset_opens_every_export(to: str, file_format: str, metamath: PairDataset, tmp_path: Path) -> None:
    counts = export(metamath, tmp_path / "out", ExportOptions(to=to, format=file_format, shard_rows=100))
    pattern = {split: str(tmp_path / "out" / f"{split}-*") for split in ("train", "eval")}
    name = {"jsonl": "json"}.get(file_format, file_format)
    loaded = datasets.load_dataset(name, data_files=pattern, cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split].num_rows for split in loaded} == {name: count.rows for name, count in counts.items()}
    assert loaded["train"].column_names == list(TARGETS[to].schema)
    if file_format == "parquet":
        assert loaded["train"].features == datasets.Features.from_arrow_schema(
            pa.schema(list(TARGETS[to].schema.items()))
        )


def test_files_of_any_format_hold_the_same_rows(metamath: PairDataset, tmp_path: Path) -> None:
    rows = exported(metamath, tmp_path / "plain", "trl")
    export(metamath, tmp_path / "gzip", ExportOptions(compression="gzip", shard_rows=50))
    files = sorted((tmp_path / "gzip").glob("train-*.jsonl.gz"))
    assert [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()] == rows
    assert len(files) == -(-len(rows) // 50)
    assert files[0].name == f"train-00000-of-{len(files):05}.jsonl.gz"


def test_equal_exports_have_equal_bytes(metamath: PairDataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(metamath, tmp_path / name, ExportOptions(compression="gzip"))
    assert all((tmp_path / "b" / file.name).read_bytes() == file.read_bytes() for file in (tmp_path / "a").iterdir())


def test_limit_takes_the_first_pairs(metamath: PairDataset, tmp_path: Path) -> None:
    rows = exported(metamath, tmp_path / "out", "trl", limit=7)
    assert [row["pair_id"] for row in rows] == [metamath["train"][at]["pair_id"] for at in range(7)]


def test_llama_factory_gets_a_description_of_its_files(arc: PairDataset, tmp_path: Path) -> None:
    export(arc, tmp_path / "out", ExportOptions(to="llama-factory"))
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert list(info) == ["arc-train-00000", "arc-eval-00000"]
    for about in info.values():
        assert (tmp_path / "out" / about["file_name"]).is_file()
        assert about["ranking"] is True


def test_existing_folders_are_kept(arc: PairDataset, tmp_path: Path) -> None:
    export(arc, tmp_path / "out")
    with pytest.raises(OutputExists, match="already exists; replace it with --overwrite"):
        export(arc, tmp_path / "out")
    export(arc, tmp_path / "out", ExportOptions(to="kto"), overwrite=True)
    assert json.loads((tmp_path / "out" / MARK).read_text())["to"] == "kto"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    with pytest.raises(OutputExists, match="contains files that are not an export"):
        export(arc, tmp_path / "mine", overwrite=True)


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="--to must be one of trl, trl-chat"):
        ExportOptions(to="csv")
    with pytest.raises(UsageError, match="--compression gzip: parquet files have zstd or snappy or none compression"):
        ExportOptions(format="parquet", compression="gzip")


def test_data_without_rejected_completions_is_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "sft") as writer:
        writer.write("train", to_batch([pair(" a", "", "1")]))
        writer.commit({"sft": True})
    with pytest.raises(UsageError, match="has no rejected completions to export"):
        export(open_pairs(tmp_path / "sft"), tmp_path / "out")
