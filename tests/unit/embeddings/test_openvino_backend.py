"""OpenVINO against torch, on a tiny model; the conversion is kept and made again when it is not whole."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llama_index_medqa import E5Embedding, PubMedIndex, TransformerEmbedding
from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.embeddings import encoder as backends
from llama_index_medqa.embeddings import openvino_backend
from llama_index_medqa.embeddings.encoder import choose_execution, computes_in_bfloat16
from llama_index_medqa.errors import IndexIdentityError, InputError, MissingExtraError, WeightsError
from tests.unit.embeddings.test_encoder import TEXTS, cosines, encoded


@pytest.fixture
def openvino():
    return pytest.importorskip("openvino", reason='needs: pip install "llama-index-medqa[openvino]"')


@pytest.fixture
def empty_cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


def printed(script: str, **environment: str) -> str:
    """What a process of its own prints that runs the script."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize(("precision", "lowest"), [("float32", 0.999999), ("bfloat16", 0.9999), ("int8", 0.98)])
def test_vectors_are_near_torch_s(tiny_model, precision, lowest):
    embedder = E5Embedding(model_name=tiny_model, backend="openvino", precision=precision)
    vectors = embedder.get_text_embedding_batch(TEXTS)
    found = cosines(vectors, encoded(tiny_model, [f"passage: {text}" for text in TEXTS]))
    assert found.min() >= lowest
    assert embedder.dimension == 32
    assert str(embedder.execution) == f"openvino, {precision}, cpu"
    assert embedder.describe() == f"tiny-bert (32 dimensions) on openvino, {precision}, cpu"
    if precision == "int8":
        assert found.min() < 0.99999


@pytest.mark.usefixtures("openvino")
def test_a_conversion_is_kept_and_made_again_when_it_is_not_whole(tiny_model, empty_cache, monkeypatch):
    conversions = []
    convert = openvino_backend._convert
    monkeypatch.setattr(openvino_backend, "_convert", lambda *arguments: conversions.append(1) or convert(*arguments))

    def vector() -> list[float]:
        embedder = TransformerEmbedding(model_name=tiny_model, backend="openvino", precision="float32")
        return embedder.get_text_embedding("green tea")

    first = vector()
    assert (vector(), len(conversions)) == (first, 1)
    (folder,) = (path for path in empty_cache.iterdir() if path.is_dir())
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert (vector(), len(conversions)) == (first, 2)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"openvino": "', '"openvino": "older than '))
    assert (vector(), len(conversions)) == (first, 3)
    assert [path.name for path in empty_cache.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.usefixtures("openvino")
def test_a_kept_conversion_needs_neither_torch_nor_transformers(tiny_model, empty_cache):
    script = (
        "import json, sys\n"
        "from llama_index_medqa import TransformerEmbedding\n"
        f"embedder = TransformerEmbedding(model_name={tiny_model!r}, backend='openvino', device='cpu')\n"
        "vector = embedder.get_text_embedding('green tea')\n"
        "loaded = sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))\n"
        "print(json.dumps([loaded, embedder.identity(), embedder._load().settings, vector]))"
    )
    first, second = (json.loads(printed(script)) for _ in range(2))
    assert first[0] == ["sentence_transformers", "torch", "transformers"]
    assert second[0] == []
    assert second[1:] == first[1:]


@pytest.mark.usefixtures("openvino")
def test_a_conversion_is_made_again_when_a_file_beside_the_weights_changes(tiny_model, empty_cache, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")

    def check() -> None:
        embedder = TransformerEmbedding(model_name=str(folder), backend="openvino", precision="float32")
        assert cosines(embedder.get_text_embedding_batch(TEXTS), encoded(str(folder), TEXTS)).min() >= 0.999999

    check()
    # Every text is cut after eight tokens.
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}))
    check()
    # Words have other pieces.
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["normalizer"]["lowercase"] = not tokenizer["normalizer"]["lowercase"]
    file.write_text(json.dumps(tokenizer))
    check()


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME"])
def test_a_model_of_the_hub_keeps_its_conversion_too(tiny_model, empty_cache, tmp_path, variable):
    revision = "a" * 40
    hub = tmp_path / "hub" / "models--nobody--tiny-bert"
    shutil.copytree(tiny_model, hub / "snapshots" / revision)
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text(revision)
    script = (
        "import json, pathlib\n"
        "from llama_index_medqa import TransformerEmbedding\n"
        "def found():\n"
        "    embedder = TransformerEmbedding(model_name='nobody/tiny-bert', backend='openvino', device='cpu')\n"
        "    return [embedder.identity()['weights'], embedder.get_text_embedding('green tea')]\n"
        "first = found()\n"
        f"[manifest] = pathlib.Path({str(empty_cache)!r}).glob('*/manifest.json')\n"
        "written = manifest.stat().st_mtime_ns\n"
        "print(json.dumps([*first, found() == first, manifest.stat().st_mtime_ns == written]))"
    )
    environment = {"HF_HOME": str(tmp_path / "empty"), "HF_HUB_OFFLINE": "1", variable: str(hub.parent)}
    weights, vector, alike, kept = json.loads(printed(script, **environment))
    assert (weights, alike, kept) == (revision, True, True)
    assert cosines([vector], encoded(tiny_model, ["green tea"])).min() >= 0.9999


