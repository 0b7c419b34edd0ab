"""The fine-tuned model that continuous integration gates: the committed LoRA adapter of SmolLM2, served by vLLM.

    MEDQA_VLLM_PYTHON=.venv-vllm/bin/python python -m benchmarks.gates.lora_adapter --output results.json
    medqa gate benchmarks/gates/baselines/adapter.json results.json \
        --margins benchmarks/gates/suite/adapter_margins.toml

The questions and abstracts are those of ``suite/``; index and answers are made by the commands ``medqa index`` and
``medqa evaluate`` with the embedded profile, its model exchanged for the served one. Before the first question ``medqa
evaluate`` proves that the server answers with the adapter which was trained: the proof stands in the results, and the
gate fails without it.

``make gate-adapter`` runs both. After a change that is meant to change answers, ``make baseline-adapter`` writes the
baseline anew.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.common.ports import free_port
from llama_index_medqa.serving.vllm_process import VllmProcess, VllmSettings
from llama_index_medqa.weights import locate

# From the repository's root, where all of this is run: the paths stand in the results.
SUITE = Path("benchmarks/gates/suite")
ADAPTER = Path("training/adapters/smollm2_grounded")
BASE_NAME, ADAPTER_NAME = "smollm2", "medqa"
# Every second question: an answer takes two seconds of two processors.
QUESTIONS = 30


def settings(adapter: Path, port: int) -> VllmSettings:
    """The server: in float32, in which answers do not depend on which others are computed beside them."""
    return VllmSettings(
        model=str(locate("smollm2-135m-instruct-bf16")),
        adapters={ADAPTER_NAME: str(adapter)},
        served_model_name=BASE_NAME,
        port=port,
        dtype="float32",
        max_model_len=1024,
        max_lora_rank=8,
        enforce_eager=True,
    )


def write_cases(file: Path) -> None:
    """Every second case of the suite, so that all its kinds are there."""
    lines = (SUITE / "cases.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:: len(lines) // QUESTIONS]), encoding="utf-8")


def medqa(*arguments: str | Path) -> None:
    """Runs the command; ends with its status where it fails."""
    program = Path(sys.executable).with_name("medqa")
    status = subprocess.run([program, *map(str, arguments)], check=False).returncode
    if status:
        sys.exit(status)


def evaluate(adapter: Path, output: Path, journal: Path, work: Path) -> None:
    """Serves the adapter, proves it, asks it and writes the results."""
    # Without torch's compiler, which takes a minute for the first log-probabilities and gives the same.
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1"}
    index, cases = work / "index", work / "cases.jsonl"
    write_cases(cases)
    medqa("index", SUITE / "corpus.jsonl", "--index", index)
    with VllmProcess(settings(adapter, free_port()), environment=environment) as server:
        medqa(
            *("evaluate", cases, "--output", output, "--journal", journal, "--index", index),
            *("--api-base", server.api_base, "--model", BASE_NAME, "--adapter", ADAPTER_NAME),
            *("--manifest", adapter, "--terms", SUITE / "terms.txt"),
        )


def main() -> None:
    """Writes the file of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, default=ADAPTER, help="its folder, with the manifest")
    parser.add_argument("--work", type=Path, default=Path(".medqa/gate-adapter"), help="folder of index and journal")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    evaluate(options.adapter, options.output, options.work / f"{options.output.stem}.answers.jsonl", options.work)


if __name__ == "__main__":
    main()
