"""Does an added list item pass, and does the list check reject items that are there?

    python -m benchmarks.verification.list_additions [--data DATA] [--journal FILE]

Claims of the half of the ``dev`` part that nothing was chosen on. Of each true claim with a list that the verifier's
encoder supports at ``balanced``, another is made: a common outcome whose words the abstract does not have stands before
the last item. "Passed" is what the encoder and the checks of numbers and names let through;
"told" is what ``list_conflicts`` says of it. Told beside it is how many of all true and wrong claims it speaks of. The
words of the check were chosen on claims of the ``train`` part and on the public sets below, the outcomes before any of
these claims was read. A first version of the check was run on these claims once; it told of 40 of the 46.

Of the public sets, in which nothing is added on purpose, it is told of how many claims by label the check speaks, where
it does so beside every text.
"""

import argparse
import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from benchmarks.verification.labelled_sets import FILES, PUBLIC, LabelledClaim, written_claims
from benchmarks.verification.measured_model import KeptJudgements
from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.list_check import list_conflicts, lists_of
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verifier import ClaimVerifier

SEED = 18
OUTCOMES = (
    "fatigue|anxiety|appetite|sleep quality|body weight|mortality|hospital stay|memory|muscle strength|kidney function|"
    "quality of life|dizziness|survival|treatment costs|grip strength|stress|life satisfaction|bleeding|readmissions|"
    "physical activity|social support|walking speed|blood loss|inflammation|work absence"
).split("|")


def reported_half(data: Path) -> list[LabelledClaim]:
    """Return the written claims that no threshold was chosen on."""
    return [claim for claim in written_claims(data) if crc32(claim.group.encode()) % 2]


def conflicts_of(claim: str, passage: Passage) -> list[str]:
    """Return what the list check says."""
    return list_conflicts(claim, passage.text, abbreviations=tuple(find_acronyms(passage.text)))


def with_item(claim: str, item: str) -> str | None:
    """Add an item before the last one of a claim's first list.

    None where it has no list.
    """
    for items in lists_of(claim):
        if match := re.search(rf"{re.escape(items[-2])}(?=,?\s+\w+(?: well as)?\s+{re.escape(items[-1])})", claim):
            return f"{claim[: match.end()]}, {item}{claim[match.end() :]}"
    return None


def passes(verifier: ClaimVerifier, threshold: float, claim: str, passage: Passage) -> bool:
    """Return whether encoder, numbers and names support a claim."""
    readings = verifier.readings(claim, [passage])
    listed = set(conflicts_of(claim, passage))
    support = max(
        (one.entailment.supported for one in readings if {finding.detail for finding in one.findings} <= listed),
        default=0.0,
    )
    return support >= max(threshold, *(one.entailment.contradicted for one in readings), 0.0)


def additions(claims: Sequence[LabelledClaim], model: KeptJudgements) -> dict[str, int]:
    """Count true claims with lists, and those with an added item."""
    verifier, threshold, generator = ClaimVerifier(model), model.thresholds["balanced"], random.Random(SEED)
    counts = dict.fromkeys(("true and passed", "of these told", "with an item passed", "of these told too"), 0)
    for claim in claims:
        [passage] = claim.passages
        absent = [one for one in OUTCOMES if one not in f"{passage.text} {claim.claim}".lower()]
        changed = with_item(claim.claim, generator.choice(absent))
        if claim.label != "supported" or not changed or not passes(verifier, threshold, claim.claim, passage):
            continue
        counts["true and passed"] += 1
        counts["of these told"] += bool(conflicts_of(claim.claim, passage))
        if passes(verifier, threshold, changed, passage):
            counts["with an item passed"] += 1
            counts["of these told too"] += bool(conflicts_of(changed, passage))
    return counts


def objections_by_label(claims: Sequence[LabelledClaim]) -> Mapping[str, Mapping[str, int]]:
    """Count the claims of each label that the check objects to."""
    counts: dict[str, dict[str, int]] = {}
    for claim in claims:
        sentences = [claim.claim[start:end] for start, end in split_sentences(claim.claim)]
        speaks = any(all(conflicts_of(sentence, passage) for passage in claim.passages) for sentence in sentences)
        label = counts.setdefault(claim.label, {"claims": 0, "told": 0})
        label["claims"] += 1
        label["told"] += speaks
    return counts


def main() -> None:
    """Measure and writes ``results/verifier_list_additions.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--journal", type=Path, help="keeps the encoder's judgements for later runs")
    options = parser.parse_args()
    require_data(options.data)
    model, claims = KeptJudgements(journal=options.journal), reported_half(options.data)
    results: dict[str, Any] = {
        "model": dict(model.identity),
        "added": additions(claims, model),
        "told": {
            "written claims": objections_by_label(claims),
            **{name: objections_by_label(load(options.data)) for name, load in PUBLIC.items()},
        },
    }
    inputs = [options.data / name for name in FILES if not name.startswith("reported")]
    results["provenance"] = provenance(inputs, ["onnxruntime", "numpy"])
    print(json.dumps(results, indent=1))
    write_results("verifier_list_additions", results)


if __name__ == "__main__":
    main()
