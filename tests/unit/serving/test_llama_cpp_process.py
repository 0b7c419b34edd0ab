"""The llama.cpp server with a model of a few kilobytes, written here: it talks nonsense, by the protocol."""

import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from llama_index_medqa.errors import InputError, MissingExtraError, ServerError, WeightsError
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.weights import cache_dir

EMBEDDING, FEED_FORWARD, HEADS = 32, 64, 2
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(key: str, kind: int, items: list[bytes]) -> bytes:
    return entry(key, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def make_gguf(path: Path) -> None:
    """Write a one-layer llama model with random weights (format: the GGUF specification in ggml's docs)."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + ["▁a", "▁b"]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * 2
    numbers = {
        "llama.context_length": 512,
        "llama.embedding_length": EMBEDDING,
        "llama.block_count": 1,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.rope.dimension_count": EMBEDDING // HEADS,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    metadata = [entry("general.architecture", STRING, text("llama"))]
    metadata += [entry(key, UINT32, struct.pack("<I", value)) for key, value in numbers.items()]
    metadata += [
        entry("llama.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
        entry("tokenizer.ggml.model", STRING, text("llama")),
        array("tokenizer.ggml.tokens", STRING, [text(token) for token in tokens]),
        array("tokenizer.ggml.scores", FLOAT32, [struct.pack("<f", 0.0)] * len(tokens)),
        array("tokenizer.ggml.token_type", INT32, [struct.pack("<i", kind) for kind in kinds]),
    ]
    shapes = {"token_embd": (EMBEDDING, len(tokens)), "output_norm": (EMBEDDING,)}
    shapes |= {
        "output": (EMBEDDING, len(tokens)),
        "blk.0.attn_norm": (EMBEDDING,),
        "blk.0.ffn_norm": (EMBEDDING,),
    }
    shapes |= {f"blk.0.attn_{name}": (EMBEDDING, EMBEDDING) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (EMBEDDING, FEED_FORWARD) for name in ("gate", "up")}
    shapes["blk.0.ffn_down"] = (FEED_FORWARD, EMBEDDING)
    generator, directory, data = random.Random(1), b"", b""
    for name, shape in shapes.items():
        directory += text(f"{name}.weight") + struct.pack("<I", len(shape))
        directory += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, len(data))
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        data += struct.pack(f"<{count}f", *(generator.uniform(-1, 1) for _ in range(count)))
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata)) + b"".join(metadata) + directory
    path.write_bytes(head + bytes(-len(head) % 32) + data)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    make_gguf(path)
    return path


@pytest.fixture
def server(model_path: Path) -> Iterator[LlamaCppServer]:
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    with LlamaCppServer(model_path, context_window=512, threads=1, parallel=2, model="tiny-model") as running:
        yield running


def logs() -> list[Path]:
    return sorted((cache_dir() / "logs").iterdir())


def port_is_free(api_base: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(api_base).port)) != 0


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def chat(server: LlamaCppServer, **more: object) -> httpx.Response:
    request = {
        "model": server.model,
        "messages": [{"role": "user", "content": "a b a"}],
        "temperature": 0,
        "max_tokens": 12,
    }
    return httpx.post(f"{server.api_base}/chat/completions", json=request | more, timeout=30)


def test_it_serves_on_the_loopback_interface_under_the_given_name(server):
    assert server.api_base.startswith("http://127.0.0.1:")
    assert server.api_base.endswith("/v1")
    models = httpx.get(f"{server.api_base}/models").json()["data"]
    assert [model["id"] for model in models] == ["tiny-model"]


def test_streamed_pieces_join_to_the_whole_answer(server):
    whole = chat(server).json()["choices"][0]["message"]["content"]
    stream = chat(server, stream=True)
    lines = [line.removeprefix("data: ") for line in stream.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    pieces = [choice["delta"].get("content") for line in lines[:-1] for choice in json.loads(line)["choices"]]
    assert whole
    assert len(pieces) > 2
    assert "".join(piece or "" for piece in pieces) == whole


def test_each_slot_has_the_whole_context_window(server):
    properties = httpx.get(f"{server.api_base.removesuffix('/v1')}/props").json()
    assert properties["default_generation_settings"]["n_ctx"] == 512
    assert properties["total_slots"] == 2


def test_a_prompt_beyond_the_context_window_is_refused(server):
    answer = chat(server, messages=[{"role": "user", "content": "a " * 600}])
    assert answer.status_code == 400
    assert "context" in answer.text


def test_a_website_in_a_browser_gets_no_answers_and_nobody_sees_prompts(server):
    foreign = httpx.get(f"{server.api_base}/models", headers={"Origin": "http://example.org"})
    assert "access-control-allow-origin" not in foreign.headers
    root = server.api_base.removesuffix("/v1")
    assert not httpx.get(f"{root}/slots").is_success
    assert not httpx.get(root).is_success


def test_nothing_is_written_to_the_terminal(model_path):
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    code = f"""
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
with LlamaCppServer({str(model_path)!r}, context_window=256, threads=1) as server:
    print(server.model, len(server.log_path.read_text()) > 100)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("tiny True\n", "")


def test_stop_frees_the_port_ends_the_process_and_removes_the_log(server):
    api_base, process_id, log_path = server.api_base, server._process.pid, server.log_path
    assert is_alive(process_id)
    assert not port_is_free(api_base)
    assert logs() == [log_path]
    server.stop()
    assert not is_alive(process_id)
    assert port_is_free(api_base)
    assert logs() == []
    assert server.api_base == ""
    server.stop()


def test_it_can_be_started_again(server):
    server.start()
    assert len(logs()) == 1, "it was running"
    server.stop()
    server.start()
    assert chat(server).is_success


def test_a_server_that_died_is_started_again_and_leaves_its_log(server):
    os.kill(server._process.pid, signal.SIGTERM)
    server._process.wait()
    server.start()
    assert chat(server).is_success
    assert len(logs()) == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
def test_it_does_not_outlive_a_killed_owner(model_path):
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    code = f"""
import time
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
server = LlamaCppServer({str(model_path)!r}, context_window=256, threads=1)
server.start()
print(server._process.pid, server.api_base, flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    process_id, api_base = owner.stdout.readline().split()
    assert is_alive(int(process_id))
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 10
    while (is_alive(int(process_id)) or not port_is_free(api_base)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(int(process_id))
    assert port_is_free(api_base)


def test_a_broken_model_gives_the_servers_last_words_and_its_log(tmp_path, model_path):
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model_path.read_bytes()[:20_000])
    server = LlamaCppServer(broken)
    with pytest.raises(ServerError) as caught:
        server.start()
    message = str(caught.value)
    assert "broken.gguf ended while starting" in message
    assert str(server.log_path) in message
    assert server.log_path.read_text().splitlines()[-1].strip() in message
    assert "\n" not in message
    assert server.api_base == ""


def test_a_server_that_takes_too_long_is_ended(model_path, tmp_path, monkeypatch):
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    (tmp_path / "xllamacpp.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = LlamaCppServer(model_path, startup_timeout=0.5)
    started = time.monotonic()
    with pytest.raises(ServerError, match=r"did not answer within 0\.5 seconds"):
        server.start()
    assert time.monotonic() - started < 20
    assert server._process is None


def test_a_missing_extra_is_named(model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"LlamaCppServer .*llama-index-medqa\[local\]"):
        LlamaCppServer(model_path).start()


@pytest.mark.parametrize("wrong", [{"context_window": 0}, {"threads": 0}, {"parallel": -1}])
def test_wrong_numbers_are_refused(model_path, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        LlamaCppServer(model_path, **wrong)


def test_a_file_that_is_missing_or_not_gguf_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"missing\.gguf is not a file"):
        LlamaCppServer(tmp_path / "missing.gguf")
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(WeightsError, match="starts with b'hell'"):
        LlamaCppServer(tmp_path / "text.gguf")
