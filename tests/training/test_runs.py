"""A run's folder, its log and failures, its memory, and what is written when it ended; without LLaMA-Factory."""

import json
import sys
from pathlib import Path

import pytest

from llama_index_medqa.errors import InputError, MissingExtraError, StorageError
from llama_index_medqa.llms.adapter_manifest import LossPoint, TrainingRun
from tests.doubles.lora_models import ALL_PROJECTIONS, make_mistral
from training.commands import describe
from training.export import gguf_command
from training.outcome import model_card, smoothed
from training.parity import Encoder
from training.recipe import read_recipe
from training.resources import Memory, Shape, check_disk, check_memory, memory_needed, shape_of
from training.trainer import Progress, TrainingError, _failure, _progress, loss_curve, read_log, start_or_resume

ARGUMENTS = {"learning_rate": 0.1, "dataset": "chosen"}


def checkpoint(run: Path, step: int, state: str | None = "{}") -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"x")
    if state is not None:
        (folder / "trainer_state.json").write_text(state)
    return folder


def test_a_new_run_starts_at_zero_and_goes_on_from_the_last_whole_checkpoint(tmp_path):
    run = tmp_path / "run"
    assert start_or_resume(run, ARGUMENTS, "a" * 64) == 0
    checkpoint(run, 5)
    whole = checkpoint(run, 10)
    half, unwritten = checkpoint(run, 15, state='{"epoch": 1'), checkpoint(run, 20, state=None)
    assert start_or_resume(run, ARGUMENTS, "a" * 64) == 10
    # LLaMA-Factory takes the newest.
    assert whole.exists()
    assert not half.exists()
    assert not unwritten.exists()


def test_a_run_with_other_settings_or_data_is_not_gone_on_with(tmp_path):
    start_or_resume(tmp_path, ARGUMENTS, "a" * 64)
    with pytest.raises(InputError, match=r"other settings \(learning_rate: 0.1, now 0.2\)"):
        start_or_resume(tmp_path, ARGUMENTS | {"learning_rate": 0.2}, "a" * 64)
    with pytest.raises(InputError, match="data_sha256: aaa"):
        start_or_resume(tmp_path, ARGUMENTS, "b" * 64)


def test_the_log_is_read_while_it_is_written(tmp_path):
    log = tmp_path / "trainer_log.jsonl"
    assert read_log(log) == []
    log.write_text('{"current_steps": 1, "total_steps": 4, "loss": 2.5}\n{"current_steps": 2, "to')
    assert [point["current_steps"] for point in read_log(log)] == [1]


def test_steps_that_were_made_again_count_once(tmp_path):
    points = [(1, 3.0), (2, 2.0), (3, 1.5), (2, 2.1), (3, 1.6), (4, 1.0)]
    lines = [{"current_steps": step, "total_steps": 4, "loss": loss} for step, loss in points]
    lines.append({"current_steps": 4, "total_steps": 4})
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert loss_curve(tmp_path) == [(1, 3.0), (2, 2.1), (3, 1.6), (4, 1.0)]


def test_progress_counts_from_where_this_process_began():
    # It began at step 10 at second 100; ten seconds later it has made five more.
    reached = _progress({"current_steps": 15, "total_steps": 25, "loss": 1.25}, (10, 100.0), 110.0)
    assert reached == Progress(15, 25, 1.25, 0.5, 20.0)
    assert describe(reached) == "loss 1.250, 30.0 steps/min, 0:20 left"
    assert describe(_progress({"current_steps": 10, "total_steps": 25}, (10, 100.0), 100.0)) == ""


# What Python 3.11, safetensors 0.8 and torch 2.13 printed when a file system of 100 kB was full.
FULL = [
    "OSError: [Errno 28] No space left on device",
    "_safetensors_rust.SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)",
    "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598",
]


@pytest.mark.parametrize("line", FULL)
def test_a_full_disk_is_told_with_where_to_go_on(tmp_path, line):
    checkpoint(tmp_path, 30)
    checkpoint(tmp_path, 40, state=None)
    error = _failure(1, ["Traceback (most recent call last):\n", f"{line}\n", "\n"], tmp_path)
    assert isinstance(error, StorageError)
    assert "is full" in str(error)
    assert str(error).endswith("Run the same command again: it goes on from step 30.")


def test_other_failures_are_told_in_the_trainers_own_words(tmp_path):
    error = _failure(1, ["Loading\n", "ValueError: Undefined dataset x.\n", "bye\n"], tmp_path)
    assert isinstance(error, TrainingError)
    assert "LLaMA-Factory ended with status 1: ValueError: Undefined dataset x. Its output is in" in str(error)
    assert "ran out of memory" in str(_failure(1, ["torch.OutOfMemoryError: CUDA out of memory.\n"], tmp_path))
    # A shell's and the guard's number of a signal: 256 - 9, 256 - 15.
    assert "was killed (status 247)" in str(_failure(247, [], tmp_path))
    assert "was ended by signal 15. Run the same" in str(_failure(241, ["3/75 [03:55<1:34:40, 78.90s/it]\n"], tmp_path))
    assert "it said nothing" in str(_failure(2, [], tmp_path))


