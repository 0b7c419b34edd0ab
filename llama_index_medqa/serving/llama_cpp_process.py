"""A llama.cpp server on the loopback interface, in a process of its own that cannot outlive its owner."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import httpx

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.errors import InputError, MissingExtraError, ServerError, WeightsError
from llama_index_medqa.weights.store import check_model

_CHILD = Path(__file__).with_name("llama_cpp_child.py")
_LAST_LINES = 3


def require_llama_cpp() -> None:
    """Tells, before anything large is fetched, that llama.cpp is not installed.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError("LlamaCppServer", "local")


class LlamaCppServer:
    """Serves a GGUF model with the OpenAI-compatible protocol on a free port of 127.0.0.1.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The server ends with the process that
    started it, even when that is killed. What llama.cpp has to say goes to :attr:`log_path`.

    Args:
        model_path: a ``.gguf`` file.
        context_window: tokens of prompt and answer together, a request.
        threads: threads that compute; None lets llama.cpp choose, which takes all cores. Its threads wait for
            one another at every step: on a machine busy with other work, fewer threads are often faster.
        parallel: requests that are answered at the same time; each has a context window of its own.
        model: name under which the model is served; None takes the file's name without ``.gguf``.
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
        startup_timeout: float = 120.0,
    ) -> None:
        self.model_path = Path(model_path).expanduser().resolve()
        for name, value in (("context_window", context_window), ("threads", threads), ("parallel", parallel)):
            if value is not None and value < 1:
                raise InputError(f"LlamaCppServer needs {name} of at least 1, not {value}")
        if not self.model_path.is_file():
            raise WeightsError(f"{self.model_path} is not a file. Give the path of a .gguf file")
        check_model(self.model_path)
        self.context_window = context_window
        self.threads = threads
        self.parallel = parallel
        self.model = model or self.model_path.stem
        self.startup_timeout = startup_timeout
        self.api_base = ""
        self.log_path: Path | None = None
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers; nothing happens when it already runs.

        Raises:
            MissingExtraError: xllamacpp is not installed.
            ServerError: the server ended or did not answer in time; the message has its last words.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._kill()
        require_llama_cpp()
        deadline = time.monotonic() + self.startup_timeout
        process = self._launch()
        try:
            address = self._announced_address(process, deadline)
            self._wait_for_health(process, address, deadline)
        except BaseException:
            self._kill()
            raise
        self.api_base = f"{address}/v1"

    def stop(self) -> None:
        """Stop the server and free its port; nothing happens when it does not run."""
        if self._process is None:
            return
        ended_by_itself = self._process.poll() is not None
        self._kill()
        if self.log_path is not None and not ended_by_itself:
            self.log_path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self) -> subprocess.Popen[str]:
        logs = cache_dir() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="llama-cpp-", suffix=".log", dir=logs)
        self.log_path = Path(name)
        settings = {
            "model_path": str(self.model_path),
            "model": self.model,
            "context_window": self.context_window,
            "parallel": self.parallel,
            "threads": self.threads,
        }
        # -P: the child's own folder must not shadow other packages. A session of its own: an interrupt from
        # the keyboard is for the parent, which stops the child when it is done.
        with os.fdopen(descriptor, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        return self._process

    def _announced_address(self, process: subprocess.Popen[str], deadline: float) -> str:
        """Read the child's one line; a child that takes too long is killed, which ends the reading."""
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
        timer.start()
        address = cast("IO[str]", process.stdout).readline().strip()
        timer.cancel()
        if not address:
            raise self._failure(deadline)
        return address

    def _wait_for_health(self, process: subprocess.Popen[str], address: str, deadline: float) -> None:
        # No proxy: the server is on this machine.
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    if client.get(f"{address}/health").is_success:
                        return
                except httpx.TransportError:
                    # Not listening yet; the deadline ends this.
                    pass
                time.sleep(0.05)
        raise self._failure(deadline)

    def _failure(self, deadline: float) -> ServerError:
        late = time.monotonic() >= deadline
        happened = f"did not answer within {self.startup_timeout:g} seconds" if late else "ended while starting"
        log = self.log_path.read_text(errors="replace") if self.log_path else ""
        words = " | ".join(line.strip() for line in log.splitlines()[-_LAST_LINES:]) or "nothing"
        return ServerError(
            f"The llama.cpp server for {self.model_path.name} {happened}. Its last words: {words}. See {self.log_path}"
        )

    def _kill(self) -> None:
        process, self._process, self.api_base = self._process, None, ""
        if process is None:
            return
        # It holds no state that an orderly end would save.
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