@pytest.mark.usefixtures("openvino", "empty_cache")
def test_a_wrong_conversion_is_refused_and_auto_falls_back_to_torch(tiny_model, monkeypatch, caplog):
    monkeypatch.setattr(backends, "_processor_flags", lambda: {"avx512_bf16"})
    compile_ = openvino_backend._compile

    class Wrong:
        """A compiled model that is wrong in one number."""

        def __init__(self, compiled):
            self.compiled, self.inputs = compiled, compiled.inputs

        def __call__(self, batch):
            vectors = self.compiled(batch)[0].copy()
            vectors[-1, 0] += 1.0
            return [vectors]

    monkeypatch.setattr(openvino_backend, "_compile", lambda *arguments: Wrong(compile_(*arguments)))
    with pytest.raises(WeightsError, match=r"bfloat16 vectors have cosines down to 0\.\d+ .* Use backend='torch'"):
        TransformerEmbedding(model_name=tiny_model, backend="openvino", precision="bfloat16").get_text_embedding("x")
    embedder = TransformerEmbedding(model_name=tiny_model, device="cpu")
    with caplog.at_level(logging.WARNING):
        vectors = embedder.get_text_embedding_batch(TEXTS)
    assert "Use backend='torch'" in caplog.text
    assert str(embedder.execution) == "torch, bfloat16, cpu"
    assert cosines(vectors, encoded(tiny_model, TEXTS)).min() >= 0.9999
    assert not list(cache_dir().glob("openvino/*/model.xml"))


@pytest.mark.usefixtures("empty_cache")
def test_inputs_whose_names_are_lost_are_told_and_auto_falls_back_to_torch(tiny_model, openvino, monkeypatch, caplog):
    """As transformers 4.57 and 5.6 lose them in tracing."""
    monkeypatch.setattr(backends, "_processor_flags", lambda: {"avx512_bf16"})
    convert = openvino.convert_model

    def losing(*arguments, **options):
        graph = convert(*arguments, **options)
        graph.inputs[0].get_tensor().set_names({"60"})
        return graph

    monkeypatch.setattr(openvino, "convert_model", losing)
    with pytest.raises(WeightsError, match=r"takes .*60.* for the inputs .* pip install --upgrade transformers"):
        TransformerEmbedding(model_name=tiny_model, backend="openvino", precision="bfloat16").get_text_embedding("x")
    embedder = TransformerEmbedding(model_name=tiny_model, device="cpu")
    with caplog.at_level(logging.WARNING):
        embedder.get_text_embedding("x")
    assert "pip install --upgrade transformers" in caplog.text
    assert str(embedder.execution) == "torch, bfloat16, cpu"


@pytest.mark.usefixtures("openvino")
def test_an_index_of_int8_is_not_opened_with_other_vectors(tiny_model, tmp_path, documents):
    int8 = E5Embedding(model_name=tiny_model, precision="int8")
    PubMedIndex.open(str(tmp_path), embed_model=int8, create=True).ingest(documents)
    assert PubMedIndex.open(str(tmp_path), embed_model=int8).info().documents == len(documents)
    with pytest.raises(IndexIdentityError, match="precision 'int8' in the index, None given"):
        PubMedIndex.open(str(tmp_path), embed_model=E5Embedding(model_name=tiny_model, precision="bfloat16"))


@pytest.mark.usefixtures("openvino")
def test_an_index_of_bfloat16_is_opened_with_float32(tiny_model, tmp_path, documents):
    bfloat16 = E5Embedding(model_name=tiny_model, backend="openvino", precision="bfloat16")
    PubMedIndex.open(str(tmp_path), embed_model=bfloat16, create=True).ingest(documents)
    float32 = E5Embedding(model_name=tiny_model, backend="torch", precision="float32")
    found = PubMedIndex.open(str(tmp_path), embed_model=float32).as_retriever(similarity_top_k=1).retrieve("tea")
    assert len(found) == 1


