"""The plan of a training run: memory, micro-batch, speed and hours."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pairgen.progress import Progress, ignore
from pairgen.train.planning.architectures import find_shape
from pairgen.train.planning.fitting import Run, changes, smallest_machine
from pairgen.train.planning.machines import GPUS
from pairgen.train.planning.pair_load import PairLoad, assumed, counted
from pairgen.train.planning.request import DEFAULT_TOKENS, MEASURED_MFU, PlanOptions
from pairgen.train.planning.setting import Setting
from pairgen.train.planning.shape import Shape


@dataclass(frozen=True)
class Plan:
    """What a run takes. Memory is in GB of 1e9 bytes, on each GPU, at the moment of a step that takes the most."""

    model: str
    weights: int
    trained_weights: int
    gpus: int
    gpu_memory_gb: float
    moment: str
    memory_gb: dict[str, float]
    """By part."""
    total_gb: float
    fits: bool
    change: str
    """Flags with which it would fit, if it does not; empty if there are none, or it fits."""
    smallest_machine: str
    """The machine with the least memory that would do, such as ``2 x L40S``; empty if none is known."""
    micro_batch_size: int
    """Pairs per forward pass and GPU."""
    largest_micro_batch_size: int
    """Pairs that fit at once, whatever the batch."""
    tokens_per_pair: float
    """Processed tokens, after sharing."""
    sharing: float
    """Tokens without / with sharing."""
    tflops_per_pair: float
    """Of the policy, forward and backward, without recomputed activations; 1e12 FLOPs."""
    pairs_per_second: float
    """Of all GPUs, while training."""
    tokens_per_second: float
    seconds_per_step: float
    steps: int
    pairs: int
    """0: how many is unknown."""
    hours: float
    """Of training, and of the reference model's passes."""
    reference_hours: float
    """The part of the latter."""
    assumptions: list[str] = field(default_factory=list)


def plan(options: PlanOptions, progress: Progress = ignore) -> Plan:
    """Plan a run.

    Raises:
        UnsupportedModel: the model has no config whose weights can be counted.
        PairgenError: the pairs of ``--data`` cannot be tokenized.
    """
    shape = find_shape(options.model, options.trust_remote_code)
    load = counted(options, progress) if options.data else assumed(options)
    run = Run(shape, options.setting, load, options.batch_size)
    memory = options.machine.memory * 1e9
    micro = options.micro_batch_size or run.largest(memory, run.per_gpu) or 1
    peak = run.peak(micro)
    fits = peak.total <= memory
    machine = smallest_machine(run)
    pairs = options.pairs or options.steps * options.batch_size or load.pairs
    speed = _Speed(shape, options.setting, load, options.mfu * options.machine.bfloat16 * 1e12 * options.gpus)
    return Plan(
        model=shape.name,
        weights=shape.weights,
        trained_weights=shape.adapter(options.lora) if options.lora else shape.weights,
        gpus=options.gpus,
        gpu_memory_gb=options.machine.memory,
        moment=peak.moment,
        memory_gb={part: size / 1e9 for part, size in peak.parts.items()},
        total_gb=peak.total / 1e9,
        fits=fits,
        change="" if fits else changes(run, micro, memory),
        smallest_machine=f"{machine[1]} x {machine[0]} ({GPUS[machine[0]].memory:g} GB)" if machine else "",
        micro_batch_size=micro,
        largest_micro_batch_size=run.rows(memory),
        tokens_per_pair=load.tokens,
        sharing=load.unshared / load.tokens,
        tflops_per_pair=speed.model_flops / 1e12,
        pairs_per_second=1 / speed.step_seconds,
        tokens_per_second=load.tokens / speed.step_seconds,
        seconds_per_step=options.batch_size * speed.step_seconds,
        steps=-(-pairs // options.batch_size),
        pairs=pairs,
        hours=pairs * (speed.step_seconds + speed.reference_seconds) / 3600,
        reference_hours=pairs * speed.reference_seconds / 3600,
        assumptions=_assumptions(options),
    )


@dataclass(frozen=True)
class _Speed:
    """Times per pair, if the GPUs reach so many FLOP/s of the model's."""

    shape: Shape
    setting: Setting
    load: PairLoad
    rate: float

    @property
    def model_flops(self) -> float:
        """FLOPs of the forward and the backward pass of a pair."""
        return self.shape.flops(self.setting.lora).of(self.load)

    @property
    def step_seconds(self) -> float:
        """Seconds of training on a pair; with full activation checkpointing, layers are computed once more."""
        again = self.shape.forward_flops().of(self.load) if self.setting.checkpointing == "full" else 0.0
        return (self.model_flops + again) / self.rate

    @property
    def reference_seconds(self) -> float:
        """Seconds of the reference model's forward pass of a pair."""
        if self.setting.reference == "none":
            return 0.0
        return (self.shape.forward_flops().of(self.load) + 2.0 * self.shape.embedding * self.load.labels) / self.rate


def _assumptions(options: PlanOptions) -> list[str]:
    """What the numbers rest on besides the config, in sentences."""
    found = []
    if options.mfu == MEASURED_MFU:
        found.append(f"{MEASURED_MFU:.0%} of the peak, as measured for 0.5 billion weights on one H200; set --mfu")
    if not options.data:
        source = ", the default" if options.tokens_per_pair == DEFAULT_TOKENS else ""
        shared = f", {options.sharing:g} times fewer with sharing" if options.sharing > 1 else ", none of them shared"
        found.append(f"{options.tokens_per_pair:,.0f} tokens per pair{source}{shared}; --data counts them")
    if options.device == "cpu":
        found.append(
            "freed memory is returned to the system; a run that needs little of it skips that, and takes up to 50% more"
        )
    if options.gpus > 1:
        found.append("communication between GPUs costs no time beyond what --mfu accounts for")
    return found


def as_values(found: Plan) -> dict[str, Any]:
    """A plan as JSON would have it."""
    return asdict(found)
