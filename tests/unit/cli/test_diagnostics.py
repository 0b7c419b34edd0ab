"""medqa doctor, serve and adapter manifest, as commands."""

import hashlib
import importlib.util
import json
import re
import sys
import tempfile
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from llama_index_medqa import diagnostics
from llama_index_medqa.llms.adapter_manifest import write_manifest
from llama_index_medqa.testing import synthetic_records
from llama_index_medqa.verification import entailment
from tests.doubles.vllm_double import vllm_double
from tests.unit.llms.test_adapter_proof import manifest
from tests.unit.vector_store.test_database import lose_vectors


@pytest.fixture
def medqa(medqa, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return medqa


def findings(out: str) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(out)}


def test_a_fresh_machine_lacks_nothing_that_is_not_told(medqa):
    code, out, _ = medqa("doctor", "--json")
    found = findings(out)
    assert code == 0
    assert found["embedder"]["value"] == "bge-small-en-v1.5 is fetched at first use: 0.1 GB"
    assert found["language model"]["value"].endswith("fetched at first use: 1.1 GB")
    assert (found["index"]["state"], found["index"]["fix"]) == ("note", "medqa index FILES, or give --index")
    assert "server" not in found
    model = files("llama_index_medqa.verification") / "model"
    card = json.loads((model / "card.json").read_text())
    digest = hashlib.sha256((model / "model.onnx").read_bytes()).hexdigest()
    told = f"{card['name']} {card['version']}, sha256 {digest[:12]}… as its card says"
    assert (found["verifier"]["state"], found["verifier"]["value"]) == ("ok", told)
    code, out, _ = medqa("doctor")
    assert "• index" in out
    assert "→ medqa index FILES, or give --index" in out


def test_the_extras_that_are_there_and_that_are_missing(medqa, monkeypatch):
    def only(*present):
        known = importlib.util.find_spec
        modules = set(diagnostics._EXTRAS.values())
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: known(name) if name in present or name not in modules else None
        )

    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(diagnostics._EXTRAS) == set(extras) - {"dev"}
    only("fastapi")
    _, out, _ = medqa("doctor", "--json")
    listed, *missing = [finding for finding in json.loads(out) if finding["name"] == "extras"]
    assert (listed["state"], listed["value"]) == ("ok", "server")
    assert [finding["fix"] for finding in missing] == ['pip install "llama-index-medqa[local]"']
    _, out, _ = medqa("doctor", "--json", "--embedder", "multilingual-e5-small")
    missing = [finding["fix"] for finding in json.loads(out) if finding["name"] == "extras" and finding["fix"]]
    assert missing == ['pip install "llama-index-medqa[embeddings]"', 'pip install "llama-index-medqa[local]"']


def test_a_verifier_that_is_not_its_card_s_is_wrong(medqa, monkeypatch, tmp_path):
    card = {"name": "v", "version": "1", "sha256": "ab", "temperature": 1.0, "thresholds": {}}
    (tmp_path / "model").mkdir()
    (tmp_path / "model/card.json").write_text(json.dumps(card))
    monkeypatch.setattr(entailment, "files", lambda package: tmp_path)
    for content, message in ((None, "No such file"), (b"x", "but its card says ab")):
        if content:
            (tmp_path / "model/model.onnx").write_bytes(content)
        code, out, _ = medqa("doctor", "--json")
        finding = findings(out)["verifier"]
        assert (code, finding["state"]) == (1, "wrong")
        assert message in finding["value"]
        assert "Install the package again" in finding["fix"]


def test_an_index_that_is_none_is_wrong(medqa, tmp_path):
    (tmp_path / "medqa_index").mkdir()
    code, out, _ = medqa("doctor", "--json")
    assert (code, findings(out)["index"]["state"]) == (1, "wrong")
    assert "medqa_index" in findings(out)["index"]["value"]


@pytest.fixture
def records(tmp_path):
    """Three records in a file."""
    path = tmp_path / "records.xml"
    path.write_bytes(b"<PubmedArticleSet>" + b"".join(synthetic_records(3, seed=5).values()) + b"</PubmedArticleSet>")
    return path


def test_lost_vectors_are_wrong_and_made_again(medqa, tmp_path, tiny_model, records):
    assert medqa("index", records, "--embedder", tiny_model)[0] == 0
    _, out, _ = medqa("doctor", "--json")
    chunks = int(re.search(r"(\d+) chunks", findings(out)["index"]["value"])[1])
    assert findings(out)["vectors"] == {
        "name": "vectors", "state": "ok", "value": f"all {chunks} chunks have theirs", "fix": "",
    }  # fmt: skip
    lose_vectors(tmp_path / "medqa_index", ["PMID:10000001#0"])
    code, out, _ = medqa("doctor", "--json")
    assert (code, findings(out)["vectors"]["state"]) == (1, "wrong")
    assert findings(out)["vectors"]["value"].startswith(f"1 of {chunks} chunks without a vector")
    assert findings(out)["vectors"]["fix"] == "medqa doctor --repair --index medqa_index"
    code, out, _ = medqa("doctor", "--repair", "--embedder", tiny_model)
    assert (code, "Made 1 vector of medqa_index again" in out) == (0, True)


