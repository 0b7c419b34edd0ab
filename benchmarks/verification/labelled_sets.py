"""Claims labelled by careful readers, to measure the verifier on.

None of them is in its training: SciFact, HealthVer and RAGTruth are in no training file, Check-COVID is left out of the
mix, and of the written claims the ``dev`` part is kept for measuring.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.evaluation.judges.calibration import LabelledPair
from llama_index_medqa.verification.passages import Passage, passages_of

SEED = 18
_NLI_LABELS = {"entailment": "supported", "contradiction": "refuted", "neutral": "neutral"}
_CLAIM_LABELS = {"supported": "supported", "contradicted": "refuted", "not_stated": "neutral"}
# What is wrong in the reported sentences is not said: it may contradict the text or go beyond it.
_REPORTED_LABELS = {"supported": "supported", "wrong": "hallucinated"}


@dataclass(frozen=True)
class LabelledClaim:
    """A claim with its passages and its label.

    Attributes:
        claim: one sentence or several.
        passages: the evidence.
        label: ``supported``, ``refuted``, ``neutral``; ``hallucinated`` where a set does not tell the last two apart.
        group: claims of one group are drawn together by the bootstrap.
        kind: how the claim was made, where a set says it.
    """

    claim: str
    passages: tuple[Passage, ...]
    label: str
    group: str
    kind: str = ""

    @property
    def pair(self) -> LabelledPair:
        """Return the claim as judges are measured on it."""
        return LabelledPair(self.claim, "\n".join(passage.text for passage in self.passages), self.label, self.group)


def passage(text: str, title: str = "", document_id: str = "PMID:1") -> Passage:
    """Return a text as a passage that was retrieved whole."""
    whole = f"{title}\n{text}" if title else text
    node = TextNode(text=whole, start_char_idx=0, id_=document_id, metadata={"title": title})
    return passages_of([NodeWithScore(node=node)])[0]


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, packed or not."""
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    yield from (json.loads(line) for line in text.split("\n") if line)


def drawn(claims: Sequence[LabelledClaim], limit: int | None) -> list[LabelledClaim]:
    """Return at most so many random claims, in the order of the set.

    Always the same ones.
    """
    if limit is None or limit >= len(claims):
        return list(claims)
    return [claims[position] for position in sorted(random.Random(SEED).sample(range(len(claims)), limit))]


def scifact(data: Path) -> list[LabelledClaim]:
    """Return the development claims about science, each beside an abstract."""
    rows = (row for row in read_rows(data / "faithfulness/scifact_pairs.jsonl") if row["split"] == "dev")
    return [
        LabelledClaim(row["claim"], (passage(" ".join(row["evidence"]), row["title"]),), row["label"], row["group"])
        for row in rows
    ]


def healthver(data: Path) -> list[LabelledClaim]:
    """Claims about COVID-19, each beside a sentence or two of a paper."""
    rows = read_rows(data / "faithfulness/healthver_dev.jsonl")
    return [
        LabelledClaim(row["claim"], (passage(" ".join(row["evidence"])),), row["label"], row["group"]) for row in rows
    ]


def ragtruth(data: Path) -> list[LabelledClaim]:
    """Return answers of models, each beside its three passages.

    RAGTruth's.
    """
    rows = read_rows(data / "faithfulness/ragtruth_qa_a.jsonl")
    return [
        LabelledClaim(
            row["claim"],
            tuple(passage(text, document_id=f"TEXT:{position}") for position, text in enumerate(row["evidence"])),
            row["label"],
            row["group"],
        )
        for row in rows
    ]


def check_covid(data: Path) -> list[LabelledClaim]:
    """Return claims of the news on COVID-19, each beside sentences of a paper."""
    rows = (row for part in ("train", "dev") for row in read_rows(data / f"nli/redist.{part}.jsonl.gz"))
    return [
        LabelledClaim(row["hypothesis"], (passage(row["premise"]),), _NLI_LABELS[row["label"]], row["group"])
        for row in rows
        if row["source"] == "check_covid"
    ]


def written_claims(data: Path) -> list[LabelledClaim]:
    """Return the ``dev`` part of the claims written on abstracts."""
    abstracts = {
        row["pmid"]: passage(" ".join(row["sentences"]), row["title"], f"PMID:{row['pmid']}")
        for row in read_rows(data / "claims/abstracts.jsonl.gz")
    }
    return [
        LabelledClaim(row["claim"], (abstracts[row["pmid"]],), _CLAIM_LABELS[row["label"]], row["pmid"], row["kind"])
        for row in read_rows(data / "claims/claims.jsonl.gz")
        if row["part"] == "dev"
    ]


def reported_claims(data: Path) -> list[LabelledClaim]:
    """Return wrong sentences that passed once, each with its true twin.

    Both beside the same text.
    """
    return [
        LabelledClaim(
            row["claim"],
            (passage(" ".join(row["evidence"])),),
            _REPORTED_LABELS[row["label"]],
            " ".join(row["evidence"]),
            f"{row['kind']}, {row['label']}",
        )
        for row in read_rows(data / "reported/claims.jsonl")
    ]


def reported_drafts(data: Path) -> list[LabelledClaim]:
    """Return drafted sentences beside all records of their corpus."""
    corpus = tuple(
        passage(row["abstract"], row["title"], f"PMID:{row['pmid']}")
        for row in read_rows(data / "reported/corpus.jsonl")
    )
    return [
        LabelledClaim(row["draft"], corpus, _REPORTED_LABELS[row["label"]], row["question"], row["label"])
        for row in read_rows(data / "reported/drafts.jsonl")
    ]


Load = Callable[[Path], list[LabelledClaim]]
PUBLIC: Mapping[str, Load] = MappingProxyType(
    {"SciFact": scifact, "HealthVer": healthver, "RAGTruth-QA": ragtruth, "Check-COVID": check_covid}
)
BY_KIND: Mapping[str, Load] = MappingProxyType(
    {"written claims": written_claims, "reported claims": reported_claims, "reported drafts": reported_drafts}
)
FILES = (
    "faithfulness/scifact_pairs.jsonl",
    "faithfulness/healthver_dev.jsonl",
    "faithfulness/ragtruth_qa_a.jsonl",
    "nli/redist.train.jsonl.gz",
    "nli/redist.dev.jsonl.gz",
    "claims/abstracts.jsonl.gz",
    "claims/claims.jsonl.gz",
    "reported/claims.jsonl",
    "reported/corpus.jsonl",
    "reported/drafts.jsonl",
)
