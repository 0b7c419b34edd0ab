"""The checks of verify(), against a transport that answers with the log-probabilities that it is given."""

import json
import logging
import random

import httpx
import pytest

from llama_index_medqa import VllmLora
from llama_index_medqa.errors import AdapterNotActive, ServerError
from llama_index_medqa.llms.adapter_manifest import AdapterManifest, Canary, LoraSettings, write_manifest
from llama_index_medqa.llms.adapter_proof import effect_share, mean_difference, same_model
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.prompts import GROUNDED_ANSWER, template_hash

NUMBERS = random.Random(7)
TOKENS = 300
BASE = tuple(-5 * NUMBERS.random() for _ in range(TOKENS))
TRAINED = tuple(min(0.0, value + NUMBERS.gauss(0, 0.4)) for value in BASE)
ANOTHER = tuple(min(0.0, value + NUMBERS.gauss(0, 0.4)) for value in BASE)
IDS = tuple(range(100, 101 + TOKENS))


def rounded(values: tuple[float, ...], noise: float) -> tuple[float, ...]:
    """The values with a random error of this mean size."""
    generator = random.Random(3)
    return tuple(value + generator.gauss(0, noise * 1.2533) for value in values)


def manifest(**change) -> AdapterManifest:
    canary = Canary(prompt="p", text="some text", token_ids=IDS, base_logprobs=BASE, adapter_logprobs=TRAINED)
    fields = {
        "base_model": "mistralai/Mistral-7B-v0.1", "prompt_format": "plain",
        "prompt_hash": template_hash(GROUNDED_ANSWER), "weights_sha256": "0" * 64, "dtype": "float32",
        "lora": LoraSettings(r=8, lora_alpha=16, target_modules=("q_proj",)), "canaries": (canary,),
    }  # fmt: skip
    return AdapterManifest(**{**fields, **change})


