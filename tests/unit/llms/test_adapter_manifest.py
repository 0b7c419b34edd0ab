"""The manifest of an adapter: what is read and refused, and its canaries against weights merged by hand."""

import json
import math

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.llms.adapter_manifest import (
    MANIFEST_NAME,
    LossPoint,
    TrainingRun,
    adapter_settings,
    check_adapter,
    differences,
    read_manifest,
    weights_sha256,
    write_manifest,
)

pytest.importorskip("peft", reason="the extra 'adapter' is not installed")

from llama_index_medqa.llms.adapter_canaries import CANARY_TEXTS, make_manifest
from tests.doubles.lora_models import ALL_PROJECTIONS, make_adapter, make_mistral

RUN = TrainingRun(
    recipe="seed", data_sha256="a" * 64, samples=2496, steps=936, epochs=3.0, samples_per_second=2.252,
    loss_curve=(LossPoint(step=1, loss=1.42), LossPoint(step=936, loss=1.18)),
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_mistral(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    folder = make_adapter(tmp_path_factory.mktemp("adapter"), base, seed=1)
    make_manifest(folder, str(base), prompt_format="alpaca", training=RUN, base_name="mistralai/Mistral-7B-v0.1")
    return folder


def merged_logprobs(base, adapter, ids):
    """Of each token after the first, from W + alpha / r * B A computed here, without peft."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    weights = load_file(adapter / "adapter_model.safetensors")
    parameters = dict(model.named_parameters())
    for name, low in weights.items():
        if name.endswith("lora_A.weight"):
            target = name.removeprefix("base_model.model.").replace(".lora_A", "")
            parameters[target].data += 16 / 8 * weights[name.replace("lora_A", "lora_B")] @ low
    rows = model(torch.tensor([ids])).logits[0].tolist()
    return [
        row[token] - max(row) - math.log(sum(math.exp(value - max(row)) for value in row))
        for row, token in zip(rows, ids[1:], strict=False)
    ]


def test_the_canaries_are_what_merged_weights_give(base, adapter):
    manifest = read_manifest(adapter)
    assert len(manifest.canaries) == len(CANARY_TEXTS)
    canary = manifest.canaries[-1]
    assert canary.adapter_logprobs == pytest.approx(merged_logprobs(base, adapter, canary.token_ids), abs=2e-5)
    assert canary.adapter_logprobs != canary.base_logprobs
    prompt, answer = CANARY_TEXTS[-1]
    assert canary.text.endswith(f"### Instruction:\n{prompt}\n\n### Response:\n{answer}")
    # The begin-of-text token is part of what was trained.
    assert canary.token_ids[0] == 1


def test_what_the_manifest_says(adapter):
    manifest = read_manifest(adapter / MANIFEST_NAME)
    assert manifest.training == RUN
    assert manifest.base_model == "mistralai/Mistral-7B-v0.1"
    assert manifest.lora.target_modules == tuple(sorted(ALL_PROJECTIONS))
    assert check_adapter(adapter) == manifest
    assert len((adapter / MANIFEST_NAME).read_text().splitlines()) < 100


def test_it_is_written_whole_and_read_back(adapter, tmp_path):
    manifest = read_manifest(adapter)
    write_manifest(manifest, tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert differences(manifest, read_manifest(tmp_path)) == []
    other = manifest.model_copy(update={"base_model": "x/y", "training": None})
    assert differences(manifest, other) == ["base_model: mistralai/Mistral-7B-v0.1, x/y", "training: differ"]
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_NAME]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema_version=2), "schema version 2, and this version .* reads 1"),
        (lambda data: data.pop("base_model"), "base_model: Field required"),
        (lambda data: data.update(surprise=1), "surprise: Extra inputs are not permitted"),
        (lambda data: data["lora"].update(r=0), r"lora\.r: Input should be greater than 0"),
        (lambda data: data["canaries"][0]["base_logprobs"].pop(), r"canaries\.0: .* tokens have"),
        (lambda data: data["canaries"][0]["base_logprobs"].__setitem__(0, math.nan), r"base_logprobs\.0: .*finite"),
        (lambda data: data["training"]["loss_curve"].reverse(), "steps of the loss curve must rise"),
        (lambda data: data.clear(), "schema version None"),
    ],
)
def test_a_broken_manifest_is_told(adapter, tmp_path, change, message):
    data = json.loads((adapter / MANIFEST_NAME).read_text())
    change(data)
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_no_manifest_is_told(tmp_path):
    with pytest.raises(InputError, match=rf"no adapter manifest at .*{MANIFEST_NAME}.*medqa adapter manifest"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST_NAME).write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        read_manifest(tmp_path)


def test_weights_that_are_not_the_manifests_are_told(base, adapter, tmp_path):
    make_adapter(tmp_path, base, seed=2)
    write_manifest(read_manifest(adapter), tmp_path)
    with pytest.raises(InputError, match=f"weights_sha256 is {weights_sha256(tmp_path)}, the manifest has"):
        check_adapter(tmp_path)


def test_what_is_no_adapter_is_told(base, tmp_path):
    with pytest.raises(InputError, match=r"is not an adapter: it has no adapter_config\.json"):
        adapter_settings(tmp_path)
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "IA3", "r": 8, "lora_alpha": 8, "target_modules": ["q"]}'
    )
    with pytest.raises(InputError, match="of type IA3"):
        adapter_settings(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    with pytest.raises(InputError, match="cannot be read as peft's configuration"):
        adapter_settings(tmp_path)
    with pytest.raises(InputError, match=r"has no adapter_model\.safetensors"):
        weights_sha256(tmp_path)


def test_a_manifest_is_not_made_of_what_proves_nothing(base, adapter, tmp_path):
    zero = make_adapter(tmp_path, base, seed=1, spread=0.0)
    with pytest.raises(InputError, match="changes nothing"):
        make_manifest(zero, str(base), prompt_format="plain")
    with pytest.raises(InputError, match="no chat template"):
        make_manifest(adapter, str(base), prompt_format="chat")
    with pytest.raises(InputError, match="choose plain, alpaca, mistral, chat"):
        make_manifest(adapter, str(base), prompt_format="vicuna")
    with pytest.raises(InputError, match="neither a folder nor a hub id"):
        make_manifest(adapter, "/nowhere", prompt_format="plain")
    assert not (tmp_path / MANIFEST_NAME).exists()


def test_an_adapter_of_another_shape_is_told(adapter, tmp_path):
    from transformers import MistralConfig, MistralForCausalLM

    from tests.doubles.lora_models import make_tokenizer

    tokenizer = make_tokenizer(tmp_path)
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="does not fit the base model"):
        make_manifest(adapter, str(tmp_path), prompt_format="plain")
