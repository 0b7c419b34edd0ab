"""Runs LLaMA-Factory in a process of its own, and reports its failures in a line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import yaml

from llama_index_medqa.errors import InputError, MedQAError, StorageError
from llama_index_medqa.serving import process_guard

ARGUMENTS: Final = "arguments.yaml"
LOG: Final = "llamafactory.log"
RESULTS: Final = "train_results.json"
STATE: Final = "trainer_state.json"

_START: Final = "started_at_step"
_TRAINER_LOG: Final = "trainer_log.jsonl"
_CHECKPOINT: Final = re.compile(r"checkpoint-(\d+)")
_ROOT: Final = Path(__file__).parent.parent
_LAST_LINES: Final = 400
_SECONDS_BETWEEN_LOOKS: Final = 1.0
# What Python, safetensors and torch say of a full disk; torch's own text names no reason.
_DISK_FULL: Final = re.compile(r"No space left on device|enforce fail at inline_container")
_OUT_OF_MEMORY: Final = re.compile(r"CUDA out of memory|OutOfMemoryError|can't allocate memory|Cannot allocate memory")
# What the guard makes of the negative numbers that tell a signal.
_STATUSES: Final = 256


class TrainingError(MedQAError):
    """LLaMA-Factory ended with an error."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        step: steps that were made, also before an interruption.
        steps: all of them.
        loss: of the last step; None before the first.
        steps_per_second: since this process began to train; None before two steps.
        seconds_left: None where the rate is not known.
    """

    step: int
    steps: int
    loss: float | None
    steps_per_second: float | None
    seconds_left: float | None


Show = Callable[[Progress], None]


def start_or_resume(run_dir: Path, arguments: Mapping[str, Any], data_sha256: str) -> int:
    """Prepare a run's folder.

    Args:
        run_dir: LLaMA-Factory's own folder.
        arguments: all of its arguments.
        data_sha256: of the file that the items come from.

    Returns:
        The step of the last whole checkpoint, from which LLaMA-Factory goes on; 0 without one.

    Raises:
        InputError: the folder belongs to a run with other arguments or data.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / ARGUMENTS
    wanted = {**arguments, "data_sha256": data_sha256}
    if path.exists():
        begun = yaml.safe_load(path.read_text(encoding="utf-8"))
        changed = [key for key in {**begun, **wanted} if begun.get(key) != wanted.get(key)]
        if changed:
            shown = ", ".join(f"{key}: {begun.get(key)}, now {wanted.get(key)}" for key in sorted(changed))
            raise InputError(
                f"{run_dir} holds a run with other settings ({shown}). Give the same, or delete it to begin anew."
            )
    else:
        partial = path.with_suffix(".partial")
        partial.write_text(yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
        partial.replace(path)
    return _last_whole_checkpoint(run_dir)


def _last_whole_checkpoint(run_dir: Path) -> int:
    """Return the step of the last whole checkpoint.

    Incomplete checkpoints are removed, because LLaMA-Factory takes the newest.
    """
    last = 0
    for folder in run_dir.iterdir():
        if match := _CHECKPOINT.fullmatch(folder.name):
            if _is_whole(folder):
                last = max(last, int(match[1]))
            else:
                shutil.rmtree(folder)
    return last


def _is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint is complete.

    The trainer's state is what transformers writes last.
    """
    try:
        json.loads((checkpoint / STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return True


def train(run_dir: Path, arguments: Mapping[str, Any], start: int, show: Show) -> int:
    """Run ``llamafactory-cli train``, from the last checkpoint if any.

    A run that ended is left alone.

    Args:
        run_dir: its folder, prepared by :func:`start_or_resume`.
        arguments: all of its arguments.
        start: what that returned.
        show: told of every step.

    Returns:
        The step at which the process began that ended the run.

    Raises:
        StorageError: the disk became full.
        TrainingError: it failed in another way.
    """
    last_start = run_dir / _START
    if (run_dir / RESULTS).exists():
        return int(last_start.read_text())
    last_start.write_text(str(start))
    file = run_dir / "llamafactory.yaml"
    file.write_text(yaml.safe_dump(dict(arguments), sort_keys=False), encoding="utf-8")
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    status = _run(file, run_dir, last_lines, show)
    if status:
        raise _failure(status, last_lines, run_dir)
    return start


def _run(file: Path, run_dir: Path, last_lines: deque[str], show: Show) -> int:
    """Run LLaMA-Factory on a file of arguments, and return its exit status."""
    # It ends with this process, however that ends: two trainers must not write into one folder.
    guard = [sys.executable, "-P", process_guard.__file__]
    command = [*guard, sys.executable, "-m", "training.llamafactory_child", "train", str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
    # Threads that wait by spinning take the processor from those that compute.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        reader = threading.Thread(target=_copy, args=(process.stdout, run_dir / LOG, last_lines), daemon=True)
        reader.start()
        try:
            _watch(process, run_dir / _TRAINER_LOG, show)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
            reader.join()
    return process.returncode


def _copy(source: IO[str] | None, log: Path, last_lines: deque[str]) -> None:
    """Copy the process's output to a log, and keep the last lines.

    In memory too, because a disk may be full.
    """
    if source is None:
        return
    with log.open("a", encoding="utf-8") as copy:
        for line in source:
            last_lines.append(line)
            copy.write(line)


def _watch(process: subprocess.Popen[str], log: Path, show: Show) -> None:
    first: tuple[int, float] | None = None
    while True:
        ended = process.poll() is not None
        if points := read_log(log):
            first = first or (int(points[-1]["current_steps"]), time.monotonic())
            show(_progress(points[-1], first, time.monotonic()))
        if ended:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _progress(point: Mapping[str, Any], first: tuple[int, float], now: float) -> Progress:
    step, steps = int(point["current_steps"]), int(point["total_steps"])
    made, seconds = step - first[0], now - first[1]
    rate = made / seconds if made > 0 and seconds > 0 else None
    return Progress(step, steps, point.get("loss"), rate, (steps - step) / rate if rate else None)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of LLaMA-Factory's ``trainer_log.jsonl`` so far.

    None where it is not there yet.

    The last line may be half written.
    """
    if not path.exists():
        return []
    points = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            points.append(json.loads(line))
    return points


def loss_curve(run_dir: Path) -> list[tuple[int, float]]:
    """Return steps with their training loss.

    Of a step that was made again after an interruption, the last.
    """
    losses = {point["current_steps"]: point["loss"] for point in read_log(run_dir / _TRAINER_LOG) if "loss" in point}
    return sorted(losses.items())


def _failure(code: int, last_lines: Iterable[str], run_dir: Path) -> MedQAError:
    signal_number = _STATUSES - code if code > _STATUSES // 2 else 0
    lines = [line.strip() for line in last_lines if line.strip()]
    text = "\n".join(lines)
    step = _last_whole_checkpoint(run_dir)
    again = f"Run the same command again: it goes on from step {step}."
    if _DISK_FULL.search(text):
        free = shutil.disk_usage(run_dir).free // 2**20
        return StorageError(
            f"The disk of {run_dir} is full ({free} MB are free), so a checkpoint could not be written. Free some "
            f"space. {again}"
        )
    if _OUT_OF_MEMORY.search(text) or signal_number == signal.SIGKILL:
        return TrainingError(
            f"The training ran out of memory, or was killed (status {code}). Halve per_device_train_batch_size "
            f"and double gradient_accumulation_steps, or lower cutoff_len. {again}"
        )
    if signal_number:
        return TrainingError(f"LLaMA-Factory was ended by signal {signal_number}. {again}")
    reason = next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)), "")
    reason = (reason or (lines[-1] if lines else "it said nothing")).rstrip(".")
    return TrainingError(f"LLaMA-Factory ended with status {code}: {reason}. Its output is in {run_dir / LOG}. {again}")
