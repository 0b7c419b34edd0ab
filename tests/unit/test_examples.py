"""The examples run as a user runs them, and say what they promise."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "streaming.py",
            [
                "compared with water [PMID:101].",
                "No serious adverse events occurred with green tea [PMID:101].",
                "): It also cures the common cold.",
            ],
        ),
        (
            "chat.py",
            [
                "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101].",
                "No serious adverse events occurred with green tea [PMID:101].",
                "I cannot answer this from the indexed literature.",
            ],
        ),
        (
            "agent_tool.py",
            [
                "the tool said: Walking for 15 minutes after each meal lowered blood glucose by 12 mg/dL",
                "with 1 checked citation(s)",
                "the agent said: Walking for 15 minutes",
            ],
        ),
    ],
)
def test_an_example_runs(name, expected, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "MEDQA_CACHE_DIR": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, str(REPOSITORY / "examples" / name)]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for part in expected:
        assert part in done.stdout
