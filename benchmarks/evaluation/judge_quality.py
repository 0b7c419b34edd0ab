"""How well do the judges agree with people?

Claims that people called supported, refuted, neutral or hallucinated, each with its evidence: SciFact (claims and
abstracts), HealthVer (claims about COVID-19 and a sentence or two), MedHallu (answers to PubMedQA's questions, half
of them made up) and RAGTruth (answers of language models from three passages). The score of a claim of several
sentences is their mean.

- ``verifier``: the verifier's chance of support, as the judge of that name gives it;
- ``offline``: the mean of the verifier's and the packaged language model's log-odds;
- beside them the share of the claim's words in the evidence, and its length.

Nothing is fitted on these sets, and the verifier was trained on none of them; the language model's prompt was chosen
among a few on some of the pairs. MedHallu's true answers are the papers' conclusions, which the evidence that goes with
them leaves out: whoever tells them from made-up ones does not go by that evidence alone. Intervals (95 %) are
bootstrapped over groups.

    python -m benchmarks.evaluation.judge_quality [--data DATA] [--pairs N N N N] [--kept FOLDER]
        [--api-base URL] [--model NAME]

DATA is the shared data, by default $MEDQA_SHARED_DATA. N pairs of each set are judged, drawn with a fixed seed. What
the language model said is kept in FOLDER; without URL the packaged weights are served by llama.cpp. What is
``measured`` in the results is what ``llama_index_medqa/evaluation/judges/measured.json`` holds.
"""

import argparse
import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.by_name import judge_of
from llama_index_medqa.evaluation.judges.calibration import (
    LabelledPair,
    judge_pairs,
    length,
    load_pairs,
    quality,
    word_overlap,
)
from llama_index_medqa.evaluation.judges.judge_server import open_judge
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.verification.verifier import ClaimVerifier

SETS = {
    "SciFact": "scifact_pairs",
    "HealthVer": "healthver_dev",
    "MedHallu": "medhallu_dev",
    "RAGTruth-QA": "ragtruth_qa_a",
}
PAIRS = 400
JUDGES = ("verifier", "offline")
WITHOUT_JUDGE = {"word overlap": word_overlap, "length": length}


def drawn(pairs: int, number: int) -> list[int]:
    """Return the positions of a nested sample of pairs.

    A greater number holds all of a lesser one.
    """
    positions = list(range(pairs))
    random.Random(0).shuffle(positions)
    return sorted(positions[:number])


async def judged(judge: Judge, pairs: Sequence[LabelledPair], name: str) -> list[Score]:
    """Return the judge's score of each pair.

    Raises:
        RuntimeError: a pair is unscored.
    """
    scores = await judge_pairs(judge, pairs)
    failed = next((number for number, score in enumerate(scores) if score.value is None), None)
    if failed is not None:
        raise RuntimeError(f"{name}, pair {failed}: {scores[failed]}. Run the command again: what was judged is kept.")
    return scores


async def measured(options: argparse.Namespace, files: Mapping[str, Path]) -> dict[str, Any]:
    """Return all figures by row and set, and the judges' identities."""
    options.kept.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {name: {} for name in (*JUDGES, *WITHOUT_JUDGE)}
    with open_judge(EMBEDDED, api_base=options.api_base, model=options.model) as server:
        async with ModelCalls.open(server, options.kept / "opinions.jsonl") as calls:
            verifier = ClaimVerifier()
            judges = {name: judge_of(name, calls, verifier) for name in JUDGES}
            for (name, path), number in zip(files.items(), options.pairs, strict=True):
                everything = load_pairs(path)
                pairs = [everything[position] for position in drawn(len(everything), number)]
                for row, judge in judges.items():
                    found[row][name] = quality(await judged(judge, pairs, name), pairs).as_data()
                for row, of in WITHOUT_JUDGE.items():
                    scores = [Score.of(of(pair)) for pair in pairs]
                    found[row][name] = quality(scores, pairs, probabilities=False).as_data()
    identities = {name: dict(judge.identity) for name, judge in judges.items()}
    return {
        "measured": [
            {"judge": identities[row], "auroc": {name: figures["auroc"] for name, figures in found[row].items()}}
            for row in JUDGES
        ],
        "rows": found,
    }


def main() -> None:
    """Measure all sets and writes ``results/judge_quality.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--pairs", type=int, nargs=len(SETS), default=[PAIRS] * len(SETS), help="pairs of each set")
    parser.add_argument("--kept", type=Path, default=Path("judge_quality"), help="folder of the model's opinions")
    parser.add_argument("--api-base", help="server of the language model, in place of the packaged weights")
    parser.add_argument("--model", help="name under which it serves the model")
    options = parser.parse_args()
    require_data(options.data)
    files = {name: options.data / "faithfulness" / f"{file}.jsonl" for name, file in SETS.items()}
    results = asyncio.run(measured(options, files))
    packages = ["numpy", "llama-index-core", "onnxruntime", "tokenizers", "xllamacpp"]
    results["provenance"] = provenance(files.values(), packages)
    print(write_results("judge_quality", results).read_text())


if __name__ == "__main__":
    main()
