"""What a run is told: read from flags, a file and a preset, checked, and written back."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.train.config import OPTIONS, PRESETS, Config, combine, flag, from_mapping, load, save

CHOICES = [name for name, option in OPTIONS.items() if "choices" in option.metadata]
NUMBERS = [name for name, option in OPTIONS.items() if {"at_least", "at_most", "above"} & option.metadata.keys()]
KIND = {name: str(getattr(option.type, "__name__", option.type)) for name, option in OPTIONS.items()}


def toml(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, "utf-8")
    return path


def a_value(name: str) -> st.SearchStrategy[Any]:
    """A strategy for values that an option takes."""
    rules, kind = OPTIONS[name].metadata, KIND[name]
    if name == "data":
        return st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3)
    if "choices" in rules:
        return st.sampled_from(list(rules["choices"]))
    if kind == "bool":
        return st.booleans()
    if kind == "str":
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda text: text != "tiny")
    low = rules.get("at_least", rules.get("above"))
    if "int" in kind:
        return st.integers(-(2**40) if low is None else low, 2**40)
    high = rules.get("at_most")
    return st.floats(low, high, exclude_min="above" in rules, allow_nan=False, allow_infinity=False)


some_values = st.fixed_dictionaries(
    {"model": a_value("model")}, optional={name: a_value(name) for name in OPTIONS if name != "model"}
)


# From somewhere, and back


@given(values=some_values)
@settings(deadline=None, max_examples=40)
def test_what_is_saved_is_loaded_again(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    config = from_mapping(values, "here")
    path = tmp_path_factory.mktemp("run") / "config.toml"
    save(config, path)
    assert combine({"trust_remote_code": config.trust_remote_code}, path) == config
    assert from_mapping(load(path), "there") == config
    assert all(getattr(config, name) == value for name, value in values.items() if name != "data")


def test_what_has_no_value_is_left_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    save(Config(data=("a", "b"), sft_steps=0), path)
    told = load(path)
    assert told["data"] == ["a", "b"]
    assert told["sft_steps"] == 0
    assert "learning_rate" not in told
    assert set(told) == set(OPTIONS) - {"learning_rate", "sft_learning_rate"}


def test_text_of_any_script_is_saved(tmp_path: Path) -> None:
    config = Config(out='Läufe/"3"\n\\', data=("数据",))
    save(config, tmp_path / "config.toml")
    assert combine({}, tmp_path / "config.toml") == config


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    assert PRESETS["smaug"] == {"loss": "dpop", "beta": 0.3, "dpop_lambda": 50.0, "learning_rate": 5e-5, "steps": 1000}
    file = toml(tmp_path, 'beta = 0.2\nsteps = 7\nloss = "dpo"\nseed = 3\n')
    config = combine({"beta": 0.1, "loss": None, "keep": None}, file, "smaug")
    assert config == Config(beta=0.1, steps=7, loss="dpo", seed=3, learning_rate=5e-5, dpop_lambda=50.0)
    assert combine({}, file) == Config(beta=0.2, steps=7, loss="dpo", seed=3)
    assert combine({}, preset="smaug") == Config(**PRESETS["smaug"])
    assert combine({}) == Config()


def test_a_flag_of_zero_or_no_is_given_all_the_same(tmp_path: Path) -> None:
    file = toml(tmp_path, 'steps = 7\ncompile = true\nreference_dir = "there"\n')
    config = combine({"steps": 0, "compile": False, "reference_dir": ""}, file)
    assert (config.steps, config.compile, config.reference_dir) == (0, False, "")


def test_a_file_may_leave_to_a_flag_what_its_values_need(tmp_path: Path) -> None:
    """LoRA with the default model is refused, and the file alone has the default model."""
    file = toml(tmp_path, "lora = 8\n")
    assert combine({"model": "some/model"}, file) == Config(model="some/model", lora=8)
    with pytest.raises(UsageError, match="--lora"):
        combine({}, file)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configs(name: str) -> None:
    config = combine({}, preset=name)
    assert {key: getattr(config, key) for key in PRESETS[name]} == PRESETS[name]


def test_a_config_is_the_same_from_everywhere() -> None:
    config = Config(data=["a"], beta=1)  # type: ignore[arg-type]
    assert config.data == ("a",)
    assert config == Config(data=("a",), beta=1.0)
    with pytest.raises(FrozenInstanceError):
        config.beta = 2.0  # type: ignore[misc]


# What is refused


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"--preset smug: unknown; choose one of smaug"):
        combine({}, preset="smug")


def test_an_unknown_key_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    file = toml(tmp_path, "lamda = 50\n")
    for where, call in {
        str(file): lambda: combine({}, file),
        "the command line": lambda: combine({"lamda": 50}),
        "here": lambda: from_mapping({"lamda": 50}, "here"),
        "the call": lambda: Config().replaced(lamda=50),
    }.items():
        with pytest.raises(UsageError) as caught:
            call()
        assert str(caught.value).startswith(f"{where}: no option is called lamda; there are ")
        assert all(name in str(caught.value) for name in OPTIONS)


def test_a_table_in_a_file_is_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no option is called train"):
        combine({}, toml(tmp_path, "[train]\nbeta = 0.1\n"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"beta = ", "is no TOML"),
        (b"beta 0.1", "is no TOML"),
        (b"out = '\xff'", "is no TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        combine({}, path)
    assert str(path) in str(caught.value)


def wrong_types() -> list[tuple[str, Any]]:
    """Each option with a value of each type it does not take."""
    values: list[Any] = ["word", 3, 2.5, True, None, ["a"], {"a": 1}]
    takes: dict[str, tuple[type, ...]] = {
        "bool": (bool,),
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "int | None": (int, type(None)),
        "float | None": (int, float, type(None)),
        "tuple": (list,),
    }
    return [(name, value) for name in OPTIONS for value in values if type(value) not in takes[KIND[name]]]


@pytest.mark.parametrize(("name", "value"), wrong_types(), ids=str)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping({"model": "some/model", name: value}, "run.toml")
    assert str(caught.value).startswith(f"run.toml: {name} ")
    assert "has to be" in str(caught.value)


@pytest.mark.parametrize("value", [[1], ["a", 2], "folder"])
def test_data_is_a_list_of_folders(value: Any) -> None:
    with pytest.raises(UsageError, match="here: data has to be a list of folders"):
        from_mapping({"data": value}, "here")


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    assert combine({}, toml(tmp_path, "beta = 1\nlearning_rate = 1\n")) == Config(beta=1.0, learning_rate=1.0)


def out_of_range() -> list[tuple[str, Any, str]]:
    """Each option just outside of each of its bounds, and what is wanted."""
    found: list[tuple[str, Any, str]] = []
    for name in NUMBERS:
        rules = OPTIONS[name].metadata
        whole = "int" in KIND[name]
        if "at_least" in rules:
            low = rules["at_least"]
            found.append((name, low - 1 if whole else low - 1e-9, f"at least {low}"))
        if "at_most" in rules:
            found.append((name, rules["at_most"] + 1e-9, f"at most {rules['at_most']}"))
        if "above" in rules:
            found.append((name, rules["above"], f"above {rules['above']}"))
    return found


@pytest.mark.parametrize(("name", "value", "wanted"), out_of_range(), ids=str)
def test_a_number_out_of_range_is_refused_by_its_flag(name: str, value: Any, wanted: str) -> None:
    for call in (lambda: combine({name: value}), lambda: Config(**{name: value})):
        with pytest.raises(UsageError) as caught:
            call()
        assert str(caught.value) == f"{flag(name)} {value}: has to be {wanted}"


@pytest.mark.parametrize("name", NUMBERS)
def test_the_edge_of_the_range_is_taken(name: str) -> None:
    rules = OPTIONS[name].metadata
    for edge in {rules[rule] for rule in ("at_least", "at_most") if rule in rules}:
        assert getattr(Config(model="some/model").replaced(**{name: edge}), name) == edge


@pytest.mark.parametrize("name", [name for name in OPTIONS if "float" in KIND[name]])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"^{flag(name)} {value}: has to be a finite number$"):
        combine({name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_one_of_those_there_are(name: str) -> None:
    choices = OPTIONS[name].metadata["choices"]
    assert OPTIONS[name].default in choices
    for choice in choices:
        assert getattr(combine({name: choice}), name) == choice
    with pytest.raises(UsageError) as caught:
        combine({name: "nothing"})
    assert str(caught.value) == f"{flag(name)} nothing: has to be one of {', '.join(choices)}"


def test_every_number_and_choice_is_under_test() -> None:
    """All numbers have a range."""
    numeric = {name for name, kind in KIND.items() if "int" in kind or "float" in kind}
    assert numeric == set(NUMBERS)
    assert {"loss", "dpop_form", "schedule", "device", "precision", "report_to"} <= set(CHOICES)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_says_in_a_sentence_what_it_is(name: str) -> None:
    told = OPTIONS[name].metadata["help"]
    assert told[0].isupper() or told.startswith(("cpu", "float32"))
    assert told.endswith(".")
    assert flag(name).startswith("--")
    assert "_" not in flag(name)


def test_lora_needs_a_model_that_is_there() -> None:
    with pytest.raises(UsageError, match=r"--lora .* --model tiny"):
        Config(lora=8)
    assert Config(lora=8, model="some/model").lora == 8


# Defaults that depend on others, and what a run may change


@pytest.mark.parametrize(
    ("told", "rate", "sft_steps", "sft_rate"),
    [
        ({}, 2e-4, 300, 3e-3),
        ({"loss": "sft"}, 2e-4, 0, 3e-3),
        ({"model": "some/model"}, 5e-6, 0, 5e-6),
        ({"model": "some/model", "lora": 8}, 2e-4, 0, 2e-4),
        ({"learning_rate": 1e-5}, 1e-5, 300, 3e-3),
        ({"model": "some/model", "learning_rate": 1e-5}, 1e-5, 0, 1e-5),
        ({"sft_steps": 0, "sft_learning_rate": 1e-2}, 2e-4, 0, 1e-2),
        ({"loss": "sft", "sft_steps": 5}, 2e-4, 5, 3e-3),
        ({"model": "some/model", "sft_steps": 5, "sft_learning_rate": 1e-2}, 5e-6, 5, 1e-2),
    ],
    ids=str,
)
def test_defaults_that_depend_on_others(told: dict[str, Any], rate: float, sft_steps: int, sft_rate: float) -> None:
    config = Config(**told)
    resolved = config.resolved()
    assert (resolved.learning_rate, resolved.sft_steps, resolved.sft_learning_rate) == (rate, sft_steps, sft_rate)
    assert None not in asdict(resolved).values()
    assert resolved.resolved() == resolved
    rest = {"learning_rate", "sft_steps", "sft_learning_rate"}
    assert all(getattr(resolved, name) == getattr(config, name) for name in OPTIONS if name not in rest)


def test_a_copy_with_other_values_is_checked() -> None:
    config = Config(data=("a",))
    assert config.replaced(beta=0.5) == Config(data=("a",), beta=0.5)
    assert config.beta == 0.3
    with pytest.raises(UsageError, match="--beta"):
        config.replaced(beta=0.0)


def test_code_of_a_model_is_allowed_by_a_flag_alone(tmp_path: Path) -> None:
    file = toml(tmp_path, 'model = "theirs"\ntrust_remote_code = true\n')
    with pytest.raises(UsageError, match="takes the flag --trust-remote-code"):
        combine({}, file)
    assert combine({"trust_remote_code": True}, file).trust_remote_code


def test_what_a_run_may_change_is_not_fixed() -> None:
    fixed = Config(data=("a",)).fixed()
    free = {option.name for option in fields(Config)} - fixed.keys()
    assert {"steps", "epochs", "device", "micro_batch_size", "log_every", "save_every", "keep", "report_to"} <= free
    assert {"data", "model", "loss", "beta", "dpop_lambda", "batch_size", "seed", "lora", "schedule"} <= set(fixed)
    assert free == {name for name, option in OPTIONS.items() if option.metadata.get("free")}
    assert fixed["data"] == ("a",)
    one, other = Config(steps=5, device="cpu"), Config(steps=9, keep=4)
    assert one != other
    assert one.fixed() == other.fixed()
    assert one.fixed() != Config(seed=1).fixed()


def test_reading_a_config_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pairgen.train.config import Config, combine; combine({}, preset='smaug').resolved(); "
        "print([name for name in ('torch', 'transformers', 'numpy', 'pyarrow', 'datasets') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
