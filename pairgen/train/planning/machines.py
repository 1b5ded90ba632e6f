"""Known GPUs, from their data sheets."""

from typing import NamedTuple


class Gpu(NamedTuple):
    """What a GPU has."""

    memory: float
    """GB, of 1e9 bytes."""
    bfloat16: float
    """Peak TFLOP/s of dense matrix products in bfloat16, without sparsity."""
    float32: float
    """The same in float32, without TF32, which pairgen does not use."""

    def peak(self, precision: str) -> float:
        """Peak TFLOP/s in the arithmetic of a ``--precision``."""
        return self.float32 if precision == "float32" else self.bfloat16


GPUS = {
    "L4": Gpu(24, 121, 30.3),
    "A10": Gpu(24, 125, 31.2),
    "RTX3090": Gpu(24, 71, 35.6),
    "RTX4090": Gpu(24, 165, 82.6),
    "A100-40GB": Gpu(40, 312, 19.5),
    "L40S": Gpu(48, 362, 91.6),
    "A100": Gpu(80, 312, 19.5),
    "H100": Gpu(80, 989, 67),
    "GH200": Gpu(96, 989, 67),
    "H200": Gpu(141, 989, 67),
    "B200": Gpu(180, 2250, 75),
    "MI300X": Gpu(192, 1307, 163.4),
}
"""By name, from the least to the most memory."""

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Numbers of GPUs that machines and clusters are looked for with."""
