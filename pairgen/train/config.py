"""What a run is told: one frozen record, read from flags, a preset and a TOML file. Loads no torch.

A field's default, help text and allowed values stand together; the command line makes its flags of them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pairgen.errors import UsageError
from pairgen.train.losses import LOSSES


def _(default: Any, help: str, **more: Any) -> Any:
    """A field with its help text; ``choices`` and ``at_least`` are checked, ``free`` may change when a run goes on."""
    return field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True)
class Config:
    """One training run. Equal configs, data and machine give equal runs.

    Raises:
        UsageError: a value that is out of range, or values that exclude each other.
    """

    data: tuple[str, ...] = _((), "Pair datasets to train on: folders that `pairgen build` wrote.")
    model: str = _("tiny", "Model to train: a folder, a hub id, or `tiny`, a small Llama made on the spot.")
    out: str = _("", "Folder of the run.")

    loss: str = _("dpop", "Loss.", choices=LOSSES)
    beta: float = _(0.3, "Strength of the pull to the reference (IPO's tau).", above=0)
    dpop_lambda: float = _(50.0, "Weight of DPOP's penalty.", at_least=0)
    dpop_form: str = _("inside", "Penalty inside or outside the sigmoid.", choices=("inside", "outside"))
    dpop_level: str = _(
        "completion", "Penalty on the whole completion or token by token.", choices=("completion", "token")
    )
    ipo_level: str = _("token", "IPO's log-ratios per token or per completion.", choices=("token", "completion"))
    cpo_alpha: float = _(1.0, "Weight of CPO's SFT term.", at_least=0)
    kto_desirable: float = _(1.0, "KTO's weight of chosen completions.", at_least=0)
    kto_undesirable: float = _(1.0, "KTO's weight of rejected completions.", at_least=0)

    steps: int = _(0, "Optimizer steps; 0 goes by --epochs.", at_least=0, free=True)
    epochs: float = _(1.0, "Passes over the pairs, if --steps is 0.", above=0, free=True)
    batch_size: int = _(16, "Pairs of one optimizer step, over all processes; groups stay whole.", at_least=1)
    micro_batch_size: int = _(0, "Pairs that go through the model at once; 0 takes the batch.", at_least=0, free=True)
    share: str = _(
        "auto",
        "What is computed once: none; prompt: of a pair; prefix: and all before the edit; group: and prompt and "
        "chosen of a group; shots: and what prompts have in common; auto: the most that is exact for the model.",
        choices=("auto", "none", "prompt", "prefix", "group", "shots"),
        free=True,
    )
    row_tokens: int = _(8192, "Tokens of a row that trees are packed into.", at_least=64, free=True)
    seed: int = _(0, "Every random choice follows from it.", at_least=0)

    sft_steps: int | None = _(
        None, "Steps of SFT on chosen before the preference training. Default: 300 for tiny, else 0.", at_least=0
    )
    sft_learning_rate: float | None = _(
        None, "Learning rate of those. Default: 3e-3 for tiny, else --learning-rate.", above=0
    )

    learning_rate: float | None = _(
        None, "Peak learning rate. Default: 2e-4 for tiny and --lora, else 5e-6.", above=0, free=True
    )
    schedule: str = _("cosine", "Learning rate after the warm-up.", choices=("cosine", "constant"))
    warmup: float = _(0.1, "Share of the steps over which the learning rate rises.", at_least=0, at_most=1)
    weight_decay: float = _(0.0, "AdamW's weight decay.", at_least=0)
    max_grad_norm: float = _(1.0, "Gradients are scaled down to this norm; 0 leaves them.", at_least=0)

    max_length: int = _(2048, "Tokens of prompt and completion; longer prompts are cut at their start.", at_least=8)
    chat: str = _("auto", "Use the tokenizer's chat template; auto: if it has one.", choices=("auto", "on", "off"))

    lora: int = _(0, "Rank of a LoRA adapter to train instead of the model; 0 trains the model.", at_least=0)
    reference: str = _(
        "precomputed", "Reference log-probs once before training, or in every step.", choices=("precomputed", "online")
    )
    reference_dir: str = _(
        "", "Where reference log-probs are kept. Default: beside each dataset, by the model's hash.", free=True
    )
    device: str = _("auto", "cpu, cuda, or auto.", choices=("auto", "cpu", "cuda"), free=True)
    precision: str = _(
        "auto",
        "float32; bf16: float32 weights, bfloat16 arithmetic; bf16-pure: bfloat16 throughout. auto: bf16 on a GPU.",
        choices=("auto", "float32", "bf16", "bf16-pure"),
    )
    gradient_checkpointing: bool = _(
        False, "Recompute activations in the backward pass: less memory, more time.", free=True
    )
    compile: bool = _(False, "Compile the model with torch.compile.", free=True)
    parallel: str = _(
        "fsdp",
        "Under torchrun: fsdp shards the model, replicated copies it.",
        choices=("fsdp", "replicated"),
        free=True,
    )
    trust_remote_code: bool = _(False, "Run code that comes with the model. Off unless you trust its author.")

    log_every: int = _(1, "Steps between lines of metrics.jsonl.", at_least=1, free=True)
    eval_every: int = _(0, "Steps between evaluations; 0: at the start and the end.", at_least=0, free=True)
    eval_pairs: int = _(1000, "Pairs of the eval split that are used; 0 takes all.", at_least=0, free=True)
    save_every: int = _(100, "Steps between checkpoints; 0: at the end and when interrupted.", at_least=0, free=True)
    keep: int = _(2, "Checkpoints that are kept, the newest.", at_least=1, free=True)
    best: str = _("eval/loss", "Metric of the best model, kept in best/; `none` keeps none.", free=True)
    report_to: str = _(
        "none", "Also send metrics to a tracker.", choices=("none", "tensorboard", "trackio", "wandb"), free=True
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", tuple(self.data))
        for option in fields(self):
            _check(option, getattr(self, option.name))
        if self.lora and self.model == "tiny":
            raise UsageError("--lora adapts a model that is there; --model tiny is made anew, train it whole")

    def resolved(self) -> "Config":
        """The same with every default that depends on others filled in."""
        tiny = self.model == "tiny"
        rate = self.learning_rate or (2e-4 if tiny or self.lora else 5e-6)
        sft_steps = (
            self.sft_steps if self.sft_steps is not None else (300 if tiny and LOSSES[self.loss].uses_rejected else 0)
        )
        return self.replaced(
            learning_rate=rate,
            sft_steps=sft_steps,
            sft_learning_rate=self.sft_learning_rate or (3e-3 if tiny else rate),
        )

    def replaced(self, **changes: Any) -> "Config":
        """A copy with other values. Raises UsageError for an unknown name."""
        return from_mapping({**asdict(self), **changes}, "the call")

    def fixed(self) -> dict[str, Any]:
        """The values that a run cannot change when it goes on."""
        return {option.name: getattr(self, option.name) for option in fields(self) if not option.metadata.get("free")}


OPTIONS: dict[str, "Field[Any]"] = {option.name: option for option in fields(Config)}

PRESETS: dict[str, dict[str, Any]] = {
    # Smaug paper, appendix E.1 and section 5.2: beta 0.3, lambda 50, AdamW, learning rate 5e-5, 1,000 steps
    "smaug": {"loss": "dpop", "beta": 0.3, "dpop_lambda": 50.0, "learning_rate": 5e-5, "steps": 1000},
}


def flag(name: str) -> str:
    """A field's flag: ``batch_size`` is ``--batch-size``."""
    return "--" + name.replace("_", "-")


