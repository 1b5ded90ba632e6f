"""The table of gradients and steps, of a tiny trained model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from helpers.rows import make_folder, pair
from helpers.tiny_runs import dataset, start_model

from pairgen.errors import UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.studies.logits.positions import LOSSES, SCHEMA, measure


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Of two random models that differ in their seed."""
    folder = tmp_path_factory.mktemp("positions")
    data = dataset(folder / "pairs")
    models = {name: str(start_model(data, folder / name, seed)) for seed, name in enumerate(("start", "trained"))}
    return measure(models, open_pairs(data), 2, 0.3, 1e-4)


def own(table: pa.Table, model: str, loss: str) -> dict[str, np.ndarray]:
    rows = table.filter((pc.field("model") == model) & (pc.field("loss") == loss) & pc.field("own"))
    return {name: rows[name].to_numpy() for name in ("offset", "active", "push", "own_push", "error", "down")}


def test_equations_hold_in_every_row(table: pa.Table) -> None:
    assert table.schema == SCHEMA
    assert set(table["loss"].to_pylist()) == set(LOSSES)
    assert pc.max(table["error"]).as_py() < 1e-10


def test_losses_are_the_same_where_models_are_equal(table: pa.Table) -> None:
    dpo = own(table, "start", "dpo")
    for name in ("dpop", "dpop by token"):
        dpop = own(table, "start", name)
        assert not dpop["active"].any()
        np.testing.assert_allclose(dpop["push"], dpo["push"], atol=1e-12)


def test_dpo_leaves_the_tokens_before_the_edit_alone_and_dpop_does_not(table: pa.Table) -> None:
    dpo, dpop = own(table, "trained", "dpo"), own(table, "trained", "dpop by token")
    before = dpo["offset"] < 0
    assert before.any()
    assert not dpo["push"][before].round(12).any()
    assert (dpop["push"][before & dpop["active"]] > 0).all()
    assert (dpo["own_push"][dpo["offset"] > 0] > 0).all()


def test_steps_raise_the_chosen_token_of_the_edit(table: pa.Table) -> None:
    """Those of DPO on the pair itself; of another pair, only the steps are known."""
    dpo = own(table, "start", "dpo")
    assert dpo["down"][dpo["offset"] == 0].mean() > 0
    others = table.filter(~pc.field("own"))
    assert others["push"].null_count == len(others)
    assert others["down"].null_count == 0
    assert set(others["pair"].to_pylist()) == {0, 1}


def test_pairs_of_unequal_length_are_not_enough(tmp_path: Path) -> None:
    pairs = [pair(" 1 + 1 = 2", " 1 + 1 = 13 and so", f"a-{at}", f"How {at}?") for at in range(3)]
    data = make_folder(tmp_path / "pairs", {"train": pairs})
    start = str(start_model(data.path, tmp_path / "model"))
    with pytest.raises(UsageError, match="fewer than two training pairs have completions of the same number of tokens"):
        measure({"start": start}, data, 2, 0.3, 1e-4)
