"""Cards rendered again: nothing changes without a reason, and what was written by hand survives."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import mlcroissant
import pytest
import yaml
from helpers.rows import good_pairs, make_folder, pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import Result

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import InvalidDataset, OutputError, UsageError
from pairgen.exchange.card_update import write_card
from pairgen.exchange.publish import prepared
from pairgen.pairs import card
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.record import COLUMNS, Change

Run = Callable[..., Result]

ROWS = [{"query": f"What is {n} + 2?", "response": f"{n} + 2 = {n + 2}.\nThe answer is: {n + 2}"} for n in range(3, 30)]


@pytest.fixture
def own(tmp_path: Path) -> PairDataset:
    """A dataset of a user's own rows."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return build("metamath", tmp_path / "pairs", BuildOptions((str(tmp_path / "rows.jsonl"),), eval_size=4))


def readme(dataset: PairDataset) -> Path:
    return dataset.path / "README.md"


def front_matter(dataset: PairDataset) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(readme(dataset).read_text().split("---\n")[1])
    return found


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("name", ["metamath", "gsm8k", "arc", "hellaswag"])
def test_a_fresh_card_does_not_change(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path / "pairs", BuildOptions(("train=sample:40",), eval_size=5))
    before = {file: file.read_bytes() for file in dataset.path.rglob("*") if file.is_file()}
    assert write_card(dataset.path) == []
    assert {file: file.read_bytes() for file in dataset.path.rglob("*") if file.is_file()} == before


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60).filter(
    lambda text: "<!--" not in text
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    above=TEXTS,
    below=TEXTS,
    keys=st.dictionaries(
        st.from_regex(r"[a-z_]{4,12}", fullmatch=True).map("x_".__add__), st.text("aé -:#'\"", min_size=1), max_size=3
    ),
)
def test_what_is_written_around_the_generated_part_survives(
    above: str, below: str, keys: dict[str, str], tmp_path: Path
) -> None:
    dataset = (
        open_pairs(tmp_path / "pairs")
        if (tmp_path / "pairs").exists()
        else make_folder(tmp_path / "pairs", good_pairs())
    )
    fresh = card.render(dataset.manifest)
    head, _, rest = fresh.partition("\n---\n")
    edited = f"{head}\n{yaml.safe_dump(keys, allow_unicode=True) if keys else ''}---\n{above}{rest}{below}"
    readme(dataset).write_text(edited.replace("## Counts", "## Old counts"), "utf-8", newline="")
    assert write_card(dataset.path) == ["Old counts", "Counts"]
    assert readme(dataset).read_text("utf-8") == edited
    assert write_card(dataset.path, "cc0-1.0")[0] == "license (YAML)"
    text = readme(dataset).read_bytes().decode()
    assert text.endswith(f"{card.END}\n{below}")
    assert f"\n---\n{above}\n{card.BEGIN}" in text
    assert keys.items() <= yaml.safe_load(text.partition("\n---\n")[0]).items()
    (dataset.path / "pairgen.json").write_text(json.dumps(dataset.manifest), "utf-8")


def test_the_yaml_is_not_written_anew_without_need(own: PairDataset) -> None:
    text = readme(own).read_text().replace("tags:\n", "language: [en] # plain\nsize_categories: 'n<1K'\ntags:\n")
    readme(own).write_text(text.replace("## Counts", "## Old"))
    write_card(own.path)
    assert readme(own).read_text() == text


def test_the_folder_still_opens(own: PairDataset, tmp_path: Path) -> None:
    readme(own).write_text(readme(own).read_text().replace("tags:\n", "tags:\n- maths\n"))
    write_card(own.path, "cc-by-4.0")
    assert front_matter(own)["tags"] == ["maths", "preference", "dpo", "pairgen"]
    loaded = datasets.load_dataset(str(own.path), cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split].num_rows for split in loaded} == {"train": 23, "eval": 4}


def test_a_card_claims_no_language_that_nobody_stated(own: PairDataset, tmp_path: Path) -> None:
    assert "language" not in front_matter(own)
    sample = build("arc", tmp_path / "sample", BuildOptions(("train=sample:20",)))
    assert front_matter(sample)["language"] == ["en"]


def test_a_card_of_completions_says_so() -> None:
    manifest = {"splits": {"train": {"pairs": 3, "shards": []}}, "sft": True}
    assert card.front_matter(manifest)["tags"] == ["sft", "pairgen"]
    assert card.COMPLETIONS in card.body(manifest)
    assert card.PAIRS not in card.body(manifest)


def test_a_card_shows_no_rows(own: PairDataset) -> None:
    text = readme(own).read_text()
    assert not any(row["query"] in text or row["response"] in text for row in ROWS)


# ---------------------------------------------------------------- licenses


def test_a_license_is_recorded_and_shown(own: PairDataset) -> None:
    assert front_matter(own)["license"] == "unknown"
    assert write_card(own.path, "cc-by-4.0") == ["license (YAML)", "License", "How it was built"]
    assert front_matter(own)["license"] == open_pairs(own.path).manifest["license"] == "cc-by-4.0"
    assert "`cc-by-4.0`, as stated by whoever made" in readme(own).read_text()
    assert write_card(own.path) == []
    assert write_card(own.path, "cc0-1.0"), "whoever stated a license may correct it"


def test_a_license_written_into_the_yaml_counts(own: PairDataset) -> None:
    readme(own).write_text(readme(own).read_text().replace("license: unknown", "license: odbl"))
    assert write_card(own.path) == ["License", "How it was built"]
    assert open_pairs(own.path).manifest["license"] == "odbl"


