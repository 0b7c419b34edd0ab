"""A short run of the fuzzer; the long one is ``python -m benchmarks.pubmed.fuzz_readers --inputs 100000``."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pubmed" / "fuzz_readers.py"


def test_mutated_inputs_raise_our_errors_only():
    command = [sys.executable, str(SCRIPT), "--inputs", "1500", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.parents[1], check=False)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    assert sum(outcomes.values()) == 1500
    assert outcomes["read"] > 100
    assert outcomes["SourceFormatError"] > 500
