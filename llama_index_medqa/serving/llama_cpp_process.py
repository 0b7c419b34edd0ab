"""A llama.cpp server on 127.0.0.1, in a process that ends with its owner."""

import importlib.util
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, cast

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.errors import InputError, MissingExtraError, ServerError, WeightsError
from llama_index_medqa.serving.supervised_process import SupervisedProcess
from llama_index_medqa.weights.store import check_model

_CHILD = Path(__file__).with_name("llama_cpp_child.py")
_LAST_LINES = 3
_POLL_SECONDS = 0.05


def require_llama_cpp() -> None:
    """Raise if llama.cpp is not installed, before large downloads.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError("LlamaCppServer", "local")


class LlamaCppServer(SupervisedProcess):
    """Serves a GGUF model by OpenAI's protocol on a free port of 127.0.0.1.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The server ends with the process that
    started it, even when that is killed. What llama.cpp has to say goes to :attr:`log_path`.

    Args:
        model_path: a ``.gguf`` file.
        context_window: tokens of prompt and answer together, a request.
        threads: threads that compute; None lets llama.cpp choose, which takes all cores. Its threads wait for
            one another at every step: on a machine busy with other work, fewer threads are often faster.
        parallel: requests that are answered at the same time; each has a context window of its own.
        model: name under which the model is served; None takes the file's name without ``.gguf``.
        adapter: GGUF file of a LoRA adapter to load with it; see
            :func:`llama_index_medqa.weights.convert_adapter.locate_adapter`. Requests turn it on:
            :class:`~llama_index_medqa.llms.llama_cpp_lora.LlamaCppLora`.
        startup_timeout: seconds within which the server must answer.

    Attributes:
        api_base: address for an OpenAI client, such as ``http://127.0.0.1:40123/v1``; empty when stopped.
        model: name of the served model.
        log_path: the server's log file; removed by :meth:`stop`, and kept when the server failed.

    Raises:
        InputError: a context window, a number of threads or of slots below 1.
        WeightsError: the file is missing or is not GGUF.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        context_window: int = 4096,
        threads: int | None = None,
        *,
        parallel: int = 1,
        model: str | None = None,
        adapter: str | os.PathLike[str] | None = None,
        startup_timeout: float = 120.0,
    ) -> None:
        super().__init__("llama-cpp-", startup_timeout)
        self.model_path = Path(model_path).expanduser().resolve()
        for name, value in (("context_window", context_window), ("threads", threads), ("parallel", parallel)):
            if value is not None and value < 1:
                raise InputError(f"LlamaCppServer needs {name} of at least 1, not {value}")
        if not self.model_path.is_file():
            raise WeightsError(f"{self.model_path} is not a file. Give the path of a .gguf file")
        check_model(self.model_path)
        self.adapter_path = Path(adapter).expanduser().resolve() if adapter is not None else None
        if self.adapter_path is not None:
            if not self.adapter_path.is_file():
                raise WeightsError(f"{self.adapter_path} is not a file. Give the path of an adapter's .gguf file")
            check_model(self.adapter_path)
        self.context_window = context_window
        self.threads = threads
        self.parallel = parallel
        self.model = model or self.model_path.stem
        self.api_base = ""

    def start(self) -> None:
        """Start the server and wait until it answers.

        Nothing happens when it already runs.

        Raises:
            MissingExtraError: xllamacpp is not installed.
            ServerError: the server ended or did not answer in time; the message has its last words.
        """
        if self.running:
            return
        self._end()
        require_llama_cpp()
        deadline = time.monotonic() + self.startup_timeout
        process = self._launch_child()
        try:
            address = self._announced_address(process, deadline)
            self._wait_for_health(process, address, deadline, poll_seconds=_POLL_SECONDS)
        except BaseException:
            self._end()
            raise
        self.api_base = f"{address}/v1"

    def stop(self) -> None:
        """Stop the server and free its port.

        Nothing happens when it does not run.
        """
        if self._process is None:
            return
        ended_by_itself = not self.running
        self._end()
        if self.log_path is not None and not ended_by_itself:
            self.log_path.unlink(missing_ok=True)

    def _launch_child(self) -> "subprocess.Popen[bytes]":
        logs = cache_dir() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        settings = {
            "model_path": str(self.model_path),
            "model": self.model,
            "adapter_path": str(self.adapter_path) if self.adapter_path is not None else None,
            "context_window": self.context_window,
            "parallel": self.parallel,
            "threads": self.threads,
        }
        return self._launch([str(_CHILD), json.dumps(settings)], log_folder=logs, reads_output=True)

    def _announced_address(self, process: "subprocess.Popen[bytes]", deadline: float) -> str:
        """Read the address that the child announces.

        A child that takes too long is killed, which ends the reading.
        """
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
        timer.start()
        address = cast("IO[bytes]", process.stdout).readline().decode().strip()
        timer.cancel()
        if not address:
            raise self._late() if time.monotonic() >= deadline else self._failure("ended while starting")
        return address

    def _failure(self, happened: str) -> ServerError:
        words = " | ".join(self._log_lines()[-_LAST_LINES:]) or "nothing"
        return ServerError(
            f"The llama.cpp server for {self.model_path.name} {happened}. Its last words: {words}. See {self.log_path}"
        )

    def _terminate(self, process: "subprocess.Popen[bytes]") -> None:
        # It holds no state that an orderly end would save.
        process.kill()

    def _end(self) -> None:
        self.api_base = ""
        super()._end()
