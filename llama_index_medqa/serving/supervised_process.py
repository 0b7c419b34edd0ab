"""Server processes: started with a log, waited for, ended with their owner."""

import os
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from llama_index_medqa.errors import ServerError


class SupervisedProcess(ABC):
    """A server's process, in a ``with`` block or from :meth:`start` to :meth:`stop`.

    Its standard input is a pipe that nobody writes to: the program must end when that closes. So it ends with its
    owner, even when that is killed.

    Args:
        log_prefix: how the names of log files begin.
        startup_timeout: seconds within which the server must answer.

    Attributes:
        startup_timeout: as given.
        log_path: what the server says; None before the first start.
    """

    def __init__(self, log_prefix: str, startup_timeout: float) -> None:
        self.startup_timeout = startup_timeout
        self.log_path: Path | None = None
        self._log_prefix = log_prefix
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Return whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def start(self) -> None:
        """Start the server and wait until it answers.

        Nothing happens when it already runs.

        Raises:
            ServerError: it ended or did not answer in time; the message has its own words.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop the server; nothing happens when it does not run."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _failure(self, happened: str) -> ServerError:
        """Return an error with the server's own words."""

    @abstractmethod
    def _terminate(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process that may have ended already."""

    def _launch(
        self,
        command: Sequence[str],
        *,
        log_folder: Path | None = None,
        environment: dict[str, str] | None = None,
        reads_output: bool = False,
    ) -> "subprocess.Popen[bytes]":
        """Start a Python program with a new log.

        Args:
            command: arguments of Python.
            log_folder: where the log is made; None takes the system's folder for temporary files.
            environment: all environment variables; None takes those of this process.
            reads_output: whether standard output is read by this process and not part of the log.
        """
        descriptor, name = tempfile.mkstemp(prefix=self._log_prefix, suffix=".log", dir=log_folder)
        self.log_path = Path(name)
        with os.fdopen(descriptor, "wb") as log:
            # -P: the script's own folder must not shadow other packages. A session of its own: an interrupt from the
            # keyboard is for the owner, which stops the server, and the server's processes can be stopped together.
            self._process = subprocess.Popen(
                [sys.executable, "-P", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if reads_output else log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        return self._process

    def _wait_for_health(
        self,
        process: "subprocess.Popen[bytes]",
        address: str,
        deadline: float,
        *,
        poll_seconds: float,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until the server says that it is ready.

        Args:
            process: the server's.
            address: of the server, without a path.
            deadline: when to give up, by ``time.monotonic()``.
            poll_seconds: time between two questions.
            while_waiting: called before each.

        Raises:
            ServerError: it ended, or the deadline has passed.
        """
        # No proxy: the server is on this machine.
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise self._failure("ended while starting")
                while_waiting()
                try:
                    if client.get(f"{address}/health").is_success:
                        return
                except httpx.HTTPError:
                    # Not listening yet; the deadline ends this.
                    pass
                time.sleep(poll_seconds)
        raise self._late()

    def _late(self) -> ServerError:
        return self._failure(f"did not answer within {self.startup_timeout:g} seconds")

    def _log_lines(self) -> list[str]:
        text = self.log_path.read_text(errors="replace") if self.log_path else ""
        return [line.strip() for line in text.splitlines()]

    def _end(self) -> None:
        """End the process, and close what connects it with this one."""
        process, self._process = self._process, None
        if process is None:
            return
        self._terminate(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
