"""The options of ``pairgen eval``. Does not import torch or lm_eval."""

from dataclasses import dataclass

from pairgen.errors import UsageError
from pairgen.evaluate.tasks import LEADERBOARD_SHOTS, TASKS, ours
from pairgen.options import check, option

QUESTION_SETS = ("mt_bench",)
"""What ``--generate`` answers."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How models are evaluated. Equal options, models and machines give equal scores.

    Raises:
        UsageError: a value that is out of range, or options that conflict.
    """

    tasks: tuple[str, ...] = option(
        (),
        f"Tasks: {', '.join(TASKS)}, or any other task or group of lm-evaluation-harness, such as mmlu, "
        "truthfulqa_mc2, winogrande, gsm8k_platinum or gsm_plus, or the folder of a pair dataset, whose completions "
        "are choices. Separate several with commas.",
        metavar="NAME,...",
    )
    source: tuple[str, ...] = option(
        (),
        f"Rows of {', '.join(TASKS)} from a local file, folder or sample instead of the Hub: SOURCE if there is one "
        "task, TASK=SOURCE if there are several. train=SOURCE or TASK:train=SOURCE has the few-shot examples; without "
        "it, they are other questions of the same source. Repeat it for more tasks.",
        metavar="<[task=]source>",
    )
    shots: int | None = option(
        None, "Few-shot examples per question. Default: what lm-evaluation-harness says of the task.", at_least=0
    )
    leaderboard: bool = option(
        False,
        "Use the shots of the Open LLM Leaderboard v1: "
        + ", ".join(f"{task} {shots}" for task, shots in LEADERBOARD_SHOTS.items())
        + ".",
    )
    limit: int | None = option(None, "Only the first N questions of each task. Default: all.", at_least=1, metavar="N")
    harness: bool = option(
        False,
        "Score choices with the code of lm-evaluation-harness, which computes the question again for each choice, "
        "instead of once in token trees. In float32, predictions are the same; it is several times slower.",
    )
    batch_size: int = option(
        0,
        "Questions, or choices of questions, per forward pass. Default: 16 when answers are generated; when choices "
        "are scored with --harness, as many as have at most 1 GB of logits.",
        at_least=0,
    )
    max_new_tokens: int | None = option(
        None,
        "Maximum length of a generated answer. Default: that of the task, usually 256; mt_bench: 1024.",
        at_least=1,
    )
    seed: int | None = option(
        None,
        "Random seed of the choice of few-shot examples, and of sampling. Default: that of lm-evaluation-harness.",
        at_least=0,
    )
    chat: str = option("auto", "Apply the chat template; auto: if the model has one.", choices=("auto", "on", "off"))
    device: str = option("auto", "Device; auto: CUDA if available.", choices=("auto", "cpu", "cuda"))
    precision: str = option(
        "auto",
        "float32; bf16: float32 weights, bfloat16 arithmetic; bf16-pure: bfloat16 weights too. auto: bf16 on a GPU.",
        choices=("auto", "float32", "bf16", "bf16-pure"),
    )
    trust_remote_code: bool = option(False, "Run Python code that comes with the model. Only for models you trust.")
    generate: str | None = option(
        None,
        "Instead of tasks, answer a file of questions for a judge of your own, in FastChat's layout.",
        choices=QUESTION_SETS,
    )
    questions: str | None = option(
        None,
        "File of questions for --generate, in FastChat's layout: question_id, category and turns.",
        metavar="FILE",
    )
    sample: bool = option(
        False,
        "With --generate, sample at the temperature that FastChat uses for the category. Default: greedy decoding.",
    )

    def __post_init__(self) -> None:
        check(self)
        names = [ours(name.strip()) for text in self.tasks for name in text.split(",")]
        object.__setattr__(self, "tasks", tuple(dict.fromkeys(name for name in names if name)))
        if self.leaderboard and self.shots is not None:
            raise UsageError("--leaderboard and --shots both set the number of few-shot examples; give one of them")
        if self.generate and self.tasks:
            raise UsageError("--generate and --tasks exclude each other; run them one after the other")
        if bool(self.generate) != bool(self.questions):
            raise UsageError("--generate and --questions need each other: what to answer, and the file of questions")
        if self.sample and not self.generate:
            raise UsageError("--sample needs --generate: tasks are scored with greedy decoding")
