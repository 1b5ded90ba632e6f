"""What fits, what to change, the smallest machine, and speed; each search against trying everything."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.train.config import ACTIVATION_CHECKPOINTING
from pairgen.train.planning.architectures import PRESETS
from pairgen.train.planning.fitting import Run, changes, smallest_machine
from pairgen.train.planning.machines import COUNTS, GPUS
from pairgen.train.planning.pair_load import assumed
from pairgen.train.planning.plan import plan
from pairgen.train.planning.request import MEASURED_MFU, PlanOptions
from pairgen.train.planning.setting import Setting

SETTINGS = st.builds(
    Setting,
    precision=st.sampled_from(["float32", "bf16", "bf16-pure"]),
    lora=st.sampled_from([0, 16]),
    checkpointing=st.sampled_from(ACTIVATION_CHECKPOINTING),
    compiled=st.booleans(),
    gpus=st.sampled_from([1, 2, 8]),
    sharded=st.booleans(),
    reference=st.sampled_from(["precomputed", "online", "none"]),
)
LOADS = st.builds(
    lambda tokens, sharing: assumed(PlanOptions(model="x", tokens_per_pair=tokens, sharing=sharing)),
    st.integers(20, 5000),
    st.sampled_from([1.0, 3.5]),
)
RUNS = st.builds(Run, st.sampled_from(list(PRESETS.values())), SETTINGS, LOADS, st.integers(1, 300))


@given(run=RUNS, gigabytes=st.integers(5, 800))
@settings(deadline=None)
def test_the_largest_micro_batch_fits_and_one_pair_more_does_not(run: Run, gigabytes: int) -> None:
    memory = gigabytes * 1e9
    pairs = run.largest(memory, run.per_gpu)
    assert 0 <= pairs <= run.per_gpu
    if pairs:
        assert run.peak(pairs).total <= memory
    if pairs < run.per_gpu:
        assert run.peak(pairs + 1).total > memory
    assert run.rows(memory) >= pairs


@given(run=RUNS)
@settings(deadline=None, max_examples=30)
def test_nothing_smaller_than_the_smallest_machine_would_do(run: Run) -> None:
    def does(name: str, count: int) -> bool:
        there = replace(run, setting=replace(run.setting, gpus=count))
        return there.peak(1).total <= GPUS[name].memory * 1e9

    machine = smallest_machine(run)
    enough = [(GPUS[name].memory * count, count) for name in GPUS for count in COUNTS if does(name, count)]
    assert (machine is None) == (not enough)
    if machine:
        assert does(*machine)
        assert (GPUS[machine[0]].memory * machine[1], machine[1]) == min(enough)


@given(run=RUNS, gigabytes=st.integers(5, 400))
@settings(deadline=None)
def test_the_changes_that_are_named_make_it_fit(run: Run, gigabytes: int) -> None:
    flags = changes(run, run.per_gpu, gigabytes * 1e9)
    if not flags:
        return
    words = dict(re.findall(r"--([\w-]+)(?: (\w[\w-]*))?", flags))
    setting = replace(
        run.setting,
        checkpointing=words.get("activation-checkpointing", run.setting.checkpointing),
        lora=int(words.get("lora", run.setting.lora)),
        precision=words.get("precision", run.setting.precision),
        reference=words.get("reference", run.setting.reference),
        sharded=words.get("parallel", "fsdp" if run.setting.sharded else "ddp") == "fsdp",
        quantize=words.get("quantize", run.setting.quantize),
    )
    assert replace(run, setting=setting).peak(1).total <= gigabytes * 1e9
    assert setting.quantize == "none" or not setting.sharded or setting.gpus == 1, "FSDP cannot shard weights in 4 bits"


def test_what_fits_needs_no_change() -> None:
    found = plan(PlanOptions(model="mistral-7b", lora=16, precision="bf16-pure", gpu="H100"))
    assert found.fits
    assert not found.change
    assert found.smallest_machine == "1 x L4 (24 GB)"
    assert found.total_gb == pytest.approx(sum(found.memory_gb.values()))


def test_full_weights_of_7b_do_not_fit_on_an_a100() -> None:
    """16 bytes a weight: 2 x 4 for weights and gradients, 2 x 4 for AdamW: 108 GB of 80."""
    found = plan(PlanOptions(model="llama2-7b", gpu="A100"))
    assert not found.fits
    assert found.total_gb > 16 * 6.738
    assert "--lora" in found.change


def test_hours_are_flops_over_rate() -> None:
    options = PlanOptions(model="yi-34b", gpus=8, peak_tflops=100, mfu=0.5, steps=10, batch_size=32, reference="none")
    found = plan(options)
    load = assumed(options)
    flops = PRESETS["yi-34b"].flops().of(load)
    assert found.pairs == 320
    assert found.hours * 3600 == pytest.approx(320 * flops / (8 * 100e12 * 0.5))
    assert found.seconds_per_step * 10 == pytest.approx(found.hours * 3600)
    assert found.tokens_per_second / found.pairs_per_second == load.tokens
    recomputed = plan(replace(options, activation_checkpointing="full"))
    assert found.hours < recomputed.hours < found.hours * 4 / 3 + 1e-9
    with_reference = plan(replace(options, reference="precomputed"))
    assert with_reference.hours == pytest.approx(found.hours + with_reference.reference_hours)
    assert with_reference.reference_hours == pytest.approx(found.hours / 3, rel=0.01)


@given(tokens=st.integers(4, 3000), sharing=st.floats(1, 20))
def test_sharing_divides_tokens_and_work(tokens: int, sharing: float) -> None:
    shared = assumed(PlanOptions(model="x", tokens_per_pair=tokens, sharing=sharing))
    alone = assumed(PlanOptions(model="x", tokens_per_pair=tokens))
    assert shared.tokens * sharing == pytest.approx(alone.tokens)
    assert shared.attended * sharing == pytest.approx(alone.attended)
    assert shared.labels <= min(alone.labels, shared.tokens)
    if tokens % 2 == 0:  # two rows, each a triangle of attended keys
        row = tokens // 2
        assert alone.attended == pytest.approx(2 * sum(range(1, row + 1)))


def test_the_default_utilization_is_the_measured_one() -> None:
    """The TFLOP/s of compiled layers on GSM_AnsAug in the results, as a share of an H200's peak."""
    results = (Path(__file__).parents[2] / "bench" / "RESULTS.md").read_text("utf-8")
    line = next(line for line in results.splitlines() if line.startswith("| GSM_AnsAug, raw prompt | compiled"))
    measured = float(line.split("|")[8].split()[0])
    assert pytest.approx(measured / GPUS["H200"].bfloat16, abs=0.005) == MEASURED_MFU


def test_options_that_cannot_be_planned() -> None:
    for wrong, message in (
        ({"model": ""}, "missing --model"),
        ({"model": "x", "pairs": 1, "steps": 1}, "either --pairs or --steps"),
        ({"model": "x", "completion_tokens": 300.0}, "exceeds half"),
        ({"model": "x", "gpus": 0}, "at least 1"),
        ({"model": "x", "gpu": "H1000"}, "one of L4"),
    ):
        with pytest.raises(UsageError, match=message):
            PlanOptions(**wrong)
