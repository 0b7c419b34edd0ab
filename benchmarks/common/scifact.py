"""SciFact as other measurements use it: abstracts, and claims with relevant abstracts."""

import csv
import json
import os
from pathlib import Path

from benchmarks.common.provenance import ROOT
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord


def scifact_folder() -> Path:
    """Return the folder that ``MEDQA_SHARED_DATA`` names, or ``../shared/data``."""
    return Path(os.environ.get("MEDQA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "retrieval" / "scifact"


def abstracts() -> list[PubMedRecord]:
    """Return the 5,183 abstracts.

    Their identifier stands for the PMID, which SciFact does not give.
    """
    with (scifact_folder() / "corpus.jsonl").open() as stream:
        rows = [json.loads(line) for line in stream]
    return [PubMedRecord(pmid=row["_id"], title=row["title"], sections=(AbstractSection(row["text"]),)) for row in rows]


def dev_claims() -> dict[str, tuple[str, set[str]]]:
    """Return the development claims by identifier.

    Each has its text and the identifiers of the relevant abstracts.
    """
    with (scifact_folder() / "queries.jsonl").open() as stream:
        texts = {row["_id"]: row["text"] for row in map(json.loads, stream)}
    claims: dict[str, tuple[str, set[str]]] = {}
    with (scifact_folder() / "qrels_dev.tsv").open() as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if int(row["score"]) > 0:
                claims.setdefault(row["query-id"], (texts[row["query-id"]], set()))[1].add(row["corpus-id"])
    return claims