def llm(tmp_path, *, served=None, cards=None, ids=IDS, given=None, **more) -> VllmLora:
    """A model whose server finds the canary as likely as ``served`` says."""
    served = {"base": BASE, "medqa": TRAINED, **(served or {})}
    cards = cards or [
        {"id": "base", "root": "mistralai/Mistral-7B-v0.1", "parent": None, "max_model_len": 100},
        {"id": "medqa", "root": "/adapters/medqa", "parent": "base"},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": cards})
        body = json.loads(request.content)
        assert body["prompt_logprobs"] == 0
        scored = [{str(i): {"logprob": value}} for i, value in zip(ids[1:], served[body["model"]], strict=False)]
        return httpx.Response(200, json={"choices": [{"text": "", "prompt_logprobs": [None, *scored]}]})

    path = None if given == "none" else str(write_manifest(given or manifest(), tmp_path))
    client = httpx.Client(transport=httpx.MockTransport(answer))
    settings = {"base_model": "base", "adapter": "medqa", "manifest": path, **more}
    return VllmLora(api_base="http://vllm.test/v1", http_client=client, **settings)


def failure(model: VllmLora) -> AdapterNotActive:
    with pytest.raises(AdapterNotActive) as caught:
        model.verify()
    return caught.value


@pytest.mark.parametrize("noise", [0.0, 1e-5, 0.02])
def test_the_adapter_of_the_manifest_is_proved(tmp_path, noise):
    served = {"base": rounded(BASE, noise), "medqa": rounded(TRAINED, noise)}
    assert llm(tmp_path, served=served).verify().checks[-1].name == "adapter weights"


@pytest.mark.parametrize("noise", [0.0, 1e-5, 0.02])
@pytest.mark.parametrize(
    ("values", "message"), [(BASE, "'medqa' answers like the base model"), (ANOTHER, "not the adapter of the manifest")]
)
def test_other_weights_are_caught_in_every_precision(tmp_path, values, message, noise):
    served = {"base": rounded(BASE, noise), "medqa": rounded(values, noise)}
    error = failure(llm(tmp_path, served=served))
    assert error.check == "adapter weights"
    assert message in str(error)


def test_a_weak_adapter_is_told_from_its_base_below_the_noise(tmp_path):
    """Its effect is a quarter of bfloat16's noise on a single token; over many tokens it is seen."""
    weak = tuple(min(0.0, value + NUMBERS.gauss(0, 0.02)) for value in BASE)
    canary = Canary(prompt="p", text="some text", token_ids=IDS, base_logprobs=BASE, adapter_logprobs=weak)
    noisy = {"base": rounded(BASE, 0.02)}
    given = manifest(canaries=(canary,))
    llm(tmp_path, served={**noisy, "medqa": rounded(weak, 0.02)}, given=given).verify()
    assert failure(llm(tmp_path, served={**noisy, "medqa": noisy["base"]}, given=given)).check == "adapter weights"


def test_another_base_model_is_caught_by_name_and_by_weights(tmp_path):
    assert failure(llm(tmp_path, given=manifest(base_model="meta/Other-7B"))).check == "base model"
    error = failure(llm(tmp_path, served={"base": ANOTHER}))
    assert error.check == "base weights"
    assert "rounding explains" in str(error)


@pytest.mark.parametrize("change", [{"prompt_hash": "0" * 16}, {"prompt_format": "alpaca"}])
def test_another_prompt_is_caught(tmp_path, change):
    error = failure(llm(tmp_path, **change))
    assert error.check == "prompt"
    assert "Give prompt_format='plain'" in str(error)


@pytest.mark.parametrize("ids", [IDS[:-1], (*IDS[:-1], 5)])
def test_other_tokens_are_caught(tmp_path, ids):
    assert failure(llm(tmp_path, ids=ids)).check == "tokens"


@pytest.mark.parametrize(
    ("adapter", "base", "message"),
    [
        ("gone", "base", "no adapter 'gone', only 'base', 'medqa' (adapter of 'base')"),
        ("base", "mistralai/Mistral-7B-v0.1", "'base' is the served name of a base model"),
        ("medqa", "mistralai/Mistral-7B-v0.1", "an adapter of 'base', not of 'mistralai/Mistral-7B-v0.1'"),
    ],
)
def test_names_that_are_not_what_they_should_be_are_caught(tmp_path, adapter, base, message):
    error = failure(llm(tmp_path, adapter=adapter, base_model=base))
    assert error.check == "served names"
    assert message in str(error)


def test_without_a_manifest_the_adapter_must_differ_and_the_gap_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        proof = llm(tmp_path, given="none").verify()
    assert proof.gap in caplog.text
    assert failure(llm(tmp_path, given="none", served={"medqa": BASE})).check == "adapter weights"


def test_a_server_without_log_probabilities_is_told(tmp_path):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"choices": [{"text": "x"}]})

    api = ServerApi("http://vllm.test/v1", client=httpx.Client(transport=httpx.MockTransport(answer)))
    with pytest.raises(ServerError, match="gives no log-probabilities of prompts"):
        api.score("base", "some text")


def test_it_is_verified_once_before_first_use(tmp_path):
    model = llm(tmp_path, served={"medqa": BASE})
    for way in (model.complete, model.stream_complete):
        with pytest.raises(AdapterNotActive):
            way("x")


async def test_it_is_verified_before_first_asynchronous_use(tmp_path):
    model = llm(tmp_path, served={"medqa": BASE})
    for way in (model.acomplete, model.astream_complete):
        with pytest.raises(AdapterNotActive):
            await way("x")


def test_the_base_model_needs_no_proof(tmp_path):
    assert "no adapter" in llm(tmp_path, adapter=None).verify().gap


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.1", True),
        ("/models/Mistral-7B-v0.1/", "mistralai/Mistral-7B-v0.1", True),
        ("/cache/models--mistralai--Mistral-7B-v0.1/snapshots/26bca36bde8333b5d7f72e9ed20ccda6a618af24",
         "mistralai/Mistral-7B-v0.1", True),
        ("mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-v0.1", False),
        ("mistralai/Mistral-7B-Instruct-v0.1", "mistralai/Mistral-7B-v0.1", False),
        ("", "", False),
    ],
)  # fmt: skip
def test_when_two_names_mean_one_model(one, other, same):
    assert same_model(one, other) is same


def test_the_figures_by_hand():
    assert mean_difference([-1.0, -2.0], [-1.5, -2.0]) == 0.25
    # Served effects 1 and 0, stored 2 and 1: (1*2 + 0*1) / (2*2 + 1*1).
    assert effect_share([-1.0, -3.0], [-2.0, -3.0], [-1.0, -2.0], [-3.0, -3.0]) == 0.4
