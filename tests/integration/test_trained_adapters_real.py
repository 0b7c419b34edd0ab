"""The two adapters of this repository on a real vLLM: proved, and asked with the very tokens of their training."""

import importlib.util
import os
from collections.abc import Iterator

import pytest

from llama_index_medqa import VllmLora
from llama_index_medqa.errors import AdapterNotActive
from llama_index_medqa.llms.adapter_manifest import check_adapter
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.prompts import GROUNDED_ANSWER, TITLE_TO_ABSTRACT
from llama_index_medqa.serving.vllm_process import PYTHON_VARIABLE, VllmProcess
from llama_index_medqa.weights import locate
from tests.conftest import REPOSITORY
from tests.integration.test_vllm_real import ENVIRONMENT, settings_for
from training.dataset import Item
from training.parity import Encoder
from training.recipe import read_recipe, trainer_arguments

VLLM_PYTHON = os.environ.get(PYTHON_VARIABLE)
ADAPTERS = {name: REPOSITORY / "training" / "adapters" / f"smollm2_{name}" for name in ("seed", "grounded")}
PROMPTS = {
    "seed": TITLE_TO_ABSTRACT.format(title="Green tea and the resting heart rate: a randomized trial."),
    "grounded": GROUNDED_ANSWER.format(
        context_str="[PMID:101] Green tea.\nGreen tea lowered the heart rate by 3.5 beats per minute.",
        query_str="Does green tea lower the heart rate?",
    ),
}

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not VLLM_PYTHON, reason=f"needs vLLM: run `make test-integration`, or set {PYTHON_VARIABLE}"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[VllmProcess]:
    base = locate("smollm2-135m-instruct-bf16")
    settings = settings_for(base, adapters={name: str(folder) for name, folder in ADAPTERS.items()})
    with VllmProcess(settings, python=VLLM_PYTHON, environment=ENVIRONMENT) as running:
        yield running


def client(server: VllmProcess, name: str, prompt_hash: str = "") -> VllmLora:
    return VllmLora(
        "base", name, api_base=server.api_base, manifest=str(ADAPTERS[name]), prompt_hash=prompt_hash,
        is_chat_model=True, max_tokens=24, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_committed_adapter_is_proved(server, name):
    manifest = check_adapter(ADAPTERS[name])
    proof = client(server, name, manifest.prompt_hash).verify()
    assert [check.name for check in proof.checks] == [
        "served names", "base model", "prompt", "tokens", "base weights", "adapter weights",
    ]  # fmt: skip
    assert proof.gap == ""


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.skipif(importlib.util.find_spec("llamafactory") is None, reason="needs LLaMA-Factory")
def test_the_server_renders_prompts_as_llamafactory_trained_them(server, name, tmp_path):
    recipe = read_recipe(f"smollm2_cpu_{name}", [f"output_dir={tmp_path}"])
    encoder = Encoder(trainer_arguments(recipe, str(locate("smollm2-135m-instruct-bf16")), tmp_path, "chosen"))
    served = ServerApi(server.api_base).token_ids("base", [{"role": "user", "content": PROMPTS[name]}])
    assert tuple(served) == encoder.encode(Item(PROMPTS[name], "So.")).prompt


def test_the_grounded_adapter_answers_what_it_was_trained_to_be_asked(server):
    # Its template is the client's default, so it is verified by itself.
    assert client(server, "grounded").complete(PROMPTS["grounded"]).text.strip()


def test_the_seeds_adapter_was_not_trained_to_answer_from_passages(server):
    with pytest.raises(AdapterNotActive, match="The check 'prompt' failed"):
        client(server, "seed").complete(PROMPTS["grounded"])


def test_one_adapter_does_not_pass_for_the_other(server):
    taken = client(server, "grounded").with_adapter("seed", manifest=str(ADAPTERS["grounded"]))
    with pytest.raises(AdapterNotActive, match="The check 'adapter weights' failed"):
        taken.verify()