def test_the_license_of_a_source_stays(tmp_path: Path) -> None:
    dataset = build("arc", tmp_path / "pairs", BuildOptions(("train=sample:20",)))
    with pytest.raises(UsageError, match=r"the license of these rows is apache-2\.0"):
        write_card(dataset.path, "mit")
    readme(dataset).write_text(readme(dataset).read_text().replace("apache-2.0\n", "mit\n"))
    assert write_card(dataset.path) == ["license (YAML)"]
    assert front_matter(dataset)["license"] == "apache-2.0"


# ---------------------------------------------------------------- history


def test_history_is_shown_in_order(own: PairDataset) -> None:
    split = {"pairs_before": 1200, "pairs": 1100, "removed": {"same prompt": 70, "near | duplicate": 30}}
    history = [
        {"command": "pairgen dedup pairs --out b", "inputs": ["pairs"], "splits": {"train": split}, "threshold": 0.8},
        {"command": "pairgen sample b --n 9 --out c", "inputs": ["b"], "splits": {}},
    ]
    text = card.body({**own.manifest, "history": history})
    section = text.split("## History\n")[1]
    assert "| `train` | 1,200 | 1,100 | 70 (same prompt), 30 (near / duplicate) |" in section
    assert "| `threshold` | `0.8` |" in section
    assert section.index("pairgen dedup") < section.index("pairgen sample b --n 9")
    assert "From `b`." in section
    assert "## History" not in card.body(own.manifest)


# ---------------------------------------------------------------- the command, and faults


def test_the_command_says_what_changes(own: PairDataset, run: Run) -> None:
    assert run("card", own.path).stdout == f"{readme(own)}: up to date\n"
    assert run("card", own.path, "--check").exit_code == 0
    text = readme(own).read_text()
    readme(own).write_text(text.replace("| train | 23 |", "| train | 24 |"))
    done = run("card", own.path, "--check")
    assert (done.exit_code, done.stdout) == (1, f"{readme(own)}: would change: Counts\n")
    assert json.loads(run("card", own.path, "--json").stdout) == {"card": str(readme(own)), "changed": ["Counts"]}
    assert readme(own).read_text() == text
    readme(own).unlink()
    assert run("card", own.path).stdout == f"{readme(own)}: updated: README.md\n"
    assert readme(own).read_text() == text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(card.END, ""), "delete the file to get a new one"),
        (lambda text: text + card.BEGIN, "needs one comment"),
        (lambda text: text.replace("license: unknown", "license: [unknown"), "invalid YAML"),
        (lambda text: text.replace("license: unknown", "- unknown"), "invalid YAML"),
        (lambda text: text.replace("unknown", "\udcff"), "cannot be read"),
    ],
)
def test_a_card_that_cannot_be_updated_stays(change: Callable[[str], str], words: str, own: PairDataset) -> None:
    damaged = change(readme(own).read_text()).encode("utf-8", "surrogateescape")
    readme(own).write_bytes(damaged)
    with pytest.raises(OutputError, match=words) as error:
        write_card(own.path, "mit")
    assert str(error.value).startswith(str(readme(own)))
    assert "\n" not in str(error.value)
    assert readme(own).read_bytes() == damaged
    assert "license" not in open_pairs(own.path).manifest


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset):
        write_card(tmp_path)


# ---------------------------------------------------------------- Croissant


def test_croissant_describes_every_column_and_stays_up_to_date(own: PairDataset, run: Run) -> None:
    file = own.path / "croissant.json"
    assert run("card", own.path, "--croissant").stdout == f"{readme(own)}: updated: croissant.json\n"
    found = mlcroissant.Dataset(str(file))
    assert not found.metadata.issues.errors
    assert found.metadata.name == "Preference pairs from rows.jsonl"
    for records, split in zip(found.metadata.record_sets, ("train", "eval"), strict=True):
        assert records.name == split
        assert {field.name: field.description for field in records.fields} == {
            name: column.meaning for name, column in COLUMNS.items()
        }
    before = file.read_bytes()
    assert write_card(own.path, croissant=True) == []
    assert file.read_bytes() == before
    assert write_card(own.path, "cc-by-4.0")[-1] == "croissant.json"
    assert mlcroissant.Dataset(str(file)).metadata.license == ["cc-by-4.0"]


def test_croissant_of_a_push_reads_the_parquet_files(tmp_path: Path) -> None:
    changes = (Change(1, 2, 1, 2, "1", "3", None), Change(5, 6, 5, 6))
    rows = {"train": [pair(" 1 a 2", " 3 a 4", "x", edits=changes), pair(" a", " b", "y")]}
    dataset = make_folder(tmp_path / "pairs", rows, batch=1)
    write_card(dataset.path, croissant=True)
    with prepared(dataset.path, "ann/pairs") as upload:
        found = list(mlcroissant.Dataset(str(upload.files["croissant.json"])).records("train"))
    assert [row["train/rejected"] for row in found] == [b" 3 a 4", b" b"]
    assert [part["train/edits/rejected_stop"] for part in found[0]["train/edits"]] == [2, 6]


def test_without_mlcroissant_one_message_says_how_to_install_it(
    own: PairDataset, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    done = run("card", own.path, "--croissant")
    assert done.exit_code == 2
    assert done.stderr.startswith("pairgen: croissant.json needs mlcroissant; in your checkout of pairgen, run: pip")
    assert run("card", own.path).exit_code == 0