@pytest.mark.usefixtures("openvino")
def test_the_cache_keeps_precisions_apart(tiny_model, tmp_path):
    def vector(**settings: str) -> list[float]:
        return E5Embedding(model_name=tiny_model, cache_dir=str(tmp_path), **settings).get_text_embedding(TEXTS[0])

    vectors = [vector(backend="openvino", precision=name) for name in ("int8", "bfloat16", "float32")]
    # Without instructions for bfloat16 OpenVINO computes in float32.
    assert len({tuple(found) for found in vectors}) == (3 if computes_in_bfloat16("cpu") else 2)
    assert vector(backend="torch", precision="float32") == vectors[2]


@pytest.mark.usefixtures("openvino")
def test_openvino_reports_its_use_to_nobody(tiny_model, tmp_path):
    script = (
        "import sys\n"
        "from llama_index_medqa import TransformerEmbedding\n"
        f"TransformerEmbedding(model_name={tiny_model!r}, precision='int8').get_text_embedding('tea')\n"
        "assert 'openvino' in sys.modules and not [name for name in sys.modules if name.startswith('openvino_tele')"
        " and sys.modules[name]]"
    )
    assert printed(script) == ""


@pytest.mark.parametrize("missing", ["openvino", "nncf"])
def test_a_missing_extra_is_told(tiny_model, empty_cache, monkeypatch, missing):
    if missing == "nncf":
        pytest.importorskip("openvino", reason='needs: pip install "llama-index-medqa[openvino]"')
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r'E5Embedding needs .* pip install "llama-index-medqa\[openvino\]"'):
        E5Embedding(model_name=tiny_model, precision="int8").get_text_embedding("tea")


@pytest.mark.parametrize(
    "settings",
    [
        {"backend": "torch", "precision": "int8", "device": None},
        {"backend": "openvino", "precision": "auto", "device": "cuda"},
        {"backend": "auto", "precision": "int8", "device": "cuda:1"},
    ],
)
def test_what_does_not_go_together_is_told(settings):
    with pytest.raises(InputError, match="int8 is OpenVINO's, and OpenVINO runs on the CPU"):
        choose_execution(**settings, tokens_per_batch=None, feature="E5Embedding")


@pytest.mark.parametrize(
    ("flags", "installed", "backend", "precision", "chosen"),
    [
        ({"avx512_bf16"}, True, "auto", "auto", "openvino, bfloat16, cpu"),
        ({"avx512_bf16"}, False, "auto", "auto", "torch, bfloat16, cpu"),
        (set(), True, "auto", "auto", "torch, float32, cpu"),
        ({"avx512_bf16"}, True, "auto", "float32", "torch, float32, cpu"),
        ({"avx512_bf16"}, True, "torch", "auto", "torch, bfloat16, cpu"),
        (set(), False, "openvino", "auto", "openvino, float32, cpu"),
        (set(), False, "auto", "int8", "openvino, int8, cpu"),
    ],
)
def test_what_is_chosen(monkeypatch, flags, installed, backend, precision, chosen):
    monkeypatch.setattr(backends, "_processor_flags", lambda: flags)
    monkeypatch.setattr(backends, "find_spec", lambda name: name if installed or name == "torch" else None)
    assert str(choose_execution(backend, precision, "cpu", None, "E5Embedding")) == chosen


def test_a_disk_that_is_full_is_told(tiny_model, empty_cache, monkeypatch):
    pytest.importorskip("openvino", reason='needs: pip install "llama-index-medqa[openvino]"')

    def full(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(WeightsError, match=r"cannot be stored in .*No space left on device\. Free some space"):
        TransformerEmbedding(model_name=tiny_model, backend="openvino").get_text_embedding("tea")


def test_every_calibration_text_is_in_one_group():
    groups = openvino_backend._groups()
    assert [text for group in groups for text in group] == list(openvino_backend.CALIBRATION_TEXTS)
    assert [len(group) for group in groups[:4]] == [1, 2, 3, 4]


def test_processors_are_known_by_their_flags():
    """Against what torch says of this processor."""
    import torch

    if not Path("/proc/cpuinfo").exists():
        pytest.skip("needs Linux")
    assert ("avx512_bf16" in backends._processor_flags()) == torch.cpu.get_capabilities().get("avx512_bf16", False)
