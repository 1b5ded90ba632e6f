"""The configuration of a training run, from flags, a preset and a TOML file. Does not import torch."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pairgen.errors import UsageError
from pairgen.options import check, check_values, flag, from_mapping, option, read_values
from pairgen.train.losses import LOSSES
from pairgen.train.losses.outside import PATTERN, check_confirmed, is_outside, register

ACTIVATION_CHECKPOINTING = ("none", "selective", "full")
QUANTIZE = ("none", "4bit")


@dataclass(frozen=True)
class Config:
    """One training run. The same config, data and machine give the same run.

    ``loss`` also takes a function or a ``Loss``, and becomes its name (``pairgen.train.losses.outside``).

    Raises:
        UsageError: a value that is not allowed, options that conflict, or a loss that cannot be imported.
    """

    data: tuple[str, ...] = option((), "Pair datasets to train on: folders that `pairgen build` wrote.")
    model: str = option(
        "tiny", "Model: a folder, a GGUF file, a Hub id, or `tiny`, a small untrained Llama.", metavar="MODEL"
    )
    out: str = option("", "Run folder; required, except with --dry-run.", aliases=("-o",), metavar="DIR")

    loss: str = option(
        "dpop",
        "Loss function; MODULE:FUNCTION imports one of your own.",
        choices=LOSSES,
        besides=("MODULE:FUNCTION", PATTERN),
    )
    loss_on: str = option(
        "all",
        "Tokens whose log-probs the loss sums. all: the completion's; edit: those of the edit; from-edit: those of the "
        "edit and after it.",
        choices=("all", "edit", "from-edit"),
    )
    beta: float = option(0.3, "KL penalty coefficient (tau in IPO).", above=0)
    dpop_lambda: float = option(50.0, "Weight of the DPOP penalty.", at_least=0)
    dpop_form: str = option(
        "inside", "Apply the DPOP penalty inside or outside the sigmoid.", choices=("inside", "outside")
    )
    dpop_level: str = option(
        "completion", "Apply the DPOP penalty to summed log-probs or per token.", choices=("completion", "token")
    )
    ipo_level: str = option("token", "Use mean (token) or summed log-ratios in IPO.", choices=("token", "completion"))
    rpo_alpha: float = option(1.0, "Weight of the SFT term in RPO.", at_least=0)
    bdpo_lambda: float = option(
        0.5, "Share of the policy in BDPO's mixture with the reference; 1 is DPO.", above=0, at_most=1
    )
    dpo_shift_factor: float = option(
        0.95, "Weight of the rejected log-ratio in DPO-Shift; 1 is DPO.", above=0, at_most=1
    )
    cal_dpo_weight: float = option(1.0, "Weight of the calibration term in Cal-DPO.", at_least=0)
    simpo_gamma: float = option(0.5, "Target margin of SimPO.", at_least=0)
    cpo_alpha: float = option(1.0, "Weight of the SFT term in CPO.", at_least=0)
    kto_desirable: float = option(1.0, "KTO weight of chosen completions.", at_least=0)
    kto_undesirable: float = option(1.0, "KTO weight of rejected completions.", at_least=0)

    steps: int = option(0, "Optimizer steps; 0 uses --epochs.", at_least=0, may_change=True)
    epochs: float = option(1.0, "Number of epochs, if --steps is 0.", above=0, may_change=True)
    batch_size: int = option(16, "Pairs per optimizer step, over all processes; groups are never split.", at_least=1)
    micro_batch_size: int = option(
        0, "Pairs per forward pass and device; 0 uses the full batch.", at_least=0, may_change=True
    )
    share: str = option(
        "auto",
        "Which shared tokens are computed once. none; prompt: the prompt of a pair; prefix: also its completions' "
        "tokens before the edit; group: also prompt and chosen of a group; shots: also prefixes that several prompts "
        "share; auto: shots if the model supports it exactly, else none.",
        choices=("auto", "none", "prompt", "prefix", "group", "shots"),
        may_change=True,
    )
    max_packed_length: int = option(
        8192, "Maximum length of a packed sequence, in tokens.", at_least=64, may_change=True
    )
    seed: int = option(0, "Random seed.", at_least=0)

    sft_steps: int | None = option(
        None, "SFT steps on chosen completions before preference training. Default: 300 for tiny, else 0.", at_least=0
    )
    sft_learning_rate: float | None = option(
        None, "Learning rate of the SFT steps. Default: 3e-3 for tiny, else --learning-rate.", above=0
    )

    learning_rate: float | None = option(
        None, "Peak learning rate. Default: 2e-4 for tiny and --lora, else 5e-6.", above=0, may_change=True
    )
    lr_schedule: str = option("cosine", "Learning-rate schedule after warmup.", choices=("cosine", "constant"))
    warmup_ratio: float = option(0.1, "Fraction of the steps used for linear warmup.", at_least=0, at_most=1)
    weight_decay: float = option(0.0, "Weight decay of AdamW.", at_least=0)
    max_grad_norm: float = option(1.0, "Clip gradients to this norm; 0 disables clipping.", at_least=0)

    max_length: int = option(
        2048,
        "Maximum length of prompt plus completion, in tokens; longer prompts are truncated from the left.",
        at_least=8,
    )
    chat: str = option("auto", "Apply the chat template; auto: if the model has one.", choices=("auto", "on", "off"))

    lora: int = option(0, "Rank of a LoRA adapter to train; 0 trains all weights.", at_least=0)
    quantize: str = option(
        "none",
        "4bit: keep the frozen weights under a LoRA adapter in 4 bits (NF4, bitsandbytes).",
        choices=QUANTIZE,
    )
    reference: str = option(
        "precomputed",
        "Compute reference log-probs once before training (in bfloat16, in the batches of the first epoch), or at "
        "every step, in the batch of the step.",
        choices=("precomputed", "online"),
    )
    reference_dir: str = option(
        "",
        "Cache folder for reference log-probs. Default: a folder inside each dataset.",
        metavar="DIR",
        may_change=True,
    )
    device: str = option("auto", "Device; auto: CUDA if available.", choices=("auto", "cpu", "cuda"), may_change=True)
    precision: str = option(
        "auto",
        "float32; bf16: float32 weights, bfloat16 arithmetic; bf16-pure: bfloat16 weights too. auto: bf16 on a GPU.",
        choices=("auto", "float32", "bf16", "bf16-pure"),
    )
    activation_checkpointing: str = option(
        "none",
        "What the backward pass computes again, to save memory. selective: all but attention and matrix products, in "
        "little time; full: whole layers, a third more FLOPs.",
        choices=ACTIVATION_CHECKPOINTING,
        may_change=True,
    )
    peak_tflops: float = option(
        0.0, "Peak TFLOP/s of the device, for mfu; 0 measures a large matrix product.", at_least=0, may_change=True
    )
    compile: bool | None = option(
        None,
        "Compile the layers of the model with torch.compile. Default: on a GPU, except for tiny.",
        may_change=True,
    )
    parallel: str = option(
        "fsdp",
        "Data parallelism under torchrun: fsdp shards the model, which is never whole on a GPU; ddp replicates it.",
        choices=("fsdp", "ddp"),
        may_change=True,
    )
    trust_remote_code: bool = option(False, "Run Python code that comes with the model. Only for models you trust.")

    log_every: int = option(1, "Log metrics every N steps.", at_least=1, may_change=True)
    eval_every: int = option(0, "Evaluate every N steps; 0: at the start and the end.", at_least=0, may_change=True)
    eval_pairs: int = option(
        1000, "Maximum number of pairs from each eval split; 0 uses all.", at_least=0, may_change=True
    )
    save_every: int = option(
        100, "Save a checkpoint every N steps; 0: at the end and when interrupted.", at_least=0, may_change=True
    )
    keep_checkpoints: int = option(2, "Number of latest checkpoints to keep.", at_least=1, may_change=True)
    best: str = option(
        "eval/loss", "Metric that selects the model saved in best/, or `none`.", metavar="METRIC", may_change=True
    )
    report_to: str = option(
        "none",
        "Experiment tracker to send metrics to.",
        choices=("none", "tensorboard", "trackio", "wandb"),
        may_change=True,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", register(self.loss))
        check(self)
        if self.lora and self.model == "tiny":
            raise UsageError("--lora needs a pretrained model; --model tiny is randomly initialized, train all of it")
        if self.quantize != "none" and not self.lora:
            raise UsageError(f"--quantize {self.quantize} needs --lora: quantized weights cannot be trained")

    def resolved(self) -> "Config":
        """A copy in which every default that depends on other options is filled in."""
        tiny = self.model == "tiny"
        rate = self.learning_rate or (2e-4 if tiny or self.lora else 5e-6)
        sft_steps = self.sft_steps
        if sft_steps is None:
            sft_steps = 300 if tiny and LOSSES[self.loss].uses_rejected else 0
        sft_rate = self.sft_learning_rate or (3e-3 if tiny else rate)
        return replace(self, learning_rate=rate, sft_steps=sft_steps, sft_learning_rate=sft_rate)

    def without_effect(self) -> list[str]:
        """Options with a value of their own that the others make ineffective, each with the reason."""
        loss = f"--loss {self.loss}"
        own = () if is_outside(self.loss) else LOSSES[self.loss].options
        of_losses = () if is_outside(self.loss) else [name for other in LOSSES.values() for name in other.options]
        reasons = {
            **{name: loss for name in of_losses if name not in own},
            "loss_on": "" if LOSSES[self.loss].uses_rejected else loss,
            "beta": "" if LOSSES[self.loss].uses_beta else loss,
            "epochs": f"--steps {self.steps}" if self.steps else "",
            "sft_learning_rate": "" if self.sft_steps else "--sft-steps 0",
            "reference": "" if LOSSES[self.loss].needs_reference else loss,
            "reference_dir": "" if LOSSES[self.loss].needs_reference else loss,
        }
        changed = [name for name, reason in reasons.items() if reason and getattr(self, name) != OPTIONS[name].default]
        return [f"{flag(name)} has no effect with {reasons[name]}" for name in changed]

    def fixed(self) -> dict[str, Any]:
        """The options that must stay the same when a run is resumed."""
        return {name: getattr(self, name) for name, item in OPTIONS.items() if not item.metadata.get("may_change")}


OPTIONS: dict[str, "Field[Any]"] = {item.name: item for item in fields(Config)}

PRESETS: dict[str, dict[str, Any]] = {
    # Smaug paper, appendix E.1 and section 5.2: beta 0.3, lambda 50, AdamW, learning rate 5e-5, 1,000 steps
    "smaug": {"loss": "dpop", "beta": 0.3, "dpop_lambda": 50.0, "learning_rate": 5e-5, "steps": 1000},
}


def save(config: Config, path: Path) -> None:
    """Write a config as TOML, without options that have no value."""
    import tomli_w

    from pairgen.atomic import write_text

    write_text(path, tomli_w.dumps({name: value for name, value in asdict(config).items() if value is not None}))


def saved(file: Path, given: Mapping[str, Any]) -> Config:
    """The config that a run saved in its folder, with all defaults filled in.

    Args:
        given: options of the command that resumes it: code from outside must be allowed again.

    Raises:
        UsageError: it is damaged, or names code from outside that ``given`` does not allow.
    """
    values = {**_renamed(read_values(file)), "out": str(file.parent)}
    check_confirmed(values.get("loss"), given.get("loss"), str(file.parent))
    if values.get("trust_remote_code") and not given.get("trust_remote_code"):
        raise UsageError(f"{file.parent}: runs code that comes with the model; allow it again with --trust-remote-code")
    return from_mapping(Config, values, str(file)).resolved()


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a config file, with ``gradient_checkpointing``, a former option, under its new name."""
    renamed = dict(values)
    if isinstance(renamed.get("gradient_checkpointing"), bool):
        former = renamed.pop("gradient_checkpointing")
        renamed.setdefault("activation_checkpointing", "full" if former else "none")
    return renamed


def combine(flags: Mapping[str, Any], file: Path | None = None, preset: str | None = None) -> Config:
    """The config of a run: defaults, overridden by the preset, then by the TOML file, then by flags that are not None.

    Raises:
        UsageError: an unknown preset or option, or a value that ``Config`` refuses.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"--preset {preset}: unknown preset; available: {', '.join(PRESETS)}")
    values: dict[str, Any] = dict(PRESETS[preset]) if preset else {}
    if file is not None:
        loaded = _renamed(read_values(file))
        check_values(Config, loaded, str(file))
        if loaded.get("trust_remote_code") and not flags.get("trust_remote_code"):
            raise UsageError(f"{file}: sets trust_remote_code; confirm it with the flag --trust-remote-code")
        check_confirmed(loaded.get("loss"), flags.get("loss"), str(file))
        values |= loaded
    return Config(**values | {name: value for name, value in flags.items() if value is not None})
