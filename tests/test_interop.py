"""The folder as other tools take it: datasets, pandas, TRL."""

import json
from pathlib import Path

import datasets
import pandas
import pytest

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import SCHEMA


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    folder = tmp_path_factory.mktemp("interop")
    return build("metamath", folder / "pairs", BuildOptions(("sample:200",), eval_size=20))


def test_load_dataset(pairs: PairDataset, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(pairs.path), cache_dir=str(tmp_path))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 180, "eval": 20}
    assert loaded["train"].features == datasets.Features.from_arrow_schema(SCHEMA)
    assert loaded["train"][:] == pairs.splits["train"].table().to_pydict()


def test_load_dataset_streaming(pairs: PairDataset) -> None:
    stream = datasets.load_dataset(str(pairs.path), split="eval", streaming=True)
    assert [row["pair_id"] for row in stream] == pairs.splits["eval"].table()["pair_id"].to_pylist()


def test_load_from_disk(pairs: PairDataset) -> None:
    loaded = datasets.load_from_disk(str(pairs.path))
    assert isinstance(loaded, datasets.DatasetDict)
    assert loaded["train"][:] == pairs.splits["train"].table().to_pydict()
    assert str(loaded["eval"].split) == "eval"


def test_json_files_are_those_datasets_writes(pairs: PairDataset, tmp_path: Path) -> None:
    """Our ``state.json`` and ``dataset_info.json`` have the keys, and the features, that ``save_to_disk`` gives.

    Lists are written as releases before 4 do, which later ones read too.
    """
    datasets.load_from_disk(str(pairs.path)).save_to_disk(tmp_path / "theirs")
    for name in ("state.json", "dataset_info.json"):
        ours, theirs = (json.loads((path / "train" / name).read_text()) for path in (pairs.path, tmp_path / "theirs"))
        assert set(ours) == set(theirs)
        if name == "dataset_info.json":
            for column in ("edits", "messages"):
                theirs["features"][column] = [theirs["features"][column]["feature"]]
            assert ours == theirs


def test_pandas_reads_the_columns(pairs: PairDataset) -> None:
    frame = pairs.splits["train"].table().to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == SCHEMA.names
    assert frame["edit_distance"].between(0, 1).all()
    assert (frame["chosen"] != frame["rejected"]).all()


@pytest.mark.slow
def test_trl_trains_a_step_on_it(pairs: PairDataset, tmp_path: Path) -> None:
    """``DPOTrainer`` takes the dataset as it is: one step of a tiny model, whose loss starts at ln 2."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    loaded = datasets.load_from_disk(str(pairs.path))
    bytes_only = Tokenizer(models.BPE())
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    bytes_only.train_from_iterator(loaded["train"]["chosen"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
        )
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    config = DPOConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        per_device_train_batch_size=4,
        report_to=[],
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        save_strategy="no",
    )
    dpo = DPOTrainer(
        model=str(tmp_path / "model"), args=config, train_dataset=loaded["train"], processing_class=tokenizer
    )
    done = dpo.train()
    assert done.global_step == 1
    assert done.training_loss == pytest.approx(0.6931, abs=0.01)
