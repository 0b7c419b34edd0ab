"""Runs of a command that are killed at random moments and started again, each in a process of its own."""

import multiprocessing
import random
import time


def started(function, *arguments):
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    return process


def finish(process, seconds):
    process.join(seconds)
    assert process.exitcode == 0


def calls(folder, name):
    """What was asked for, a line each."""
    path = folder / f"{name}.calls"
    return path.read_text().splitlines() if path.exists() else []


def killed_and_resumed(folder, start, answered, *, kills, most_calls, longest_wait, seed, seconds):
    """Kills the run "killed" so often, then lets it end; gives what was kept after the last kill.

    Nothing that was kept before a run may be asked for in it.
    """
    source, kept = random.Random(seed), set()
    for _ in range(kills):
        before = len(calls(folder, "killed"))
        process = start()
        # By calls, not by time, so that a busy machine is killed at such moments too.
        enough = before + source.randint(1, most_calls)
        while len(calls(folder, "killed")) < enough and process.is_alive():
            time.sleep(0.001)
        time.sleep(source.uniform(0, longest_wait))
        assert process.is_alive(), "it was done before the last kill"
        process.kill()
        process.join()
        assert not kept & set(calls(folder, "killed")[before:])
        kept = answered(folder)
    before = len(calls(folder, "killed"))
    finish(start(), seconds)
    assert not kept & set(calls(folder, "killed")[before:])
    return kept
