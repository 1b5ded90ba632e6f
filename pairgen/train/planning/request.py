"""The options of ``pairgen plan``."""

from dataclasses import dataclass

from pairgen.errors import UsageError
from pairgen.options import check, option
from pairgen.train.config import ACTIVATION_CHECKPOINTING, QUANTIZE
from pairgen.train.planning.machines import GPUS, Gpu
from pairgen.train.planning.setting import Setting

MEASURED_MFU = 0.30
"""293 TFLOP/s of an H200's 989, in training on GSM_AnsAug with compiled layers: tests/bench/RESULTS.md."""
DEFAULT_TOKENS = 512.0
"""Tokens of a pair in two rows, if nothing is known of the pairs."""


@dataclass(frozen=True)
class PlanOptions:
    """What is planned: a model, a machine, a way to train, and an amount of pairs.

    Raises:
        UsageError: a value that is not allowed, or options that conflict.
    """

    model: str = option(
        "",
        "Model; only its config is read: a config.json, a folder, a Hub id, or one of the paper's, llama2-7b, "
        "mistral-7b, yi-34b, qwen-72b.",
        metavar="MODEL",
    )
    gpus: int = option(1, "Number of GPUs.", at_least=1)
    gpu: str = option("H100", "GPU, for its memory and peak.", choices=GPUS)
    gpu_memory: float = option(0.0, "Memory of a GPU in GB, instead of that of --gpu.", at_least=0)
    peak_tflops: float = option(0.0, "Peak TFLOP/s of a GPU, instead of that of --gpu.", at_least=0)
    mfu: float = option(
        MEASURED_MFU,
        "Share of the peak that the model's FLOPs reach. The default was measured for 0.5 billion weights on one H200, "
        "with compiled layers.",
        above=0,
        at_most=1,
    )
    device: str = option(
        "cuda", "cpu: memory of a process on a CPU, as its attention and LM head take it.", choices=("cuda", "cpu")
    )

    precision: str = option(
        "bf16",
        "float32; bf16: float32 weights, bfloat16 arithmetic; bf16-pure: bfloat16 weights too.",
        choices=("float32", "bf16", "bf16-pure"),
    )
    lora: int = option(0, "Rank of a LoRA adapter to train; 0 trains all weights.", at_least=0)
    quantize: str = option("none", "4bit: frozen weights under the adapter in 4 bits.", choices=QUANTIZE)
    activation_checkpointing: str = option(
        "none",
        "What the backward pass computes again: nothing, all but attention and matrix products, or whole layers.",
        choices=ACTIVATION_CHECKPOINTING,
    )
    compile: bool = option(True, "Compile the layers, which also takes less memory.")
    parallel: str = option("fsdp", "fsdp shards the model, ddp replicates it.", choices=("fsdp", "ddp"))
    reference: str = option(
        "precomputed",
        "Reference log-probs: computed before training, at every step by a second model, or not needed.",
        choices=("precomputed", "online", "none"),
    )
    batch_size: int = option(16, "Pairs per optimizer step, over all GPUs.", at_least=1)
    micro_batch_size: int = option(
        0, "Pairs per forward pass and GPU. Default: as many of the batch as fit.", at_least=0
    )

    data: str = option("", "Pair dataset whose tokens are counted, with the model's tokenizer.", metavar="DIR")
    share: str = option(
        "shots",
        "Which shared tokens of --data are computed once, as in `pairgen train`.",
        choices=("none", "prompt", "prefix", "group", "shots"),
    )
    max_length: int = option(2048, "Maximum length of prompt plus completion of --data, in tokens.", at_least=8)
    tokens_per_pair: float = option(
        DEFAULT_TOKENS, "Without --data: tokens of prompt and chosen, plus prompt and rejected.", above=0
    )
    completion_tokens: float = option(
        0.0, "Without --data: tokens of a completion. Default: half of its row, prompt included.", at_least=0
    )
    sharing: float = option(
        1.0, "Without --data: tokens without / with sharing; a table in the README has measured ones.", at_least=1
    )
    pairs: int = option(0, "Pairs to train on. Default: one epoch of --data.", at_least=0)
    steps: int = option(0, "Optimizer steps, instead of --pairs.", at_least=0)
    trust_remote_code: bool = option(False, "Run Python code that comes with the model. Only for models you trust.")

    def __post_init__(self) -> None:
        check(self)
        if not self.model:
            raise UsageError("plan: missing --model: a config.json, a folder, a Hub id, or a name such as yi-34b")
        if self.pairs and self.steps:
            raise UsageError("plan: give either --pairs or --steps")
        if self.quantize != "none" and not self.lora:
            raise UsageError(f"plan: --quantize {self.quantize} needs --lora: quantized weights cannot be trained")
        if self.quantize != "none" and self.gpus > 1 and self.parallel == "fsdp":
            raise UsageError(f"plan: --quantize {self.quantize}: 4-bit weights cannot be sharded; use --parallel ddp")
        if self.completion_tokens > self.tokens_per_pair / 2:
            raise UsageError(
                "plan: --completion-tokens exceeds half of --tokens-per-pair, which is a row with its prompt"
            )

    @property
    def machine(self) -> Gpu:
        """The GPU, with the values that were given instead of its own."""
        known = GPUS[self.gpu]
        peak = self.peak_tflops or known.peak(self.precision)
        return Gpu(self.gpu_memory or known.memory, peak, peak)

    @property
    def setting(self) -> Setting:
        """How the model is trained."""
        return Setting(
            precision=self.precision,
            lora=self.lora,
            checkpointing=self.activation_checkpointing,
            compiled=self.compile and self.device == "cuda",
            on_gpu=self.device == "cuda",
            trees=self.share != "none" if self.data else self.sharing > 1,
            gpus=self.gpus,
            quantize=self.quantize,
            sharded=self.parallel == "fsdp" and self.quantize == "none",
            reference=self.reference,
        )
