"""What does it cost to verify a sentence, and to import the package?

Time, memory and disk.

    python -m benchmarks.verification.speed [--data DATA] [--model FOLDER] [--sentences N]

Claims of the ``dev`` part of ``claims/``, each against six passages of 128 tokens, as a retriever returns them: the
chunk of its own abstract and those of five others that share most words with it, each word weighed by its rarity. One
thread. Measured is CPU time, which other work on the machine changes little, beside the time on the clock.

Of each passage three windows of sentences are read at most, and none where the passage shares too little with the
claim (``llama_index_medqa.verification.windows``). Told beside it is what it costs to read every window, and on how
many sentences the verdict is another one then.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from unittest import mock

from llama_index.core.schema import Document, NodeWithScore

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from benchmarks.verification.labelled_sets import LabelledClaim, drawn, read_rows, written_claims
from benchmarks.verification.measured_model import add_model_option
from llama_index_medqa import TokenNodeParser
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification import verifier as verifier_module
from llama_index_medqa.verification import windows
from llama_index_medqa.verification.entailment import EntailmentEncoder
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import ClaimVerifier

SENTENCES = 60
PASSAGES = 6
CHUNK_TOKENS = 128
IMPORTS = 5
_MEBIBYTE = 2**20


class Chunks:
    """Finds the six chunks that a claim is verified against.

    Args:
        abstracts: rows with ``pmid``, ``title`` and ``sentences``.
        tokenizer: the file by which chunks are cut.
    """

    def __init__(self, abstracts: Sequence[dict[str, Any]], tokenizer: Path) -> None:
        parser = TokenNodeParser(tokenizer=str(tokenizer), chunk_size=CHUNK_TOKENS, chunk_overlap=0)
        documents = [
            Document(
                id_=f"PMID:{row['pmid']}",
                text="\n".join([row["title"], " ".join(row["sentences"])]),
                metadata={"title": row["title"]},
            )
            for row in abstracts
        ]
        self._passages: dict[str, list[Passage]] = {}
        for node in parser.get_nodes_from_documents(documents):
            [passage] = passages_of([NodeWithScore(node=node)])
            self._passages.setdefault(passage.document_id, []).append(passage)

    def of(self, claim: LabelledClaim) -> list[Passage]:
        """Return the likeliest chunks of a claim's abstract and five others.

        One of each, the likeliest first.
        """
        wanted = terms(claim.claim)
        best = {
            name: max((sum(map(idf, wanted & terms(chunk.text))), number) for number, chunk in enumerate(chunks))
            for name, chunks in self._passages.items()
        }
        own = claim.passages[0].document_id
        ranked = sorted(best, key=lambda name: (name != own, -best[name][0]))[:PASSAGES]
        return [self._passages[name][best[name][1]] for name in ranked]


def timed(
    verifier: ClaimVerifier, claims: Sequence[tuple[str, Sequence[Passage]]]
) -> tuple[list[AnswerSentence], dict[str, float]]:
    """Return the verdicts on sentences, with milliseconds.

    Of the processor and elapsed.
    """
    verdicts, processor, clock = [], [], []
    for claim, passages in claims:
        started = time.process_time(), time.perf_counter()
        verdicts += verifier.verify([claim], passages)
        processor.append(1e3 * (time.process_time() - started[0]))
        clock.append(1e3 * (time.perf_counter() - started[1]))
    return verdicts, {
        "cpu_median_ms": round(statistics.median(processor), 1),
        "cpu_95th_percentile_ms": round(statistics.quantiles(processor, n=20)[-1], 1),
        "clock_median_ms": round(statistics.median(clock), 1),
    }


def every_window() -> ExitStack:
    """Read every window while the stack is open."""
    stack = ExitStack()
    stack.enter_context(mock.patch.object(windows, "MOST_WINDOWS", sys.maxsize))
    stack.enter_context(mock.patch.object(windows, "_LEAST_OVERLAP", 0.0))
    return stack


def windows_read(claims: Sequence[tuple[str, Sequence[Passage]]]) -> float:
    """Return the mean number of windows read for a sentence."""
    counts = [sum(len(windows.windows_of(claim, passage)) for passage in passages) for claim, passages in claims]
    return round(statistics.mean(counts), 2)


def resident_mebibytes() -> float:
    """Return the resident memory of this process (RSS), in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE


def import_times() -> Iterator[float]:
    """Yield CPU seconds of ``import llama_index_medqa``, in new processes."""
    code = "import time; a = time.process_time(); import llama_index_medqa; print(time.process_time() - a)"
    for _ in range(IMPORTS):
        yield float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def is_lazy() -> bool:
    """Return whether the import loads neither ONNX Runtime nor the verifier."""
    code = "import sys, llama_index_medqa; print({'onnxruntime', 'tokenizers'} & set(sys.modules) == set())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return found.strip() == "True"


def measure(folder: Path, data: Path, sentences: int) -> dict[str, Any]:
    """Return all figures of the model in a folder."""
    before = resident_mebibytes()
    encoder = EntailmentEncoder(folder, threads=1)
    encoder.judge([("Aspirin lowered fever.", "Aspirin lowers fever.")])
    memory = resident_mebibytes() - before
    chunks = Chunks(list(read_rows(data / "claims/abstracts.jsonl.gz")), folder / "tokenizer.json")
    claims = [(claim.claim, chunks.of(claim)) for claim in drawn(written_claims(data), sentences)]
    verifier = ClaimVerifier(encoder)
    verdicts, few = timed(verifier, claims)
    few["windows"] = windows_read(claims)
    with every_window():
        verdicts_of_all, everything = timed(verifier, claims)
        everything["windows"] = windows_read(claims)
    return {
        "model": dict(encoder.identity),
        "sentences": len(claims),
        "passages": PASSAGES,
        "a sentence": {"windows chosen": few, "every window": everything},
        "other verdicts with every window": sum(
            one.verdict != other.verdict for one, other in zip(verdicts, verdicts_of_all, strict=True)
        ),
        "memory_mib": round(memory, 1),
        "disk_mib": round(sum(file.stat().st_size for file in folder.iterdir()) / _MEBIBYTE, 1),
        "import_cpu_s": round(statistics.median(import_times()), 3),
        "import_leaves_runtime_alone": is_lazy(),
    }


def main() -> None:
    """Measure and writes ``results/verifier_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    add_model_option(parser)
    parser.add_argument("--sentences", type=int, default=SENTENCES)
    options = parser.parse_args()
    require_data(options.data)
    inputs = [options.data / "claims" / f"{name}.jsonl.gz" for name in ("abstracts", "claims")]
    if options.model is not None:
        print(json.dumps(measure(options.model, options.data, options.sentences), indent=1))
        return
    with as_file(files(verifier_module.__package__) / "model") as folder:
        results = measure(folder, options.data, options.sentences)
    results["provenance"] = provenance(inputs, ["onnxruntime", "tokenizers", "numpy"])
    print(json.dumps(results, indent=1))
    write_results("verifier_speed", results)


if __name__ == "__main__":
    main()
