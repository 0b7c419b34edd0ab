"""Recipes, the data that they name, and what can be known before LLaMA-Factory is asked."""

import hashlib
import json
from pathlib import Path

import pytest
from llama_index.core.prompts import PromptTemplate
from typer.testing import CliRunner

from llama_index_medqa.errors import InputError
from llama_index_medqa.prompts import GROUNDED_ANSWER, TITLE_TO_ABSTRACT, template_hash
from tests.doubles.lora_models import ALL_PROJECTIONS
from training.__main__ import app
from training.dataset import choose, read_dataset, write_chosen
from training.recipe import RECIPES, base_name, read_recipe, resolve_base, single_process, trainer_arguments
from training.run import planned_steps

NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_trains_the_seeds_adapter(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.lora_target == tuple(ALL_PROJECTIONS)
    assert (recipe.arguments["lora_rank"], recipe.arguments["lora_alpha"]) == (8, 16)
    assert recipe.prompt_hash == template_hash(recipe.template, recipe.prompt_format)


# 2,496 items, 3 epochs and 936 steps are the seed's own figures: 2,496 * 3 / 936 = 8 items a step.
def test_the_seeds_items_give_the_seeds_steps():
    arguments = dict(read_recipe("mistral7b_seed").arguments)
    assert planned_steps(arguments, items=2496) == 936
    # Two GPUs take two batches a step.
    assert planned_steps(arguments | {"gradient_accumulation_steps": 2}, items=2496, devices=2) == 936


@pytest.mark.parametrize(
    ("arguments", "items", "steps"),
    [
        ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_train_epochs": 1.0}, 600, 75),
        ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_train_epochs": 1.0}, 601, 76),
        ({"per_device_train_batch_size": 4, "num_train_epochs": 0.5}, 20, 3),
        ({"max_steps": 7, "num_train_epochs": 3.0}, 600, 7),
        ({"neat_packing": True}, 600, None),
    ],
)
def test_steps(arguments, items, steps):
    assert planned_steps(arguments, items) == steps


def test_values_given_on_the_command_line_win():
    recipe = read_recipe("tiny", ["learning_rate=2.0e-4", "items_over_cutoff=leave out", "output_dir=~/x"])
    assert recipe.arguments["learning_rate"] == 2e-4
    assert recipe.items_over_cutoff == "leave out"
    assert recipe.run_dir == Path("~/x/run").expanduser()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("learning_rate", "is not key=value"),
        ("prompt=poem", "says prompt: poem. Choose grounded-answer, title-to-abstract"),
        ("prompt_format=llama", "says prompt_format: llama. Choose plain, alpaca, mistral, chat"),
        ("items_over_cutoff=drop", "says items_over_cutoff: drop. Choose cut, leave out"),
        ("finetuning_type=full", "says finetuning_type: full. Choose lora"),
        ("template=", "does not say template"),
        ("overwrite_output_dir=true", "says overwrite_output_dir, which is not supported: an interrupted run goes on"),
        ("output_dir=[", "is not YAML"),
    ],
)
def test_values_that_cannot_be(word, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_recipe("tiny", [word])


def test_recipes_that_are_not_there_or_not_flat(tmp_path):
    with pytest.raises(InputError, match=r"There is no recipe .*nothing.yaml .*mistral7b_seed, .*tiny"):
        read_recipe("nothing")
    nested = tmp_path / "nested.yaml"
    nested.write_text("model:\n  name: x\n")
    with pytest.raises(InputError, match="it must be flat"):
        read_recipe(str(nested))


def test_what_llamafactory_is_given(tmp_path):
    recipe = read_recipe("mistral7b_grounded_fsdp", ["output_dir=x", "max_samples=3"])
    given = trainer_arguments(recipe, "org/model", tmp_path, "chosen")
    assert {"prompt", "prompt_format", "items_over_cutoff", "max_samples"}.isdisjoint(given)
    assert (given["dataset"], given["dataset_dir"], given["output_dir"]) == ("chosen", str(tmp_path), "x/run")
    assert json.loads(Path(given["fsdp_config"]).read_text())["transformer_layer_cls_to_wrap"] == [
        "MistralDecoderLayer"
    ]
    assert {"fsdp", "fsdp_config"}.isdisjoint(single_process(given))
    deepspeed = trainer_arguments(read_recipe("mistral7b_grounded_deepspeed"), "org/model", tmp_path, "chosen")
    assert json.loads(Path(deepspeed["deepspeed"]).read_text())["zero_optimization"]["stage"] == 3


def test_the_base_model(tmp_path):
    assert resolve_base("mistralai/Mistral-7B-v0.1") == base_name("mistralai/Mistral-7B-v0.1")
    with pytest.raises(InputError, match=r"mistral-7b is unknown: neither a folder, nor a hub id"):
        resolve_base("mistral-7b")
    with pytest.raises(InputError, match="not a model folder"):
        resolve_base(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert resolve_base(str(tmp_path)) == str(tmp_path)
    assert base_name(str(tmp_path)) == tmp_path.name


def make_data(folder: Path, rows: list[dict[str, object]], **changes: object) -> Path:
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "dataset_info.json").write_text(json.dumps({"set": {"file_name": "train.jsonl"}}))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest = {"outputs": [{"name": file.name, "sha256": digest}], "evaluation_sets": [{"name": "x"}], "prompt": None}
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


TITLE = {
    "instruction": "Write the abstract of the medical paper that has this title.", "input": "Tea.", "output": "Warm.",
}  # fmt: skip


def test_a_data_set_is_read_as_llamafactory_joins_it(tmp_path):
    without = [TITLE | {"output": " "}, TITLE | {"output": None}, {"output": "Warm."}]
    data = read_dataset(make_data(tmp_path, [TITLE, *without]), "set", TITLE_TO_ABSTRACT)
    [item] = data.items
    assert item.prompt == "Write the abstract of the medical paper that has this title.\nTea."
    assert item.answer == "Warm."
    assert data.rejected == {"without an answer": 2, "without a prompt": 1}
    assert data.sha256 == hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()


def test_prompts_over_several_lines_fit_the_grounded_template(tmp_path):
    prompt = GROUNDED_ANSWER.format(context_str="[PMID:1] Tea.\nWarm.\n\n[PMID:2] Milk.", query_str="Is tea warm?")
    row = {"instruction": prompt, "input": "", "output": "Warm [PMID:1]."}
    made = {"version": "grounded-answer/1", "hash": template_hash(GROUNDED_ANSWER)}
    assert read_dataset(make_data(tmp_path, [row], prompt=made), "set", GROUNDED_ANSWER).items[0].prompt == prompt
    with pytest.raises(InputError, match="was made with the prompt grounded-answer/1"):
        read_dataset(tmp_path, "set", PromptTemplate("{context_str}{query_str}"))


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([], {}, "No item of .* can be trained on: there are none"),
        ([TITLE | {"output": ""}] * 2, {}, "No item of .* can be trained on: 2 without an answer"),
        ([TITLE], {"evaluation_sets": []}, "may hold items that adapters are evaluated on"),
        ([TITLE], {"outputs": [{"name": "train.jsonl", "sha256": "0" * 64}]}, "is not what its manifest says"),
        ([TITLE], {"outputs": []}, "the manifest has None"),
        ([TITLE, TITLE | {"instruction": "Sing."}], {}, "Item 2 of .* asks 'Sing"),
    ],
)
def test_data_that_cannot_be_trained_on(tmp_path, rows, changes, message):
    with pytest.raises(InputError, match=message):
        read_dataset(make_data(tmp_path, rows, **changes), "set", TITLE_TO_ABSTRACT)


