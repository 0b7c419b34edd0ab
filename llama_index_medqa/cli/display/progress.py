"""Progress bars on a terminal; in a pipe or a log a line every few seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn

from llama_index_medqa.cli.display.console import SafeConsole

SECONDS_BETWEEN_LINES = 5.0
_MEGABYTE = 1_000_000

Describe = Callable[[Task], str]


def progress_bars(console: SafeConsole, *columns: ProgressColumn, describe: Describe | None = None) -> Progress:
    """Return bars that move on a terminal, and write lines elsewhere.

    Args:
        console: where to show them; nothing is shown on a quiet one.
        columns: of a bar on a terminal.
        describe: what a line says of a task in a pipe or a log; :func:`counted` by default.
    """
    if console.is_terminal and not console.quiet:
        return Progress(*columns, console=console, transient=True)
    return _ProgressLines(console, describe or counted)


@contextmanager
def working(console: SafeConsole, doing: str, *, in_pipes: bool = True) -> Iterator[None]:
    """Show what is being done, and for how long, during the block.

    Args:
        console: where to show it.
        doing: what is done, such as ``Loading the models``.
        in_pipes: whether to write lines where there is no terminal.
    """
    if console.is_terminal and not console.quiet:
        columns = (TextColumn(" "), SpinnerColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as spinner:
            spinner.add_task(doing, total=None)
            yield
    elif console.quiet or not in_pipes:
        yield
    else:
        ended = threading.Event()
        lines = threading.Thread(target=_print_until, args=(console, doing, ended), daemon=True)
        lines.start()
        try:
            yield
        finally:
            ended.set()
            lines.join()


def counted(task: Task) -> str:
    """Return how much of a task is done, and the remaining time."""
    if not task.total:
        return f"{task.description}, {task.completed:,.0f} so far" if task.completed else task.description
    return f"{task.description}: {task.completed:,.0f} of {task.total:,.0f}{_time_left(task)}"


def megabytes(task: Task) -> str:
    """Return how many megabytes of a task are done, and the remaining time."""
    total = f" of {task.total / _MEGABYTE:,.0f}" if task.total else ""
    return f"{task.description}: {task.completed / _MEGABYTE:,.0f}{total} MB{_time_left(task)}"


def _time_left(task: Task) -> str:
    if not (task.total and task.completed and task.elapsed) or task.completed >= task.total:
        return ""
    seconds = task.elapsed * (task.total - task.completed) / task.completed
    return f", about {seconds:.0f} s left" if seconds < 100 else f", about {seconds / 60:.0f} min left"


def _print_until(console: SafeConsole, doing: str, ended: threading.Event) -> None:
    start = time.monotonic()
    # The longer it takes, the fewer lines.
    while not ended.wait(max(SECONDS_BETWEEN_LINES, (time.monotonic() - start) / 5)):
        console.write_line(f"  {doing}: {time.monotonic() - start:.0f} s")


class _ProgressLines(Progress):
    """Writes a line when a task moves, at most one every few seconds."""

    def __init__(self, console: SafeConsole, describe: Describe) -> None:
        super().__init__(console=console, disable=True)
        self._lines = console
        self._describe = describe
        self._written = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        now = time.monotonic()
        if not self._lines.quiet and now - self._written >= SECONDS_BETWEEN_LINES:
            self._written = now
            self._lines.write_line(f"  {self._describe(self._tasks[task_id])}")
