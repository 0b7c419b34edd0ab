"""The committed adapters on a real llama.cpp: converted, proved, and the faults that the proof must find.

SmolLM2's packaged GGUF file is the base model; transformers computed the canaries from the same weights, expanded.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from llama_index_medqa import LlamaCppLora
from llama_index_medqa.components import open_drafter
from llama_index_medqa.errors import AdapterNotActive, WeightsError
from llama_index_medqa.llms.adapter_manifest import read_manifest, write_manifest
from llama_index_medqa.llms.llama_cpp_api import LlamaCppApi
from llama_index_medqa.profiles import Profile
from llama_index_medqa.prompts import GROUNDED_ANSWER
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.weights import locate
from llama_index_medqa.weights.convert_adapter import locate_adapter
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

GROUNDED, SEED = (REPOSITORY / "training" / "adapters" / f"smollm2_{name}" for name in ("grounded", "seed"))
QUESTION = GROUNDED_ANSWER.format(
    context_str="[PMID:101] Green tea.\nGreen tea lowered the heart rate by 3.5 beats per minute.",
    query_str="Does green tea lower the heart rate?",
)


@pytest.fixture(scope="module")
def base() -> Path:
    return locate("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def server(base: Path) -> Iterator[LlamaCppServer]:
    with LlamaCppServer(base, 2048, 1, model="base", adapter=locate_adapter(GROUNDED, base)) as running:
        yield running


def client(server: LlamaCppServer, adapter: str | None = "smollm2_grounded", **more: Any) -> LlamaCppLora:
    settings = {"manifest": str(GROUNDED), "is_chat_model": True, "max_tokens": 24, "timeout": 300, **more}
    return LlamaCppLora("base", adapter, api_base=server.api_base, **settings)


def failed_check(server: LlamaCppServer, adapter: str | None = "smollm2_grounded", **more: Any) -> str:
    # Before first use, not only where verify() is called.
    with pytest.raises(AdapterNotActive) as caught:
        client(server, adapter, **more).complete(QUESTION)
    assert f"'{caught.value.check}'" in str(caught.value)
    return caught.value.check


def changed(folder: Path, source: Path, change: Any) -> Path:
    """A copy of an adapter with other values in its matrices B."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(
        {name: change(tensor) if "lora_B" in name else tensor for name, tensor in tensors.items()},
        folder / "adapter_model.safetensors",
    )
    return folder


def test_the_committed_adapter_is_proved_and_answers_as_peft_does(server):
    llm = client(server)
    proof = llm.verify()
    assert [check.name for check in proof.checks] == [
        "served names", "base model", "prompt", "tokens", "base weights", "adapter weights",
    ]  # fmt: skip
    assert proof.gap == ""
    # Its adapter copies a passage's sentence with its PMID; the base model does not.
    assert "[PMID:101]" in llm.complete(QUESTION).text
    assert "[PMID:101]" not in llm.with_adapter(None).complete(QUESTION).text


def test_the_served_probabilities_are_those_of_transformers_and_peft(server):
    canaries = read_manifest(GROUNDED).canaries
    for name, stored in (("smollm2_grounded", "adapter_logprobs"), ("base", "base_logprobs")):
        for canary in canaries:
            scored = LlamaCppApi(server.api_base, last_tokens=8).score(name, canary.text, add_special_tokens=False)
            assert scored.token_ids == canary.token_ids[1:]
            differences = [abs(a - b) for a, b in zip(scored.logprobs, getattr(canary, stored)[-8:], strict=True)]
            assert sum(differences) / 8 < 0.08


def test_the_window_and_the_build_are_the_servers(server):
    assert client(server).metadata.context_window == 2048
    assert LlamaCppApi(server.api_base).version() not in ("", "unknown")


def test_without_a_manifest_the_gap_is_told(server):
    proof = client(server, manifest=None).verify()
    assert [check.name for check in proof.checks] == ["served names", "adapter weights"]
    assert "nothing tells whose adapter answers" in proof.gap


def test_an_adapter_that_is_not_loaded_is_caught(server):
    assert failed_check(server, "smollm2_seed") == "served names"
    with pytest.raises(AdapterNotActive, match="started with 'smollm2_grounded', not with 'smollm2_seed'"):
        client(server, "smollm2_seed", verify_first=False).complete(QUESTION)


def test_the_base_models_name_is_caught(server):
    with pytest.raises(AdapterNotActive, match="'served names'"):
        LlamaCppLora("another", "base", api_base=server.api_base, is_chat_model=True).complete("x")


def test_another_adapter_under_the_right_name_is_caught(server, base, tmp_path):
    other = tmp_path / "smollm2_grounded.gguf"
    shutil.copy(locate_adapter(SEED, base), other)
    with LlamaCppServer(base, 2048, 1, model="base", adapter=other) as running:
        assert failed_check(running) == "adapter weights"


def test_another_prompt_than_that_of_training_is_caught(server):
    seed = read_manifest(SEED)
    assert failed_check(server, manifest=str(SEED)) == "prompt"
    assert failed_check(server, manifest=str(SEED), prompt_hash=seed.prompt_hash) == "adapter weights"


def test_an_adapter_of_zeros_is_caught(base, tmp_path):
    folder = changed(tmp_path / "smollm2_grounded", GROUNDED, lambda tensor: tensor * 0)
    with LlamaCppServer(base, 2048, 1, model="base", adapter=locate_adapter(folder, base)) as running:
        assert failed_check(running) == "adapter weights"
        assert failed_check(running, manifest=None) == "adapter weights"


def test_half_an_adapter_is_caught(base, tmp_path):
    folder = changed(tmp_path / "smollm2_grounded", GROUNDED, lambda tensor: tensor / 2)
    with LlamaCppServer(base, 2048, 1, model="base", adapter=locate_adapter(folder, base)) as running:
        assert failed_check(running) == "adapter weights"


def test_an_adapter_of_another_base_is_caught(server, tmp_path):
    manifest = read_manifest(GROUNDED)
    write_manifest(manifest.model_copy(update={"base_model": "smollm2-360m-instruct"}), tmp_path)
    assert failed_check(server, manifest=str(tmp_path)) == "base model"
    # Also where the names agree and the weights do not.
    other = [
        canary.model_copy(update={"base_logprobs": tuple(value - 0.5 for value in canary.base_logprobs)})
        for canary in manifest.canaries
    ]
    write_manifest(manifest.model_copy(update={"canaries": tuple(other)}), tmp_path)
    assert failed_check(server, manifest=str(tmp_path)) == "base weights"


def test_a_file_of_the_wrong_size_is_told_before_a_server_starts(base, tmp_path):
    folder = tmp_path / "wide"
    shutil.copytree(GROUNDED, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    wide = {name: tensor.repeat(1, 2) if "lora_A" in name else tensor for name, tensor in tensors.items()}
    save_file(wide, folder / "adapter_model.safetensors")
    with pytest.raises(WeightsError, match="does not fit this base model"):
        locate_adapter(folder, base)


def test_a_profile_of_a_local_model_takes_an_adapters_folder():
    profile = Profile(
        "mine", "of these tests", "bge-small-en-v1.5", "local", weights="smollm2-135m-instruct", adapter=str(GROUNDED)
    )
    with open_drafter(profile) as drafter:
        assert isinstance(drafter, LlamaCppLora)
        assert drafter.model == "smollm2_grounded"
        assert "[PMID:101]" in drafter.complete(QUESTION).text