def test_indexing_again_makes_lost_vectors_again(medqa, tmp_path, tiny_model, records):
    medqa("index", records, "--embedder", tiny_model)
    other = tmp_path / "other.xml"
    other.write_bytes(
        b"<PubmedArticleSet>" + b"".join(synthetic_records(1, seed=6, first_pmid=1).values()) + b"</PubmedArticleSet>"
    )
    lose_vectors(tmp_path / "medqa_index", ["PMID:10000001#0"])
    code, out, _ = medqa("index", other, "--embedder", tiny_model, "--no-wait", "--json")
    assert (code, json.loads(out)["added"], json.loads(out)["vectors_repaired"]) == (0, 1, 1)
    _, out, _ = medqa("doctor", "--json")
    assert findings(out)["vectors"]["state"] == "ok"


def test_there_is_nothing_to_repair_where_no_index_is(medqa, tmp_path):
    code, _, err = medqa("doctor", "--repair")
    assert (code, "There is no index in medqa_index" in err) == (1, True)
    assert not (tmp_path / "medqa_index").exists()


def test_a_server_that_does_not_answer_is_wrong(medqa):
    code, out, _ = medqa("doctor", "--profile", "mistral7b", "--api-base", "http://127.0.0.1:9/v1", "--json")
    found = findings(out)
    assert (code, found["server"]["state"]) == (1, "wrong")
    assert "No language-model server answers" in found["server"]["value"]
    assert "adapter" not in found


def test_an_adapter_that_is_not_served_is_wrong(medqa):
    with vllm_double() as double:
        arguments = ("--profile", "mistral7b", "--api-base", double.api_base, "--model", "base", "--json")
        code, out, _ = medqa("doctor", *arguments)
    found = findings(out)
    assert found["server"]["value"] == f"{double.api_base} serves 'base', 'adapter' (adapter)"
    assert (code, found["adapter"]["state"]) == (1, "wrong")
    assert "'served names' failed" in found["adapter"]["value"]
    assert "medqa serve --adapter medqa=PATH" in found["adapter"]["fix"]


def test_serve_prints_the_command_of_the_seed(medqa):
    code, out, _ = medqa(
        "serve", "--profile", "mistral7b", "--adapter", "my-med-lora=saves/lora", "--served-model-name",
        "mistral-7b-med", "--gpu-memory-utilization", "0.8", "--print", "--", "--seed", "1",
    )  # fmt: skip
    assert code == 0
    assert out == (
        "VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 python -m vllm.entrypoints.openai.api_server "
        "--model mistralai/Mistral-7B-v0.1 --served-model-name mistral-7b-med --host 127.0.0.1 --port 8000 "
        "--dtype auto --gpu-memory-utilization 0.8 --enable-prefix-caching --enable-lora "
        "--lora-modules my-med-lora=saves/lora --seed 1\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serve", "--profile", "embedded"), "names no model for vLLM: give one with --model"),
        (("serve", "--adapter", "medqa"), "--adapter takes NAME=PATH"),
        (("serve", "--adapter", "a=x", "--adapter", "a=y"), "names 'a' twice"),
        (("serve", "--adapter", "a=nowhere"), "is not an adapter"),
        (("serve", "--dtype", "int3"), "choose auto, float32"),
        (("serve", "--profile", "huge"), "no profile 'huge'"),
        (("doctor", "--profile", "huge"), "no profile 'huge'"),
        (("adapter", "manifest", "nowhere", "--base", "b"), "is not an adapter"),
        (("adapter", "manifest", "nowhere", "--base", "b", "--dtype", "int3"), "choose float32 or bfloat16"),
        (("adapter", "manifest", "nowhere", "--base", "b", "--format", "x"), "choose plain, alpaca, mistral, chat"),
    ],
)
def test_what_cannot_be_is_one_line(medqa, arguments, message):
    code, _, err = medqa(*arguments)
    is_usage = message not in ("is not an adapter", "choose plain, alpaca, mistral, chat")
    assert code == (2 if is_usage else 1)
    assert message in err
    assert err.count("\n") == 1


def test_vllm_that_is_not_installed_is_told(medqa):
    code, _, err = medqa("serve", "--model", "m", "--python", sys.executable, "--port", "1")
    assert code == 1
    assert "ended while starting. It says:" in err
    assert "No module named" in err


def test_an_adapter_that_is_not_its_manifests_is_not_served(medqa, tmp_path):
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"others")
    write_manifest(manifest(), tmp_path)
    code, _, err = medqa("serve", "--adapter", f"medqa={tmp_path}")
    assert code == 1
    assert "is not the one of its manifest: weights_sha256" in err