def _check(option: "Field[Any]", value: Any) -> None:
    rules = option.metadata
    wanted = ""
    if value is None:
        return
    if "choices" in rules and value not in rules["choices"]:
        wanted = f"one of {', '.join(rules['choices'])}"
    elif isinstance(value, float) and not abs(value) < float("inf"):
        wanted = "a finite number"
    elif "at_least" in rules and value < rules["at_least"]:
        wanted = f"at least {rules['at_least']}"
    elif "at_most" in rules and value > rules["at_most"]:
        wanted = f"at most {rules['at_most']}"
    elif "above" in rules and value <= rules["above"]:
        wanted = f"above {rules['above']}"
    if wanted:
        raise UsageError(f"{flag(option.name)} {value}: has to be {wanted}")


def from_mapping(values: Mapping[str, Any], where: str) -> Config:
    """A config of plain values, as a TOML file or the command line gives them.

    Raises:
        UsageError: an unknown key, a value of another type, or one that ``Config`` refuses.
    """
    _check_plain(values, where)
    return Config(**values)


def _check_plain(values: Mapping[str, Any], where: str) -> None:
    for name, value in values.items():
        if name not in OPTIONS:
            raise UsageError(f"{where}: no option is called {name}; there are {', '.join(OPTIONS)}")
        _check_type(OPTIONS[name], value, where)


def _check_type(option: "Field[Any]", value: Any, where: str) -> None:
    default = option.default
    kinds: tuple[type, ...]
    if option.name == "data":
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return
        raise UsageError(f"{where}: data has to be a list of folders")
    if default is None or default is MISSING:
        if value is None:
            return
        kinds = (int,) if "int" in str(option.type) else (int, float)
    else:
        kinds = (int, float) if isinstance(default, float) else (type(default),)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kinds[-1]]
        raise UsageError(f"{where}: {option.name} is {value!r}, and has to be {wanted}")


def load(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        UsageError: no such file, or it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML ({error})") from error


def save(config: Config, path: Path) -> None:
    """Write a config as TOML; what has no value is left out."""
    import tomli_w

    from pairgen.atomic import write_text

    values = {name: list(value) if name == "data" else value for name, value in asdict(config).items()}
    write_text(path, tomli_w.dumps({name: value for name, value in values.items() if value is not None}))


def combine(flags: Mapping[str, Any], file: Path | None = None, preset: str | None = None) -> Config:
    """The config of a run: defaults, then the preset, then the file, then the flags that were given (not None).

    Raises:
        UsageError: an unknown preset or key, or a value that ``Config`` refuses.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"--preset {preset}: unknown; choose one of {', '.join(PRESETS)}")
    values: dict[str, Any] = dict(PRESETS[preset]) if preset else {}
    if file is not None:
        told = load(file)
        _check_plain(told, str(file))  # ranges, and what excludes what, when the flags are in
        if told.get("trust_remote_code") and not flags.get("trust_remote_code"):
            raise UsageError(f"{file}: allows code that comes with the model; that takes the flag --trust-remote-code")
        values |= told
    values |= {name: value for name, value in flags.items() if value is not None}
    return from_mapping(values, "the command line")
