"""The command line of vLLM, and its process: a stand-in for the Python module that starts, fails and has children."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.serving.vllm_process import (
    VllmProcess,
    VllmSettings,
    lora_rank,
    shell_line,
    vllm_command,
    vllm_environment,
)

SEED = VllmSettings(
    model="mistralai/Mistral-7B-v0.1",
    adapters={"my-med-lora": "saves/lora"},
    served_model_name="mistral-7b-med",
    gpu_memory_utilization=0.8,
)


def test_the_command_of_the_seed():
    assert vllm_command(SEED) == [
        "python", "-m", "vllm.entrypoints.openai.api_server", "--model", "mistralai/Mistral-7B-v0.1",
        "--served-model-name", "mistral-7b-med", "--host", "127.0.0.1", "--port", "8000", "--dtype", "auto",
        "--gpu-memory-utilization", "0.8", "--enable-prefix-caching", "--enable-lora",
        "--lora-modules", "my-med-lora=saves/lora",
    ]  # fmt: skip


def test_every_setting_reaches_the_command():
    settings = VllmSettings(
        model="m", adapters={"a": "x y", "b": "z"}, host="0.0.0.0", port=9000, dtype="bfloat16", max_model_len=4096,
        max_lora_rank=32, max_loras=2, tensor_parallel_size=2, data_parallel_size=3, pipeline_parallel_size=4,
        distributed_executor_backend="ray", quantization="fp8", prefix_caching=False, enforce_eager=True,
        runtime_adapters=True, more=("--seed", "1"),
    )  # fmt: skip
    command = " ".join(vllm_command(settings, python="/vllm/python"))
    assert command == (
        "/vllm/python -m vllm.entrypoints.openai.api_server --model m --host 0.0.0.0 --port 9000 --dtype bfloat16 "
        "--max-model-len 4096 --tensor-parallel-size 2 --data-parallel-size 3 --pipeline-parallel-size 4 "
        "--distributed-executor-backend ray --quantization fp8 --no-enable-prefix-caching --enforce-eager "
        "--enable-lora --max-lora-rank 32 --max-loras 2 --lora-modules a=x y b=z --seed 1"
    )
    assert settings.api_base == "http://127.0.0.1:9000/v1"
    line = shell_line(settings, python="/vllm/python")
    variables = [f"{name}={value}" for name, value in vllm_environment(settings).items()]
    assert shlex.split(line) == [*variables, *vllm_command(settings, python="/vllm/python")]
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in variables
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in vllm_environment(SEED)


def test_settings_that_cannot_be_are_told():
    with pytest.raises(InputError, match="cannot have the name of the base model, 'm'"):
        VllmSettings(model="m", adapters={"m": "x"})
    with pytest.raises(InputError, match=r"above 0 and at most 1, not 1\.5"):
        VllmSettings(model="m", gpu_memory_utilization=1.5)


@pytest.mark.parametrize(("ranks", "expected"), [([], None), ([4], 8), ([8], 8), ([8, 24], 32), ([512], 512)])
def test_the_smallest_rank_that_takes_all_adapters(tmp_path, ranks, expected):
    assert lora_rank({str(rank): adapter(tmp_path, rank) for rank in ranks}) == expected


def test_a_rank_that_vllm_never_takes_is_told(tmp_path):
    with pytest.raises(InputError, match="rank 1024, and vLLM takes 512 at most"):
        lora_rank({"a": adapter(tmp_path, 1024)})


def adapter(root: Path, rank: int) -> str:
    folder = root / str(rank)
    folder.mkdir()
    config = f'{{"peft_type": "LORA", "r": {rank}, "lora_alpha": 16, "target_modules": ["q_proj"]}}'
    (folder / "adapter_config.json").write_text(config)
    return str(folder)


HEALTHY = """
    import http.server, subprocess, sys
    port = int(sys.argv[sys.argv.index("--port") + 1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(sys.argv[sys.argv.index("--model") + 1], "w").write(str(child.pid))
    print("(APIServer pid=1) INFO 11-23 21:19:07 [vllm.py:725] Loading weights", flush=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
FAILING = """
    print("(Worker pid=1) WARNING 11-23 21:19:07 [x.py:1] with error OSError: many files", flush=True)
    print("(Worker pid=1) ERROR 11-23 21:19:58 [executor.py:1063] ValueError: LoRA rank 32 is greater than 16.")
    print("RuntimeError: Engine core initialization failed. See root cause above.")
    raise SystemExit(1)
"""
HANGING = "import time; time.sleep(600)"


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    """Gives a process whose `vllm.entrypoints.openai.api_server` is the given script."""

    def make(script: str, **more) -> VllmProcess:
        package = tmp_path / "modules" / "vllm" / "entrypoints" / "openai"
        package.mkdir(parents=True)
        (package / "api_server.py").write_text(textwrap.dedent(script))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = VllmSettings(model=str(tmp_path / "child"), port=port)
        environment = {"PYTHONPATH": str(tmp_path / "modules")}
        return VllmProcess(settings, python=sys.executable, environment=environment, **more)

    return make


def gone(pid: int) -> bool:
    """Whether a process has ended; one that waits to be reaped has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_it_starts_tells_what_it_does_and_stops_with_its_children(vllm, tmp_path):
    said: list[str] = []
    server = vllm(HEALTHY, progress=lambda doing, _: said.append(doing))
    with server:
        assert server.running
        server.start()  # again: nothing happens
        child = int((tmp_path / "child").read_text())
        os.kill(child, 0)
        log = server.log_path
        assert "Loading weights" in log.read_text()
    assert not server.running
    assert gone(child)
    assert not log.exists()
    assert said[0] == "starting Python"


def test_a_server_that_fails_is_told_in_its_own_words(vllm):
    server = vllm(FAILING)
    with pytest.raises(
        ServerError, match=r"ended while starting\. It says: ValueError: LoRA rank 32 is greater"
    ) as told:
        server.start()
    assert str(server.log_path) in str(told.value)
    assert server.log_path.exists()
    assert not server.running


def test_a_server_that_does_not_answer_is_stopped(vllm):
    server = vllm(HANGING, startup_timeout=1.0)
    with pytest.raises(ServerError, match="did not answer within 1 seconds"):
        server.start()
    assert not server.running


def test_a_server_that_ends_later_is_told(vllm, tmp_path):
    server = vllm(HEALTHY)
    server.start()
    os.kill(server._process.pid, 9)
    with pytest.raises(ServerError, match=r"ended\. It says"):
        server.wait()
    assert gone(int((tmp_path / "child").read_text()))


def test_a_stranger_on_the_port_is_not_taken_for_the_server(vllm):
    server = vllm(HEALTHY)
    with server:
        other = VllmProcess(server.settings, python=sys.executable)
        with pytest.raises(ServerError, match=r"answers at .* already"):
            other.start()


def test_it_ends_with_an_owner_that_is_killed(vllm, tmp_path):
    server = vllm(HEALTHY)
    script = (
        "import sys, time; from llama_index_medqa.serving.vllm_process import VllmProcess, VllmSettings\n"
        f"server = VllmProcess(VllmSettings(model={server.settings.model!r}, port={server.settings.port}),"
        f" environment={{'PYTHONPATH': {str(tmp_path / 'modules')!r}}})\n"
        "server.start(); print('started', flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    assert owner.stdout.readline() == b"started\n"
    owner.kill()
    owner.communicate()
    assert gone(int((tmp_path / "child").read_text()))
