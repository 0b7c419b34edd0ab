"""Does the packaged language model improve the verifier's encoder?

    python -m benchmarks.verification.language_model [--data DATA] [--journal FOLDER] [--abstracts N] [--no-model]

Claims of the half of the ``dev`` part on which the verifier's thresholds were chosen, those of the shortest abstracts
first. The encoder reads each as the verifier does. The language model reads the whole abstract and the claim, and is
asked whether the abstract says all of it; what counts is how much likelier "Yes" is than "No" as the next word. Six
examples stand before: of swapped sides, a subgroup, and an item added to a list. All claims of an abstract share what
stands before them, so that the server reads it once.

A logistic regression on the encoder's chances of support and contradiction, with and without the language model's
log-odds, is fitted on one half of the abstracts and measured on the other, both ways. Intervals (95 %) are by bootstrap
of abstracts.
"""

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import rankdata

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from benchmarks.verification.labelled_sets import passage, read_rows
from benchmarks.verification.measured_model import KeptJudgements
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.verification.verifier import ClaimVerifier
from llama_index_medqa.weights import locate

MODEL = "qwen2.5-coder-1.5b-instruct"
WRONG_RATES = (0.05, 0.1, 0.15, 0.25)
SAMPLES = 1000
INSTRUCTIONS = (
    "Read the abstract, then judge each claim. Answer Yes only if the abstract states all of the claim: the same "
    "groups, the same direction, every item. Otherwise answer No."
)
EXAMPLE = (
    "The trial compared zinc with placebo in 212 adults with colds. Zinc shortened colds by 1.6 days (p = 0.01), but "
    "only in smokers; nausea and headache were more frequent with zinc than with placebo."
)
ANSWERS = (
    ("Nausea was more frequent with placebo than with zinc.", "No"),
    ("Zinc caused more nausea than placebo did.", "Yes"),
    ("Zinc shortened colds in adults.", "No"),
    ("In smokers, colds were 1.6 days shorter with zinc.", "Yes"),
    ("Nausea, headache and rash were more frequent with zinc.", "No"),
    ("Headaches occurred more often in people on zinc.", "Yes"),
)
_LEAST = 1e-4

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """A written claim, and its abstract."""

    id: str
    text: str
    kind: str
    is_true: bool
    pmid: str
    title: str
    abstract: str


def claims_of(data: Path, abstracts: int) -> list[Claim]:
    """Return the claims of the shortest abstracts in the choosing half.

    Thresholds were chosen on that half.
    """
    by_pmid = {row["pmid"]: row for row in read_rows(data / "claims/abstracts.jsonl.gz")}
    rows = [
        row
        for row in read_rows(data / "claims/claims.jsonl.gz")
        if row["part"] == "dev" and crc32(row["pmid"].encode()) % 2 == 0
    ]
    body = {pmid: " ".join(by_pmid[pmid]["sentences"]) for pmid in {row["pmid"] for row in rows}}
    chosen = sorted(body, key=lambda pmid: (len(body[pmid].split()), pmid))[:abstracts]
    return [
        Claim(
            row["id"], row["claim"], row["kind"], row["label"] == "supported", pmid, by_pmid[pmid]["title"], body[pmid]
        )
        for pmid in chosen
        for row in rows
        if row["pmid"] == pmid
    ]


def messages(claim: Claim) -> list[dict[str, str]]:
    """Return the chat that asks for one word."""
    chat = [{"role": "system", "content": INSTRUCTIONS}]
    for number, (said, answer) in enumerate(ANSWERS):
        text = f"Abstract: {EXAMPLE}\n\nClaim: {said}" if number == 0 else f"Claim: {said}"
        chat += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return [
        *chat,
        {"role": "user", "content": f"Abstract: {claim.title} {claim.abstract}\n\nClaim: {claim.text}"},
    ]


def ask(claims: Sequence[Claim], journal: Path) -> None:
    """Ask the model about each claim that the journal lacks."""
    known = {row["id"] for row in read_rows(journal)} if journal.exists() else set()
    missing = [claim for claim in claims if claim.id not in known]
    if not missing:
        return
    with (
        LlamaCppServer(locate(MODEL), threads=1) as server,
        httpx.Client(trust_env=False, timeout=3600) as client,
        journal.open("a", encoding="utf-8") as stream,
    ):
        for claim in missing:
            body = {
                "messages": messages(claim),
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": 20,
            }
            answer = client.post(f"{server.api_base}/chat/completions", json=body).raise_for_status().json()
            likely = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            row = {"id": claim.id, **_chances(likely), "tokens": answer["timings"]["prompt_n"]}
            stream.write(json.dumps({**row, "seconds": answer["timings"]["prompt_ms"] / 1e3}) + "\n")
            stream.flush()


