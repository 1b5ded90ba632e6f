"""How many pairs fit, what to change if none do, and the smallest machine on which they do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pairgen.train.planning.machines import COUNTS, GPUS
from pairgen.train.planning.memory import Peak, peak
from pairgen.train.planning.pair_load import PairLoad
from pairgen.train.planning.setting import Setting
from pairgen.train.planning.shape import Shape

MAX_PAIRS = 1 << 20
"""Pairs beyond which no micro-batch is looked for."""


@dataclass(frozen=True)
class Run:
    """A model, how it is trained, and what its pairs take."""

    shape: Shape
    setting: Setting
    load: PairLoad
    batch_size: int
    """Pairs of a step, over all GPUs."""

    @property
    def per_gpu(self) -> int:
        """Pairs of a step on a GPU, rounded up."""
        return -(-self.batch_size // self.setting.gpus)

    def peak(self, pairs: int) -> Peak:
        """The peak of a step whose micro-batches have so many pairs."""
        setting = replace(self.setting, accumulates=pairs < self.per_gpu)
        return peak(self.shape, setting, pairs * self.load.laid_out, pairs * self.load.labels)

    def largest(self, memory: float, most: int) -> int:
        """The largest micro-batch of at most ``most`` pairs that fits into so many bytes; 0 if none does."""
        if self.peak(most).total <= memory:
            return most
        fits, too_many = 0, most
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self.peak(middle).total <= memory:
                fits = middle
            else:
                too_many = middle
        return fits

    def rows(self, memory: float) -> int:
        """Pairs of the largest micro-batch that fits if it is the whole batch of a GPU."""
        return replace(self, batch_size=1).largest(memory, MAX_PAIRS)


def changes(run: Run, pairs: int, memory: float) -> str:
    """The least change of options with which a run fits, as command-line flags; empty if there is none.

    Args:
        pairs: of a micro-batch.
        memory: bytes of a GPU.
    """
    for flags, setting, least in _alternatives(run.setting, pairs):
        if replace(run, setting=setting).peak(least).total <= memory:
            return " ".join(flags)
    return ""


def _alternatives(setting: Setting, pairs: int) -> Iterator[tuple[list[str], Setting, int]]:
    """Further and further changes, the ones that change what is trained last; each with pairs of a micro-batch."""
    was = setting
    flags: list[str] = []
    if pairs > 1:
        flags = ["--micro-batch-size 1"]
        yield flags, setting, 1
    if setting.gpus > 1 and not setting.sharded and setting.quantize == "none":
        flags, setting = [*flags, "--parallel fsdp"], replace(setting, sharded=True)
        yield flags, setting, 1
    if setting.reference == "online" and not setting.lora:
        flags, setting = [*flags, "--reference precomputed"], replace(setting, reference="precomputed")
        yield flags, setting, 1
    if setting.checkpointing == "none":
        yield [*flags, "--activation-checkpointing selective"], replace(setting, checkpointing="selective"), 1
    if setting.checkpointing != "full":
        flags, setting = [*flags, "--activation-checkpointing full"], replace(setting, checkpointing="full")
        yield flags, setting, 1
    if not setting.lora:
        yield [*flags, "--lora 16"], replace(setting, lora=16), 1
    if setting.precision != "bf16-pure":
        flags, setting = [*flags, "--precision bf16-pure"], replace(setting, precision="bf16-pure")
        yield flags, setting, 1
        if not setting.lora:
            yield [*flags, "--lora 16"], replace(setting, lora=16), 1
    if setting.quantize == "none":
        flags = [flag for flag in flags if flag != "--parallel fsdp"]
        flags += ["--parallel ddp"] * (was.gpus > 1 and was.sharded) + ["--lora 16"] * (not setting.lora)
        small = replace(setting, quantize="4bit", lora=setting.lora or 16, sharded=False)
        yield [*flags, "--quantize 4bit"], small, 1


def smallest_machine(run: Run) -> tuple[str, int] | None:
    """The machine of the least memory in all on which a micro-batch of one pair fits: a GPU, and how many.

    Of two with as much memory, the one with fewer GPUs. None if there is none among ``GPUS`` and ``COUNTS``.
    """
    machines = [(name, count) for name in GPUS for count in COUNTS]
    machines.sort(key=lambda machine: (GPUS[machine[0]].memory * machine[1], machine[1]))
    for name, count in machines:
        there = replace(run, setting=replace(run.setting, gpus=count))
        if there.peak(1).total <= GPUS[name].memory * 1e9:
            return name, count
    return None