@pytest.fixture(scope="module")
def mistral(tmp_path_factory) -> str:
    return str(make_mistral(tmp_path_factory.mktemp("mistral")))


def test_the_shape_of_a_model_is_that_of_the_model_itself(mistral):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    shape = shape_of(mistral, 8, tuple(ALL_PROJECTIONS))
    model = AutoModelForCausalLM.from_pretrained(mistral, dtype=torch.float32)
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    adapted = get_peft_model(model, LoraConfig(r=8, target_modules=ALL_PROJECTIONS))
    assert shape.trained == adapted.get_nb_trainable_parameters()[0]
    assert (shape.layers, shape.hidden) == (2, 128)
    with pytest.raises(InputError, match="has no layers c_attn"):
        shape_of(mistral, 8, ("c_attn",))


# By hand: 1,000 weights of 2 bytes; 10 trained of 16; two items of 5 tokens: per layer 10 * 4 * 34 bytes, two layers,
# and 10 * 100 logits of 12 bytes.
def test_the_memory_estimate():
    shape = Shape(parameters=1000, trained=10, layers=2, hidden=4, vocabulary=100)
    arguments = {
        "per_device_train_batch_size": 2, "cutoff_len": 8, "bf16": True, "disable_gradient_checkpointing": True,
    }  # fmt: skip
    assert memory_needed(shape, arguments, longest=5) == Memory(2000, 160, 2 * 1360 + 12_000)
    # Checkpointed, the layers' inputs stay, and one layer is computed again.
    fewer = memory_needed(shape, arguments | {"disable_gradient_checkpointing": False}, longest=5)
    assert fewer.activations == 2 * 80 + 1360 + 12_000
    assert (
        memory_needed(shape, arguments | {"neat_packing": True}, longest=5).activations == (2 * 1360 + 12_000) * 8 / 5
    )
    assert memory_needed(shape, arguments | {"bf16": False}, longest=5, devices=4).weights == 1000


def test_memory_that_does_not_suffice():
    needed = Memory(weights=2**30, adapter=0, activations=2**31)
    assert check_memory(needed, 2**32) is None
    assert "About 3,072 MiB of memory are needed" in str(check_memory(needed, 2**31))
    with pytest.raises(InputError, match="Weights and optimizer alone take 1,024 MiB, and 512 MiB of memory are free"):
        check_memory(needed, 2**29)


def test_a_disk_that_does_not_suffice(tmp_path):
    assert check_disk(tmp_path / "not" / "there", Shape(0, 100, 1, 1, 1), checkpoints=2) == 4 * 100 * 12
    with pytest.raises(StorageError, match=r"Checkpoints and adapter take .* has .* free"):
        check_disk(tmp_path, Shape(0, 10**15, 1, 1, 1), checkpoints=2)


def test_without_llamafactory_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", sys)
    monkeypatch.setitem(sys.modules, "llamafactory", None)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'train'. Install it with: pip install"):
        Encoder({})


def test_the_mean_of_ten_steps():
    assert smoothed([4.0, 2.0]) == [4.0, 3.0]
    assert smoothed([float(number) for number in range(12)])[-1] == 6.5


def test_the_card_says_how_to_make_the_adapter_again(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    recipe = read_recipe("smollm2_cpu_seed", ["dataset_dir=/mnt/somebody/seed", "num_train_epochs=2.0"])
    training = TrainingRun(
        recipe=recipe.name, data_sha256="a" * 64, samples=600, steps=2, epochs=1.0, samples_per_second=0.5,
        loss_curve=(LossPoint(step=1, loss=4.0), LossPoint(step=2, loss=2.0)),
    )  # fmt: skip
    card = model_card(recipe, "smollm2", training, rejected=3)
    assert "python -m training run smollm2_cpu_seed --set dataset_dir=seed --set num_train_epochs=2.0" in card
    assert "/home" not in card
    assert "| items | 600, 3 more were left out |" in card
    assert "3.000 after 2, 3.000 at the end" in card
    assert "never take what it writes for evidence" in card


def test_gguf_without_its_converter(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"convert_hf_to_gguf.py, which is not on the PATH"):
        gguf_command(tmp_path, tmp_path / "x.gguf", "q8_0")
    program = tmp_path / "convert_hf_to_gguf.py"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = gguf_command(tmp_path / "model", tmp_path / "x.gguf", "q8_0")
    assert command == (
        str(program),
        str(tmp_path / "model"),
        "--outfile",
        str(tmp_path / "x.gguf"),
        "--outtype",
        "q8_0",
    )
