"""A vLLM server with LoRA adapters: its command line and its process."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import httpx

from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.llms.adapter_manifest import adapter_settings
from llama_index_medqa.serving.supervised_process import SupervisedProcess

PYTHON_VARIABLE: Final = "MEDQA_VLLM_PYTHON"
"""Names the Python of vLLM's environment, which cannot be this package's where LLaMA-Factory is in it."""

_GUARD = Path(__file__).with_name("process_guard.py")
# The values that vLLM takes for --max-lora-rank.
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)
_POLL_SECONDS = 0.5
_STOP_SECONDS = 20.0
_ERROR = re.compile(r"(?:[\w.]+(?:Error|Exception)|\S+: error): \S.*")
# What the processes around the one that failed say.
_NOT_THE_CAUSE = ("Engine core initialization failed", "WorkerProc initialization failed", "SystemExit")
_LOG_PREFIX = re.compile(r"^\(.*?\) *(?:(?:INFO|WARNING|ERROR) [\d-]+ [\d:]+ (?:\[.*?\] ?)?)?")


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """Settings of a vLLM server; None leaves a choice to vLLM.

    Attributes:
        model: folder or hub id of the base model.
        adapters: names and folders of LoRA adapters. Ask for an adapter by its name here.
        served_model_name: name of the base model for clients; None takes ``model``.
        host: address to listen on; the loopback address lets in this machine only.
        port: 1 to 65535.
        dtype: ``auto`` takes the model's own, mostly bfloat16.
        max_model_len: tokens of prompt and answer together.
        max_lora_rank: of any adapter; vLLM refuses higher ones when they are loaded.
        max_loras: adapters in one batch.
        gpu_memory_utilization: share of a GPU's memory that is used, 0 to 1.
        tensor_parallel_size: GPUs that share one copy of the model.
        data_parallel_size: copies of the model.
        pipeline_parallel_size: stages that the model is cut into, as many as machines.
        distributed_executor_backend: ``ray`` where the GPUs are in several machines.
        quantization: such as ``fp8``, ``awq``, ``bitsandbytes``; ``verify()`` tells where it changes answers.
        prefix_caching: whether what prompts share at their beginning is computed once.
        enforce_eager: whether to run without compiling: a faster start, slower answers.
        runtime_adapters: whether adapters can be loaded and removed while it runs; only for clients that you trust.
        more: further arguments of vLLM, as they are.
    """

    model: str
    adapters: Mapping[str, str] = field(default_factory=dict)
    served_model_name: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int | None = None
    max_lora_rank: int | None = None
    max_loras: int | None = None
    gpu_memory_utilization: float | None = None
    tensor_parallel_size: int = 1
    data_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    distributed_executor_backend: Literal["ray", "mp"] | None = None
    quantization: str | None = None
    prefix_caching: bool = True
    enforce_eager: bool = False
    runtime_adapters: bool = False
    more: Sequence[str] = ()

    def __post_init__(self) -> None:
        base = self.served_model_name or self.model
        if base in self.adapters:
            raise InputError(
                f"An adapter cannot have the name of the base model, {base!r}: nobody could ask for it. Rename it."
            )
        share = self.gpu_memory_utilization
        if share is not None and not 0 < share <= 1:
            raise InputError(f"gpu_memory_utilization must be above 0 and at most 1, not {share:g}.")

    @property
    def api_base(self) -> str:
        """Return the address for clients on the same machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  # compared, not bound
        return f"http://{host}:{self.port}/v1"


def vllm_command(settings: VllmSettings, *, python: str = "python") -> list[str]:
    """Return the command line that starts a server.

    Args:
        settings: what it is started with.
        python: the Python of vLLM's environment.
    """
    # The `vllm` command of some builds looks for a distribution of another name; the module is always there.
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", settings.model]
    options: dict[str, object] = {
        "served-model-name": settings.served_model_name,
        "host": settings.host,
        "port": settings.port,
        "dtype": settings.dtype,
        "max-model-len": settings.max_model_len,
        "gpu-memory-utilization": settings.gpu_memory_utilization,
        "tensor-parallel-size": _above_one(settings.tensor_parallel_size),
        "data-parallel-size": _above_one(settings.data_parallel_size),
        "pipeline-parallel-size": _above_one(settings.pipeline_parallel_size),
        "distributed-executor-backend": settings.distributed_executor_backend,
        "quantization": settings.quantization,
    }
    for name, value in options.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    command.append("--enable-prefix-caching" if settings.prefix_caching else "--no-enable-prefix-caching")
    if settings.enforce_eager:
        command.append("--enforce-eager")
    if settings.adapters or settings.runtime_adapters:
        command += _adapter_options(settings)
    return [*command, *settings.more]


def _above_one(count: int) -> int | None:
    return count if count > 1 else None


def _adapter_options(settings: VllmSettings) -> list[str]:
    options = ["--enable-lora"]
    for name, value in (("max-lora-rank", settings.max_lora_rank), ("max-loras", settings.max_loras)):
        if value is not None:
            options += [f"--{name}", str(value)]
    modules = [f"{name}={path}" for name, path in settings.adapters.items()]
    return [*options, "--lora-modules", *modules] if modules else options


