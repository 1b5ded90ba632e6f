"""What reports say of machines and models."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.run_folder.described import about_model, machines
from pairgen.run_folder.measured import MeasuredAt, with_origin
from pairgen.studies.running.about import this_machine


def test_a_report_names_each_machine_with_its_runs(tmp_path: Path) -> None:
    ours = this_machine("cpu")
    for number, name in enumerate([ours, ours, "a GPU", ""]):
        pq.write_table(with_origin(pa.table({"x": [1]}), MeasuredAt(2, 2), name), tmp_path / f"{number}.parquet")
    files = sorted(tmp_path.glob("*.parquet"))
    assert machines(files[:2]) == ours
    assert machines(files) == f"{ours} (2 of 4 runs); a GPU (1 of 4 runs); not recorded (1 of 4 runs)"
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
