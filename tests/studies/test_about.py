"""What reports say of machines and models."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.studies.running.about import about_model
from pairgen.studies.running.machine import machine, machines, with_machine


def test_a_report_names_each_machine_with_its_runs(tmp_path: Path) -> None:
    table = pa.table({"x": [1]})
    ours = machine("cpu")
    for number, metadata in enumerate([ours, ours, "a GPU", None]):
        made = table.replace_schema_metadata({"machine": metadata} if metadata else None)
        pq.write_table(made, tmp_path / f"{number}.parquet")
    pq.write_table(with_machine(table, "cpu"), tmp_path / "own.parquet")
    files = sorted(tmp_path.glob("*.parquet"))
    assert machines([tmp_path / "own.parquet", tmp_path / "0.parquet"]) == ours
    assert machines(files) == f"{ours} (3 of 5 runs); a GPU (1 of 5 runs); not recorded (1 of 5 runs)"
    assert "torch" in ours
    assert "CPU" in ours


def test_a_model_is_named_with_its_size(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "vocab_size": 151936, "num_hidden_layers": 24}'
    )
    assert about_model(str(folder)) == "my-model (LlamaForCausalLM, layers 24, hidden size 2,048, vocabulary 151,936)"
    assert about_model("Qwen/Qwen2.5-0.5B") == "Qwen2.5-0.5B"
