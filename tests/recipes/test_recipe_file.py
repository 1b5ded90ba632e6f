"""Recipes as files: what is refused, with file and key, and that the recipes of the package are valid."""

from pathlib import Path

import pytest
from helpers.small_recipes import SMALL, write

from pairgen.errors import UsageError
from pairgen.recipes import RECIPES
from pairgen.recipes.arrangement import arrange
from pairgen.recipes.options import RecipeOptions
from pairgen.recipes.recipe_file import find


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_the_package_are_valid_in_every_variant(name: str) -> None:
    recipe = find(name)
    assert recipe.about
    assert all(layer.about for layer in [*recipe.variants.values(), *recipe.scales.values()])
    for variant in recipe.variants:
        for scale in ("small", "full"):
            found = arrange(name, RecipeOptions(variant=variant, scale=scale))
            assert not found.left_out
            assert [stage.name for stage in found.stages if stage.kind == "train"][
                -len(recipe.variants[variant].run) :
            ] == [*recipe.variants[variant].run]


def test_smaug_has_the_settings_of_the_paper() -> None:
    """Section 6.1: beta 0.3, lambda 50, learning rate 5e-5, 1,000 steps for each of five DPOP routines, then DPO."""
    stages = {stage.name: stage for stage in arrange("smaug", RecipeOptions(variant="34b", scale="full")).stages}
    trained = [stage for stage in stages.values() if stage.kind == "train"]
    assert [stage.options["loss"] for stage in trained] == ["sft", *["dpop"] * 5, "dpo"]
    for stage in trained[1:6]:
        named = {key: stage.options[key] for key in ("beta", "dpop_lambda", "learning_rate", "steps")}
        assert named == {"beta": 0.3, "dpop_lambda": 50, "learning_rate": 5e-5, "steps": 1000}
    assert stages["metamath-pairs"].options["eval_size"] == 1000
    assert trained[0].model == "jondurbin/bagel-34b-v0.2"
    hub = {source for stage in stages.values() for source in stage.options.get("source", ())}
    assert hub == {
        "meta-math/MetaMathQA",
        "shahules786/orca-chat",
        "anon8231489123/ShareGPT_Vicuna_unfiltered",
        "allenai/ai2_arc",
        "Rowan/hellaswag",
        "Intel/orca_dpo_pairs",
        "allenai/ultrafeedback_binarized_cleaned",
        "jondurbin/truthy-dpo-v0.1",
    }
    both = [
        stage for stage in arrange("smaug", RecipeOptions(variant="7b", scale="full")).stages if stage.kind == "train"
    ]
    assert [(stage.options["loss"], stage.options["steps"]) for stage in both] == [("dpop", 2000), ("dpo", 2000)]
    assert {stage.model for stage in both} == {"meta-llama/Llama-2-7b-chat-hf"}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("eval_size = 8", "evalsize = 8", r"stages\.wrong: unknown key evalsize; available: dataset, source"),
        ("eval_size = 8", "eval_size = -1", r"stages\.wrong: eval_size must be at least 0, got -1"),
        ("eval_size = 8", 'layout = "trl"', r"stages\.wrong: unknown key layout"),
        ('dataset = "metamath"\n', "", r"stages\.wrong\.dataset: missing; name the dataset"),
        ('loss = "dpo"', 'loss = "dpoo"', r"stages\.dpo: loss must be one of dpop, dpo"),
        ('loss = "dpo"', 'model = "./tuned"', r"stages\.dpo\.model: .*tuned.*: no such"),
        ('kind = "import"', 'kind = "export"', r"stages\.lies\.kind: must be one of .*, got 'export'"),
        ('kind = "import"\n', "", r"stages\.lies\.kind: must be one of build, import, sft-data, mix, train$"),
        ('data = ["lies"]', 'data = ["lie"]', r"stages\.dpo\.data: there is no stage 'lie'; did you mean lies\?"),
        (
            'data = ["lies"]',
            'data = ["dpop"]',
            r"stages\.dpo\.data: dpop is a stage of kind train; name one of kind build",
        ),
        ('data = ["lies"]', 'data = "lies"', r"stages\.dpo: data must be a list of texts"),
        ('data = ["lies"]\n', "", r"stages\.dpo\.data: missing; name the data stages"),
        ('data = ["chat", "solutions"]', 'data = ["chat", "texts"]', r"stages\.texts: .* in a circle: texts -> texts$"),
        ('title = "Two stages"', 'titel = "Two"', r"titel: unknown key; available: title, about"),
        ('title = "Two stages"', "title = 2", r"title: must be a text, got 2"),
        ("[train]", "[trains]", r"trains: unknown key"),
        ("shots = 0", "shoots = 0", r"eval: unknown key shoots; available: tasks, source, shots"),
        (
            "[eval]",
            "[scales.big.stages.liars]\nseed = 1\n[eval]",
            r"scales\.big\.stages: there is no stage 'liars'; did",
        ),
        ("[eval]", "[scales.big]\nrun = []\n[eval]", r"scales\.big\.run: unknown key"),
        ("[eval]", '[scales.big]\nhub = "no"\n[eval]', r"scales\.big\.hub: must be true or false"),
        ("[eval]", '[variants.a]\nrun = ["wrong"]\n[eval]', r"variants\.a\.run: wrong is a stage of kind build"),
        ("[eval]", '[variants.a]\nrun = "dpo"\n[eval]', r"variants\.a\.run: must be a list of texts"),
        ('source = ["sample:metamath:30"]', "", r"stages\.solutions\.source: missing; name the rows to sft-data"),
        ('["sample:metamath:30"]', '["gone.jsonl"]', r"stages\.solutions\.source: gone\.jsonl: no such file or folder"),
        ("[stages.chat]", "[stages.chat", r"invalid TOML"),
        ('loss = "sft"', 'loss = "sft"\nlora = 4', r"stages\.tune: --lora needs a pretrained model"),
        ("[stages.lies]", '[stages."../lies"]', r"stages\.'\.\./lies': a name has letters, digits"),
        ("[stages.lies]", '[stages.".lies"]', r"stages\.'\.lies': a name has"),
        ("[eval]", '[scales."a/b"]\n[eval]', r"scales\.'a/b': a name has"),
        pytest.param(
            '"lies", "arc"]',
            '"lis", "arc"]',
            r"eval\.tasks: there is no 'lis'; did you mean lies\?",
            marks=pytest.mark.slow,  # lists all tasks of the harness
        ),
        ('"lies", "arc"]', '"chat", "arc"]', r"eval\.tasks: the stage chat makes texts, not pairs"),
        ('"lies", "arc"]', '"texts", "arc"]', r"eval\.tasks: the stage texts makes texts, not pairs"),
        ('"lies", "arc"]', '"dpo", "arc"]', r"eval\.tasks: the stage dpo makes a model, not pairs"),
        ("[eval]", '[scales.a]\nmodel = "wrong"\n[eval]', r"scales\.a\.model: wrong is a stage of kind build"),
        ('dataset = "metamath"', 'dataset = "metamth"', r"stages\.wrong\.dataset: .* did you mean metamath\?"),
        ('kind = "import"', 'kind = "import"\nlayout = "orka"', r"stages\.lies\.layout: .*did you mean orca\?"),
        ("eval_size = 8", 'prompt_style = "no.jinja"', r"stages\.wrong\.prompt_style: there is no 'no\.jinja'"),
        ('"arc=sample:12"', '"arc=gone.jsonl"', r"eval\.source: arc=gone\.jsonl: no such file or folder"),
        (
            '["sample:metamath:30"]',
            '["train=-"]',
            r"solutions\.source: train=-: .* cannot come from stdin; give a file",
        ),
        ('["sample:metamath:30"]', '["samples.jsonl"]', r"solutions\.source: samples\.jsonl: no such file or folder"),
        ('["sample:metamath:30"]', '["part-*.jsonl"]', r"solutions\.source: part-\*\.jsonl: no file matches"),
        ("shots = 0", "shots = 0\nleaderboard = true", r"eval: --leaderboard and --shots both set the number"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(before: str, after: str, message: str, tmp_path: Path) -> None:
    assert before in SMALL
    file = write(tmp_path, SMALL.replace(before, after, 1))
    with pytest.raises(Exception, match=message) as found:
        arrange(file, RecipeOptions())
    assert type(found.value).__module__ == "pairgen.errors"
    assert file in str(found.value)
    assert "\n" not in str(found.value)


def test_models_in_a_circle(tmp_path: Path) -> None:
    text = SMALL.replace('model = "tiny"', 'model = "dpop"', 1)
    with pytest.raises(UsageError, match="need one another in a circle: tune -> dpop -> tune"):
        arrange(write(tmp_path, text), RecipeOptions())


def test_no_such_recipe_variant_scale_or_stage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run smug: no such recipe; did you mean smaug\?"):
        find("smug")
    with pytest.raises(UsageError, match=r"run other\.toml: no such recipe; available: smaug, or a TOML file"):
        find("other.toml")
    for option, known in (("scale", "small, real, full"), ("variant", "34b, 72b, 7b")):
        with pytest.raises(UsageError, match=f"--{option} big: smaug has no such {option}; available: {known}"):
            arrange("smaug", RecipeOptions(**{option: "big"}))
    with pytest.raises(UsageError, match="--variant a: small has no such variant; available: none"):
        arrange(write(tmp_path), RecipeOptions(variant="a"))
    with pytest.raises(
        UsageError, match=r"--source lie=...: small has no such data stage or task; did you mean lies\?"
    ):
        arrange(write(tmp_path), RecipeOptions(source=("lie=x",)))
    with pytest.raises(UsageError, match="--source lies: write NAME=SOURCE"):
        RecipeOptions(source=("lies",))
    with pytest.raises(UsageError, match="--launch 'a: No closing quotation"):
        RecipeOptions(launch="'a")
