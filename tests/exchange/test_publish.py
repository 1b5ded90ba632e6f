"""Pushing to a stand-in for the Hub: what it receives opens as the original, and every refusal is one sentence."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import pytest
from helpers import hub_server
from helpers.hub_server import TOKEN, HubServer, Repo
from helpers.rows import good_pairs, make_folder
from huggingface_hub import close_session, constants
from typer.testing import Result

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import OutputError, RunFolderError, UsageError
from pairgen.exchange import publish
from pairgen.exchange.publish import prepared, push
from pairgen.pairs.dataset import PairDataset, open_pairs

Run = Callable[..., Result]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with hub_server.running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        close_session()  # of an earlier server
        yield server


@pytest.fixture
def dataset(tmp_path: Path) -> PairDataset:
    """Two shards for training, one for evaluation."""
    return make_folder(tmp_path / "pairs", good_pairs())


@pytest.fixture
def training_run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    for name in ("config.toml", "metrics.jsonl", "checkpoints/step-1/model/model.safetensors"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("")
    (run / "final").mkdir()
    (run / "final" / "model.safetensors").write_bytes(b"weights")
    (run / "final" / "README.md").write_text("---\nlibrary_name: transformers\n---\n\n# A model\n")
    return run


def opened(repo: Repo, folder: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(repo.save(folder)), cache_dir=str(folder.with_name("cache")))


# ---------------------------------------------------------------- what arrives


def test_what_arrives_opens_as_the_original(hub: HubServer, dataset: PairDataset, tmp_path: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    pushed = push(dataset.path, "ann/pairs", progress=lambda *report: reports.append(report[:3]))
    repo = hub.dataset("ann/pairs")
    assert pushed.url == f"{hub.url}/datasets/ann/pairs"
    assert pushed.sizes == {name: len(content) for name, content in repo.files.items()}
    assert sorted(repo.files) == [
        "README.md",
        "data/eval-00000-of-00001.parquet",
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "pairgen.json",
    ]
    assert repo.commits == ["Upload dataset with pairgen"], "one commit: all or nothing"
    assert not repo.private
    original = datasets.load_from_disk(str(dataset.path))
    arrived = opened(repo, tmp_path / "clone")
    assert list(arrived) == list(original) == ["train", "eval"]
    for split in original:
        assert arrived[split].features == original[split].features
        assert arrived[split].to_list() == original[split].to_list()
    assert json.loads(repo.files["pairgen.json"]) == dataset.manifest
    assert reports[-1] == ("uploading", sum(pushed.sizes.values()), sum(pushed.sizes.values()))
    assert ("converting to Parquet", 5, 5) in reports


def test_a_built_dataset_arrives(hub: HubServer, tmp_path: Path) -> None:
    original = build("metamath", tmp_path / "pairs", BuildOptions(("sample:60",), eval_size=10))
    push(original.path, "pairs", private=True)
    repo = hub.dataset("ann/pairs")
    assert repo.private
    arrived = opened(repo, tmp_path / "clone")
    assert {split: arrived[split].to_list() for split in arrived} == {
        split: original[split].to_datasets().to_list() for split in original.splits
    }


def test_a_split_without_rows_is_left_out(hub: HubServer, tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "pairs", {"train": good_pairs()["train"], "eval": []})
    push(dataset.path, "ann/pairs")
    arrived = opened(hub.dataset("ann/pairs"), tmp_path / "clone")
    assert {split: arrived[split].num_rows for split in arrived} == {"train": 4}, "load_dataset opens no empty split"


def test_real_rows_arrive_and_can_be_imported_again(hub: HubServer, real_data: Path, tmp_path: Path, run: Run) -> None:
    source = str(real_data / "metamath" / "GSM_AnsAug.json")
    original = build("metamath", tmp_path / "pairs", BuildOptions((source,), limit=300, license="mit"))
    push(original.path, "ann/pairs")
    repo = hub.dataset("ann/pairs")
    assert "`mit`, as stated by whoever made this dataset." in repo.files["README.md"].decode()
    arrived = opened(repo, tmp_path / "clone")["train"]
    assert arrived.to_list() == original["train"].to_datasets().to_list()
    file = tmp_path / "clone" / "data" / "train-00000-of-00001.parquet"
    assert run("import", file, "--out", tmp_path / "again").exit_code == 0
    columns = ["prompt", "chosen", "rejected", "edit_distance"]
    assert open_pairs(tmp_path / "again")["train"].table(columns) == original["train"].table(columns)


def test_another_push_replaces_the_files_of_the_first(hub: HubServer, dataset: PairDataset, tmp_path: Path) -> None:
    push(dataset.path, "ann/pairs")
    hub.dataset("ann/pairs").files["notes/data.parquet"] = b"mine"
    smaller = make_folder(tmp_path / "smaller", {"train": good_pairs()["train"][:1]})
    push(smaller.path, "ann/pairs")
    assert sorted(hub.dataset("ann/pairs").files) == [
        "README.md",
        "data/train-00000-of-00001.parquet",
        "notes/data.parquet",
        "pairgen.json",
    ]


def test_the_card_names_the_parquet_files_and_keeps_what_was_written_by_hand(
    hub: HubServer, dataset: PairDataset
) -> None:
    card = dataset.path / "README.md"
    card.write_text(card.read_text().replace("tags:\n", "tags:\n- maths\n") + "\nThanks to Bo.\n")
    before = card.read_bytes()
    push(dataset.path, "ann/pairs")
    pushed = hub.dataset("ann/pairs").files["README.md"].decode()
    assert "path: data/train-*.parquet" in pushed
    assert ".arrow" not in pushed
    assert "- maths\n" in pushed
    assert 'load_dataset("ann/pairs", split="train")' in pushed
    assert pushed.endswith("\nThanks to Bo.\n")
    assert card.read_bytes() == before


def test_the_final_model_of_a_run_arrives(hub: HubServer, training_run: Path) -> None:
    assert push(training_run, "ann/model").url == f"{hub.url}/ann/model"
    repo = hub.repos["model", "ann/model"]
    final = training_run / "final"
    assert repo.files == {name: (final / name).read_bytes() for name in ("README.md", "model.safetensors")}
    (final / "model.safetensors").rename(final / "model-00001-of-00001.safetensors")
    push(training_run, "ann/model")
    assert sorted(repo.files) == ["README.md", "model-00001-of-00001.safetensors"]


@pytest.mark.slow
def test_a_trained_model_arrives_and_loads(hub: HubServer, tmp_path: Path, run: Run) -> None:
    assert run("build", "arc", "--source", "train=sample:40", "--out", tmp_path / "pairs").exit_code == 0
    words = ("train", tmp_path / "pairs", "--model", "tiny", "--steps", 2, "--sft-steps", 1, "--out", tmp_path / "run")
    assert run(*words, "--batch-size", 2, "--loss", "dpop").exit_code == 0
    done = run("push", tmp_path / "run", "ann/model", "--private", "--json")
    assert json.loads(done.stdout)["url"] == f"{hub.url}/ann/model"
    folder = hub.repos["model", "ann/model"].save(tmp_path / "clone")
    assert "DPO-Positive" in (folder / "README.md").read_text()
    transformers = pytest.importorskip("transformers")
    assert transformers.AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0
    assert transformers.AutoTokenizer.from_pretrained(folder)("2 + 2")["input_ids"]


def test_pushing_a_run_does_not_load_torch(training_run: Path) -> None:
    code = (
        "import sys; from pairgen.exchange.publish import prepared\n"
        f"with prepared({str(training_run)!r}, 'ann/model'): print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_run_without_a_final_model_is_refused(hub: HubServer, training_run: Path) -> None:
    shutil.rmtree(training_run / "final")
    with pytest.raises(RunFolderError, match="no final model yet"):
        push(training_run, "ann/model")
    assert not hub.repos


def test_parquet_is_the_same_every_time(dataset: PairDataset) -> None:
    def content() -> dict[str, bytes]:
        with prepared(dataset.path, "ann/pairs") as upload:
            return {name: file.read_bytes() for name, file in upload.files.items()}

    assert content() == content()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/whoami-v2", 401, "does not accept your token; log in again with `hf auth login`"),
        ("/api/repos/create", 403, "may not write there"),
        ("/api/repos/create", 404, "no such owner or repository"),
        ("/api/datasets/ann/pairs/preupload", 403, "may not write there"),
        ("/datasets/ann/pairs.git", 401, "does not accept your token"),
        ("/api/datasets/ann/pairs/commit", 404, "no such owner or repository"),
        ("/api/repos/create", 418, r"answered 418 \(refused Bearer \*\*\*\); try again later"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_token(
    path: str, status: int, words: str, hub: HubServer, dataset: PairDataset
) -> None:
    hub.refuse[path] = status
    with pytest.raises(OutputError, match=f"^ann/pairs: .*{words}.*; nothing was pushed$") as error:
        push(dataset.path, "ann/pairs")
    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)
    assert not any(repo.files for repo in hub.repos.values())


def test_private_never_pushes_to_a_public_repository(hub: HubServer, dataset: PairDataset) -> None:
    hub.repos["dataset", "ann/pairs"] = Repo()
    with pytest.raises(OutputError, match="ann/pairs: is public"):
        push(dataset.path, "ann/pairs", private=True)
    assert not hub.dataset("ann/pairs").files


def test_what_is_checked_before_anything_is_sent(
    hub: HubServer, dataset: PairDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="expected owner/name"):
        push(dataset.path, "ann/pairs/train")
    hub.role = "read"
    with pytest.raises(OutputError, match="can only read"):
        push(dataset.path, "ann/pairs")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OutputError, match="HF_HUB_OFFLINE"):
        push(dataset.path, "ann/pairs")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(OutputError, match="without a token; log in with `hf auth login`, or set HF_TOKEN"):
        push(dataset.path, "ann/pairs")
    assert not [request for request in hub.requests if not request.startswith("GET ")], hub.requests


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("words", ["push pairs", "build arc --source sample:20 --out new --push"])
def test_an_unreachable_hub_is_one_message_at_once(words: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
    }
    command = [sys.executable, "-m", "pairgen", *words.split(), "ann/pairs"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    message = "pairgen: ann/pairs: the Hub (http://127.0.0.1:9) does not answer; check your connection\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
    assert not (tmp_path / "new").exists()


# ---------------------------------------------------------------- the command line


def test_dry_run_lists_files_and_needs_no_token(
    dataset: PairDataset, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(publish, "check_access", None)
    done = run("push", dataset.path, "ann/pairs", "--dry-run")
    *lines, total = done.stdout.splitlines()
    sizes = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in lines}
    assert len(sizes) == 5
    assert total == f"Would push 5 files, {sum(sizes.values()):,} bytes to ann/pairs"
    found = json.loads(run("push", dataset.path, "ann/pairs", "--dry-run", "--json").stdout)
    assert found == {"repo": "ann/pairs", "url": None, "files": sizes}


def test_build_pushes_in_one_go(hub: HubServer, tmp_path: Path, run: Run) -> None:
    words = ("build", "arc", "--source", "train=sample:20", "--out", tmp_path / "out", "--push", "ann/arc", "--private")
    done = run(*words)
    assert done.stdout.splitlines()[-1] == f"Pushed to {hub.url}/datasets/ann/arc"
    assert hub.dataset("ann/arc").private
    assert "push" not in json.loads(hub.dataset("ann/arc").files["pairgen.json"])["command"]
    assert TOKEN not in done.output
    hub.refuse["/api/datasets/ann/arc/commit"] = 403
    failed = run(*words, "--overwrite", "--seed", 1)
    assert failed.exit_code == 1
    again = f"pairgen push {tmp_path / 'out'} ann/arc --private"
    assert failed.stderr.endswith(
        f"nothing was pushed. The dataset is in {tmp_path / 'out'}: push it later with `{again}`\n"
    )
    assert (tmp_path / "out" / "pairgen.json").is_file()
    assert TOKEN not in failed.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("push {0} ann/x", "nothing was pushed to ann/x"),
        (
            "build arc --source train=sample:20 --out {0} --overwrite --push ann/x",
            "the dataset is in {0}, but was not pushed to ann/x",
        ),
    ],
)
def test_an_interrupt_says_what_was_done(
    words: str, message: str, hub: HubServer, dataset: PairDataset, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(publish, "_commit", interrupt)
    done = run(*words.format(dataset.path).split(), "--quiet")
    assert (done.exit_code, done.stderr) == (130, f"pairgen: interrupted; {message.format(dataset.path)}\n")
    assert not hub.repos


def test_private_needs_a_repository(run: Run, tmp_path: Path) -> None:
    done = run("build", "arc", "--source", "train=sample:20", "--out", tmp_path / "out", "--private")
    assert (done.exit_code, done.stderr) == (2, "pairgen: --private needs --push REPO\n")


@pytest.mark.parametrize("words", [("push", "."), ("push", "missing"), ("card", ".")])
def test_other_folders_are_one_message(
    words: tuple[str, str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words, *(["ann/x"] if words[0] == "push" else []))
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"pairgen: {words[1]}: " in done.stderr
