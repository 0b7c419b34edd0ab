"""Answered questions as ``benchmarks.answering.asking`` keeps them; written for these tests, no paper exists."""

from typing import Any

GOLD_TEXT = "Erenumab and fremanezumab prevent migraine. Both are antibodies."
OTHER_TEXT = "Topiramate is older."


def citation(document_id: str = "PMID:1", start: int = 0, quote: str = GOLD_TEXT) -> dict[str, Any]:
    title = "Antibodies for migraine."
    return {"document_id": document_id, "title": title, "start": start, "end": start + len(quote), "quote": quote}


def sentence(text: str, verdict: str = "supported", *findings: str) -> dict[str, Any]:
    citations = [citation()] if verdict == "supported" else []
    return {"text": text, "verdict": verdict, "citations": citations, "findings": [{"kind": kind} for kind in findings]}


def row(*texts: str, abstained: str | None = None, quotes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A question whose answer has some sentences; or none, for a reason, and perhaps quotes."""
    outcome = "answer" if texts else "findings" if quotes else "nothing_found"
    response = {
        "outcome": outcome,
        "abstained": abstained,
        "sentences": [sentence(text) for text in texts],
        "dropped": [],
        "findings": [citation(quote=quote) for quote in quotes],
        "draft": " ".join(texts),
        "seconds": {"retrieve": 0.5, "select": 0.1, "generate": 4.0, "verify": 1.0},
        "usage": {"prompt": 400, "completion": 40},
        **{key: more.pop(key) for key in ("draft", "dropped", "exact_answer", "seconds") if key in more},
    }
    return {
        "set": "BioASQ",
        "case": "q1",
        "question": "Which antibodies prevent migraine?",
        "gold_removed": False,
        "gold": ["PMID:1"],
        "retrieved": ["PMID:1", "PMID:2"],
        "chunks": [{"document_id": "PMID:1", "text": GOLD_TEXT}, {"document_id": "PMID:2", "text": OTHER_TEXT}],
        "shown": [{"document_id": "PMID:1", "text": GOLD_TEXT}],
        "cited": ["PMID:1"] if texts else [],
        "first_sentence_seconds": 3.0 if texts else None,
        **more,
        "response": response,
    }
