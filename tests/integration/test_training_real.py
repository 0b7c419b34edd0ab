"""A real LLaMA-Factory on a tiny model: the seed's recipe, an interruption, a full disk, what is refused beforehand."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llama_index_medqa.errors import InputError, StorageError
from llama_index_medqa.llms.adapter_manifest import LoraSettings, check_adapter
from tests.conftest import REPOSITORY
from tests.doubles.lora_models import ALL_PROJECTIONS, make_mistral
from training.dataset import CHOSEN, Item, read_dataset, write_chosen
from training.parity import Encoder, ServedPrompts, check_parity
from training.recipe import Recipe, read_recipe
from training.run import DATA, Plan, make_plan, planned_steps, run
from training.trainer import loss_curve, start_or_resume, train

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        importlib.util.find_spec("llamafactory") is None, reason="needs LLaMA-Factory: run `make test-integration`"
    ),
]

# Items 16, three epochs of two steps of eight.
STEPS = 6
TITLES = ["Green tea", "Short sleep", "Magnet bracelets", "Walking"]
EFFECTS = ["blood pressure", "resting heart rate", "joint pain", "body weight"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mistral(tmp_path_factory.mktemp("base") / "tiny-mistral")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def write_data(folder: Path, **changes: Any) -> Path:
    """Sixteen invented papers in the form of `data_tools sft`."""
    rows = [
        {
            "instruction": "Write the abstract of the medical paper that has this title.",
            "input": f"{cause} and {effect}.",
            "output": f"We asked 96 adults. {cause} lowered {effect} by a tenth compared with usual care.",
        }
        for cause in TITLES
        for effect in EFFECTS
    ]
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    information = {"medqa_seed_train": {"file_name": file.name, "formatting": "alpaca"}}
    (folder / "dataset_info.json").write_text(json.dumps(information))
    manifest = {
        "outputs": [{"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}],
        "evaluation_sets": [{"name": "pubmedqa.jsonl"}],
        "prompt": None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def words(base: Path, data: Path, out: Path, *more: str) -> list[str]:
    return [f"model_name_or_path={base}", f"dataset_dir={data}", f"output_dir={out}", *more]


def tiny(base: Path, data: Path, out: Path, *more: str) -> Recipe:
    return read_recipe("tiny", words(base, data, out, *more))


def quiet(_: object) -> None:
    pass


def trained(recipe: Recipe) -> tuple[Plan, list[int]]:
    steps: list[int] = []
    plan = make_plan(recipe)
    run(plan, lambda reached: steps.append(reached.step), quiet)
    return plan, steps


@pytest.fixture(scope="module")
def undisturbed(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "adapter"
    plan, steps = trained(tiny(base, data, out))
    assert plan.steps == STEPS
    assert plan.compared == 16
    assert steps[-1] == STEPS
    return out


def test_the_seeds_recipe_trains_all_seven_projections_and_the_loss_falls(undisturbed, base, data):
    manifest = check_adapter(undisturbed)
    assert manifest.lora == LoraSettings(r=8, lora_alpha=16, target_modules=tuple(sorted(ALL_PROJECTIONS)))
    assert (manifest.base_model, manifest.prompt_format) == ("tiny-mistral", "mistral")
    training = manifest.training
    assert (training.recipe, training.samples, training.steps, training.epochs) == ("tiny", 16, STEPS, 3.0)
    assert training.data_sha256 == hashlib.sha256((data / "train.jsonl").read_bytes()).hexdigest()
    losses = [point.loss for point in training.loss_curve]
    assert len(losses) == STEPS
    assert losses[-1] < 0.8 * losses[0]
    assert training.samples_per_second > 0


def test_what_an_adapters_folder_holds(undisturbed):
    names = {path.name for path in undisturbed.iterdir()}
    assert names == {
        "adapter_config.json", "adapter_model.safetensors", "adapter_manifest.json", "loss.csv", "loss.png",
        "README.md", "run",
    }  # fmt: skip
    lines = (undisturbed / "loss.csv").read_text().splitlines()
    assert lines[0] == "step,loss"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, STEPS + 1))
    assert (undisturbed / "loss.png").read_bytes().startswith(b"\x89PNG")
    everything = "".join(path.read_text() for path in undisturbed.iterdir() if path.suffix in (".json", ".md"))
    # Where files lie on this machine is nobody's business.
    assert "/" + str(undisturbed).split("/")[1] + "/" not in everything


def test_the_adapter_loads_in_peft_and_has_learnt_the_answers(undisturbed, base, data):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(plain, undisturbed).eval()
    changed = {name.split(".")[-4] for name, value in adapted.named_parameters() if "lora_B" in name and value.any()}
    assert changed == set(ALL_PROJECTIONS)
    row = json.loads((data / "train.jsonl").read_text().splitlines()[0])
    text = f"[INST] {row['instruction']}\n{row['input']}[/INST] {row['output']}"
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        with_adapter = adapted(ids, labels=ids).loss.item()
        with adapted.disable_adapter():
            without = adapted(ids, labels=ids).loss.item()
    assert with_adapter < without


def test_a_killed_run_goes_on_to_the_same_number_of_steps(undisturbed, base, data, tmp_path):
    out = tmp_path / "adapter"
    command = [sys.executable, "-m", "training", "run", "tiny"]
    for word in words(base, data, out):
        command += ["--set", word]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 400
    while not list(out.glob("run/checkpoint-*/trainer_state.json")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # Its trainer ends with it.
    process.kill()
    process.wait()
    assert not (out / "adapter_manifest.json").exists()
    # As if the next checkpoint had been interrupted.
    (out / "run" / "checkpoint-99").mkdir()

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Going on from step" in done.stderr
    resumed, whole = check_adapter(out).training, check_adapter(undisturbed).training
    assert (resumed.steps, resumed.epochs) == (whole.steps, whole.epochs)
    assert [point.step for point in resumed.loss_curve] == [point.step for point in whole.loss_curve]
    # The same items in the same order: the same losses as the run that nobody disturbed.
    assert [point.loss for point in resumed.loss_curve] == pytest.approx([p.loss for p in whole.loss_curve], rel=1e-3)
    with pytest.raises(InputError, match="holds a trained adapter already"):
        make_plan(tiny(base, data, out))


def test_a_full_disk_at_a_checkpoint_is_one_line(base, data, tmp_path):
    plan = make_plan(tiny(base, data, tmp_path / "adapter", "num_train_epochs=30.0", "save_steps=60"))
    folder = plan.recipe.run_dir
    start = start_or_resume(folder, plan.arguments, plan.dataset.sha256)
    write_chosen(plan.items, folder / DATA)

    def fill_the_disk(_: object) -> None:
        # Every write to this device fails as one to a full disk does.
        checkpoint = folder / "checkpoint-60"
        if not checkpoint.exists():
            checkpoint.mkdir()
            (checkpoint / "optimizer.pt").symlink_to("/dev/full")

    with pytest.raises(StorageError, match=r"The disk of .* is full .*again: it goes on from step 0"):
        train(folder, plan.arguments, start, fill_the_disk)
    # Space was made.
    assert start_or_resume(folder, plan.arguments, plan.dataset.sha256) == 0
    train(folder, plan.arguments, 0, quiet)
    assert loss_curve(folder)[-1][0] == 60


def test_the_templates_that_serving_knows_are_told_from_those_it_does_not(base, data):
    items = read_dataset(data, "medqa_seed_train", tiny(base, data, data).template).items

    def compared(template: str, prompt_format: str) -> int:
        arguments = {"model_name_or_path": str(base), "template": template, "dataset": CHOSEN, "stage": "sft"}
        encoder = Encoder(arguments | {"do_train": True, "output_dir": str(data / "none"), "use_cpu": True})
        return check_parity(encoder, ServedPrompts(str(base), prompt_format), items, template)

    assert compared("mistral", "mistral") == 16
    with pytest.raises(InputError, match=r"'alpaca' gives LLaMA-Factory other tokens than .*: from token 0"):
        compared("alpaca", "alpaca")
    with pytest.raises(InputError, match=r"other tokens than the server sees"):
        compared("mistral", "plain")
    with pytest.raises(InputError, match="has no chat template"):
        compared("mistral", "chat")


def test_a_prompt_that_the_server_would_end_elsewhere_is_refused(base, data):
    arguments = {"model_name_or_path": str(base), "template": "empty", "dataset": CHOSEN, "stage": "sft"}
    encoder = Encoder(arguments | {"do_train": True, "output_dir": str(data / "none"), "use_cpu": True})

    class WithoutBos(ServedPrompts):
        """LLaMA-Factory's template 'empty' begins without <s>; what is looked at here is the end."""

        def encode(self, prompt: str) -> tuple[int, ...]:
            return super().encode(prompt)[1:]

    with pytest.raises(InputError, match=r"the server stops at '</s>': it would not stop"):
        check_parity(encoder, WithoutBos(str(base), "plain"), [Item("Why?", "So.")], "empty")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["learning_rat=1"], "LLaMA-Factory does not accept the recipe: .*learning_rat"),
        (["lora_target=q_proj,wq"], "has no layers wq"),
        (["cutoff_len=8", "items_over_cutoff=leave out"], "All 16 items have more tokens than cutoff_len"),
        (["model_name_or_path=/nowhere/model"], "The base model /nowhere/model is unknown"),
        (["model_name_or_path=nobody/nothing"], "The base model nobody/nothing cannot be read"),
        (["dataset=other"], "names no data set other, only: medqa_seed_train"),
        (["prompt=grounded-answer"], "which is not the recipe's prompt"),
    ],
)
def test_what_is_refused_before_anything_is_trained(base, data, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        make_plan(tiny(base, data, tmp_path / "adapter", *changes))
    assert not (tmp_path / "adapter" / "run" / "llamafactory.log").exists()


def test_cut_items_are_told(base, data, tmp_path):
    plan = make_plan(tiny(base, data, tmp_path / "adapter", "cutoff_len=48"))
    assert any("are cut, so that their end is not learnt" in warning for warning in plan.warnings)


def test_data_that_were_not_checked_against_evaluation_sets_are_refused(base, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(InputError, match="may hold items that adapters are evaluated on"):
        make_plan(tiny(base, write_data(data, evaluation_sets=[]), tmp_path / "adapter"))


def test_the_seeds_items_give_the_seeds_steps():
    assert planned_steps(dict(read_recipe("mistral7b_seed").arguments), items=2496) == 936
