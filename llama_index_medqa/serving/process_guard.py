"""Runs a command that ends with the process that started it.

A script of its own, beside ``vllm_process``.

Its standard input is a pipe that its owner holds open. When that ends, however the owner ended, the whole group of
processes is stopped.
"""

import os
import signal
import subprocess
import sys
import threading
import time

_STOP_SECONDS = 20.0


def main() -> int:
    """Run the command of the arguments; return its exit code."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    # The group's signals are for the command, and a child inherits what is ignored; this process ends when it has.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_stop_with_owner, daemon=True).start()
    return child.wait()


def _stop_with_owner() -> None:
    # Without Python's buffer, whose lock a thread that waits would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