def _chances(likely: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {
        word: sum(math.exp(one["logprob"]) for one in likely if one["token"].strip().casefold() == word)
        for word in ("yes", "no")
    }


def chances_of_encoder(claims: Sequence[Claim], journal: Path) -> Iterator[tuple[float, float]]:
    """Yield the greatest chances of support and contradiction of claims.

    Support is one that no check denies.
    """
    verifier = ClaimVerifier(KeptJudgements(journal=journal))
    for claim in claims:
        readings = verifier.readings(claim.text, [passage(claim.abstract, claim.title, f"PMID:{claim.pmid}")])
        yield (
            max((one.support for one in readings), default=0.0),
            max((one.entailment.contradicted for one in readings), default=0.0),
        )


def auroc(scores: Numbers, is_true: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a true claim outscores a wrong one (AUROC)."""
    true, wrong = int(is_true.sum()), int((~is_true).sum())
    return (
        float((rankdata(scores)[is_true].sum() - true * (true + 1) / 2) / (true * wrong))
        if true and wrong
        else math.nan
    )


def kept_at(scores: Numbers, is_true: npt.NDArray[np.bool_], wrong_rate: float) -> float:
    """Return the share of true claims kept at a rate of wrong ones.

    Above the threshold that at most such a share of the wrong ones is above.
    """
    wrong = np.sort(scores[~is_true])[::-1]
    allowed = int(wrong_rate * len(wrong))
    return float((scores[is_true] > wrong[allowed]).mean())


def crossed(features: Numbers, is_true: npt.NDArray[np.bool_], half: npt.NDArray[np.bool_]) -> Numbers:
    """Return cross-fitted scores of a logistic regression.

    Each claim has the score of what was fitted on the other half of the abstracts.
    """
    scores = np.zeros(len(features))
    for held_out in (half, ~half):
        mean, spread = features[~held_out].mean(axis=0), features[~held_out].std(axis=0) + 1e-9
        weights = _fitted((features[~held_out] - mean) / spread, is_true[~held_out])
        scores[held_out] = np.c_[(features[held_out] - mean) / spread, np.ones(held_out.sum())] @ weights
    return scores


def _fitted(features: Numbers, is_true: npt.NDArray[np.bool_]) -> Numbers:
    columns, signs = np.c_[features, np.ones(len(features))], np.where(is_true, 1.0, -1.0)

    def loss(weights: Numbers) -> float:
        return float(np.logaddexp(0.0, -signs * (columns @ weights)).sum() + 0.5 * (weights[:-1] ** 2).sum())

    found: Numbers = minimize(loss, np.zeros(columns.shape[1])).x
    return found


def _log_odds(chance: float) -> float:
    bounded = min(max(chance, 1e-3), 1 - 1e-3)
    return math.log(bounded / (1 - bounded))


def measured(claims: Sequence[Claim], encoder: Sequence[tuple[float, float]], model: Sequence[float]) -> dict[str, Any]:
    """Return all figures."""
    is_true = np.array([claim.is_true for claim in claims])
    groups = np.array([claim.pmid for claim in claims])
    # Bits of a checksum that do not depend on the one that made this half of the claims.
    half = np.array([(crc32(claim.pmid.encode()) >> 7) % 2 == 0 for claim in claims])
    chances = np.array([[_log_odds(support), _log_odds(against)] for support, against in encoder])
    odds = np.array(model)
    scores = {
        "shipped rule": np.array([support if support >= against else 0.0 for support, against in encoder]),
        "encoder": crossed(chances, is_true, half),
        "language model": odds,
        "both": crossed(np.c_[chances, odds], is_true, half),
    }
    return {
        "claims": len(claims),
        "true": int(is_true.sum()),
        "abstracts": len(set(groups)),
        "scores": {
            name: {
                "auroc": round(auroc(values, is_true), 3),
                "true_kept_at_wrong": {str(rate): round(kept_at(values, is_true, rate), 3) for rate in WRONG_RATES},
            }
            for name, values in scores.items()
        },
        "both_less_encoder": _differences(scores["both"], scores["encoder"], is_true, groups),
        "log_odds_by_kind": {
            kind: {
                "claims": sum(claim.kind == kind for claim in claims),
                "mean": round(statistics.mean(odds[[claim.kind == kind for claim in claims]]), 2),
            }
            for kind in sorted({claim.kind for claim in claims})
        },
    }


def _differences(
    one: Numbers, other: Numbers, is_true: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_]
) -> dict[str, list[float]]:
    generator, names = np.random.default_rng(18), np.unique(groups)
    drawn: dict[str, list[float]] = {"auroc": [], "true_kept_at_wrong 0.1": []}
    for _ in range(SAMPLES):
        chosen = np.concatenate([np.flatnonzero(groups == name) for name in generator.choice(names, len(names))])
        first, second, truth = one[chosen], other[chosen], is_true[chosen]
        drawn["auroc"].append(auroc(first, truth) - auroc(second, truth))
        drawn["true_kept_at_wrong 0.1"].append(kept_at(first, truth, 0.1) - kept_at(second, truth, 0.1))
    return {
        name: [round(float(value), 3) for value in np.percentile(values, (2.5, 97.5))] for name, values in drawn.items()
    }


def main() -> None:
    """Measure and writes ``results/verifier_language_model.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--journal", type=Path, default=Path("verifier_language_model"), help="folder; read back later")
    parser.add_argument("--abstracts", type=int, default=75)
    parser.add_argument("--no-model", action="store_true", help="only the claims that the journal has")
    options = parser.parse_args()
    require_data(options.data)
    options.journal.mkdir(parents=True, exist_ok=True)
    claims, answers = claims_of(options.data, options.abstracts), options.journal / "answers.jsonl"
    if not options.no_model:
        ask(claims, answers)
    answered = {row["id"]: row for row in read_rows(answers)}
    claims = [claim for claim in claims if claim.id in answered]
    encoder = list(chances_of_encoder(claims, options.journal / "encoder.jsonl"))
    odds = [math.log((answered[one.id]["yes"] + _LEAST) / (answered[one.id]["no"] + _LEAST)) for one in claims]
    results = {
        "model": MODEL,
        **measured(claims, encoder, odds),
        "tokens_a_claim": round(statistics.mean(answered[one.id]["tokens"] for one in claims), 1),
        "clock_seconds_a_claim": round(statistics.mean(answered[one.id]["seconds"] for one in claims), 2),
    }
    inputs = [options.data / "claims" / f"{name}.jsonl.gz" for name in ("abstracts", "claims")]
    results["provenance"] = provenance(inputs, ["xllamacpp", "onnxruntime", "numpy", "scipy"])
    print(json.dumps(results, indent=1))
    write_results("verifier_language_model", results)


if __name__ == "__main__":
    main()