def vllm_environment(settings: VllmSettings) -> dict[str, str]:
    """Return the environment variables of the command."""
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    return {**quiet, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if settings.runtime_adapters else quiet


def shell_line(settings: VllmSettings, *, python: str = "python") -> str:
    """Return environment and command as a line for a shell."""
    variables = (f"{name}={shlex.quote(value)}" for name, value in vllm_environment(settings).items())
    return " ".join([*variables, shlex.join(vllm_command(settings, python=python))])


def lora_rank(adapters: Mapping[str, str]) -> int | None:
    """Return the smallest ``max_lora_rank`` for all adapters.

    None without adapters.

    Raises:
        InputError: a folder is not an adapter, or its rank is above what vLLM takes.
    """
    if not adapters:
        return None
    ranks = {name: adapter_settings(path).r for name, path in adapters.items()}
    name, rank = max(ranks.items(), key=lambda item: item[1])
    if rank > _RANKS[-1]:
        raise InputError(
            f"The adapter {name!r} has rank {rank}, and vLLM takes {_RANKS[-1]} at most. Train a lower one."
        )
    return next(limit for limit in _RANKS if limit >= rank)


class VllmProcess(SupervisedProcess):
    """A vLLM server on this machine.

    For the length of a ``with`` block, or from :meth:`start` to :meth:`stop`.

    It ends with the process that started it, even when that is killed.

    Args:
        settings: what it is started with.
        python: the Python of vLLM's environment; None takes ``MEDQA_VLLM_PYTHON``, else the running Python.
        environment: further environment variables, such as ``VLLM_CPU_KVCACHE_SPACE``.
        startup_timeout: seconds within which it must answer.
        progress: called with what the server is doing and the seconds since it was started.

    Attributes:
        api_base: address for clients, such as ``http://127.0.0.1:8000/v1``.
        log_path: what the server says; removed by :meth:`stop`, and kept when it failed.
    """

    def __init__(
        self,
        settings: VllmSettings,
        *,
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
        startup_timeout: float = 900.0,
        progress: Callable[[str, float], None] | None = None,
    ) -> None:
        super().__init__("vllm-", startup_timeout)
        self.settings = settings
        self.api_base = settings.api_base
        self._python = python or os.environ.get(PYTHON_VARIABLE) or sys.executable
        self._environment = {**os.environ, **vllm_environment(settings), **(environment or {})}
        self._progress = progress or _no_progress

    def start(self) -> None:
        """Start the server and wait until it answers.

        Nothing happens when it already runs.

        Raises:
            ServerError: it ended or did not answer in time; the message has the server's own error.
        """
        if self.running:
            return
        self._require_free_port()
        command = [str(_GUARD), *vllm_command(self.settings, python=self._python)]
        process = self._launch(command, environment=self._environment)
        begin = time.monotonic()
        try:
            self._wait_for_health(
                process,
                self._address,
                begin + self.startup_timeout,
                poll_seconds=_POLL_SECONDS,
                while_waiting=lambda: self._progress(self._doing(), time.monotonic() - begin),
            )
        except BaseException:
            self._end()
            raise

    def wait(self) -> None:
        """Wait until the server ends by itself.

        Raises:
            ServerError: it ended; the message has its own error.
        """
        if self._process is not None:
            self._process.wait()
            self._end()
            raise self._failure("ended")

    def stop(self) -> None:
        """Stop the server with all its processes.

        Nothing happens when it does not run.
        """
        self._end()
        if self.log_path is not None:
            self.log_path.unlink(missing_ok=True)

    def _require_free_port(self) -> None:
        """Raise if the port is taken.

        Otherwise another server's health would be read as the new one's.
        """
        try:
            httpx.get(f"{self._address}/health", timeout=2, trust_env=False)
        except httpx.HTTPError:
            return
        raise ServerError(f"Something answers at {self.api_base} already. Stop it, or choose another port with --port.")

    @property
    def _address(self) -> str:
        return self.api_base.removesuffix("/v1")

    def _log_lines(self) -> list[str]:
        return [_LOG_PREFIX.sub("", line).strip() for line in super()._log_lines() if line]

    def _doing(self) -> str:
        return next(reversed(self._log_lines()), "starting Python")

    def _failure(self, happened: str) -> ServerError:
        lines = self._log_lines()
        errors = [match[0] for line in lines if (match := _ERROR.match(line))]
        causes = [error for error in errors if not any(words in error for words in _NOT_THE_CAUSE)]
        # The first is the cause; the others come from processes that waited for it.
        said = next(iter(causes or errors or lines[-1:]), "nothing")
        return ServerError(f"The vLLM server for {self.settings.model} {happened}. It says: {said} See {self.log_path}")

    def _terminate(self, process: "subprocess.Popen[bytes]") -> None:
        # The leader may be gone and its children not: the group is what is ended.
        for sign, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            _wait_for_group(process, seconds)


def _wait_for_group(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait until a process and all others of its group have ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Reaps the leader, which would else count as there.
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def _no_progress(_doing: str, _seconds: float) -> None:
    pass