def test_files_of_data_that_are_missing_or_broken(tmp_path):
    with pytest.raises(InputError, match=r"dataset_info.json cannot be read \(No such file"):
        read_dataset(tmp_path, "set", TITLE_TO_ABSTRACT)
    make_data(tmp_path, [TITLE])
    (tmp_path / "manifest.json").write_text("[")
    with pytest.raises(InputError, match=r"manifest.json is not JSON"):
        read_dataset(tmp_path, "set", TITLE_TO_ABSTRACT)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"set": {"file_name": "x", "formatting": "sharegpt"}}))
    with pytest.raises(InputError, match="of the form sharegpt, not alpaca"):
        read_dataset(tmp_path, "set", TITLE_TO_ABSTRACT)


def test_which_items_are_chosen():
    lengths = [10, 50, 30, 20, 40]
    assert choose(lengths, None, None, 0) == [0, 1, 2, 3, 4]
    assert choose(lengths, 30, None, 0) == [0, 2, 3]
    drawn = choose(lengths, 40, 2, 0)
    assert len(drawn) == 2
    assert drawn == sorted(drawn)
    assert set(drawn) < {0, 2, 3, 4}
    assert drawn == choose(lengths, 40, 2, 0)
    assert any(choose(lengths, 40, 2, seed) != drawn for seed in range(1, 9))
    with pytest.raises(InputError, match=r"All 5 items have more tokens than cutoff_len \(9\); the shortest has 10"):
        choose(lengths, 9, None, 0)


def test_chosen_items_are_read_back_as_they_were(tmp_path):
    items = read_dataset(make_data(tmp_path, [TITLE]), "set", TITLE_TO_ABSTRACT).items
    write_chosen(items, tmp_path / "chosen")
    row = json.loads((tmp_path / "chosen" / "chosen.jsonl").read_text())
    assert row == {"instruction": items[0].prompt, "input": "", "output": "Warm."}


def test_an_error_is_one_line_on_the_command_line():
    result = CliRunner().invoke(app, ["run", "nothing"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: There is no recipe")
