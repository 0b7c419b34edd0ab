"""A draft is checked sentence by sentence while it is written."""

import re
from collections.abc import Callable, Iterator
from datetime import date

from llama_index_medqa.drafting import Piece, TokenUsage
from llama_index_medqa.evidence_gathering import Evidence
from llama_index_medqa.prompts import ABSTENTION
from llama_index_medqa.response import (
    Abstention,
    AnswerIdentity,
    MedQAResponse,
    disagreements,
    spoken,
)
from llama_index_medqa.stopwatch import Stopwatch
from llama_index_medqa.verification.citation_marks import sentences_with_marks
from llama_index_medqa.verification.passages import document_id_of
from llama_index_medqa.verification.verdicts import AnswerSentence

# What a small model says in its own words when it finds no answer.
_ABOUT_THE_EVIDENCE = re.compile(
    r"\W*(?:the|these|none of the)\s+"
    r"(?:(?:passages?|abstracts?)(?!\s+of\b)|(?:provided|given)\s+(?:texts?|context|information|passages?|abstracts?))\b",
    re.IGNORECASE,
)
_UNUSUAL = ("retracted", "concern")
_EXPLANATIONS: dict[Abstention, str] = {
    "language": "The question is in {language}. Questions are answered in English only, because answers in other "
    "languages cannot be checked against English records: ask it in English.",
    "no_evidence": "No retrieved record speaks of what was asked.",
    "model_declined": "The model found no answer in the retrieved records.",
    "nothing_supported": "Nothing that was drafted is supported by the retrieved records.",
}


def explanation(abstained: Abstention | None, language: str | None) -> str:
    """Why there is no answer, in a sentence for people."""
    return _EXPLANATIONS[abstained].format(language=language) if abstained else ""


class DraftCheck:
    """An answer in the making: takes the drafter's text in pieces and gives out the sentences that may be said.

    Args:
        evidence: what was gathered.
        judge: judges one sentence.
        identity: with what the answer is made.
        watch: counts the seconds.
        as_of: the day whose state of PubMed the index has.
        notice: shown beside every answer.
    """

    def __init__(
        self,
        evidence: Evidence,
        judge: Callable[[str], AnswerSentence],
        identity: AnswerIdentity,
        *,
        watch: Stopwatch,
        as_of: date | None = None,
        notice: str | None = None,
    ) -> None:
        self.evidence = evidence
        self.watch = watch
        self._judge = judge
        self._identity = identity
        self._as_of = as_of
        self._notice = notice
        self._statuses = {
            document_id_of(item.node): str(item.node.metadata["status"])
            for item in evidence.nodes
            if item.node.metadata.get("status") in _UNUSUAL
        }
        self._buffer = ""
        self._sentences: list[AnswerSentence] = []
        self._dropped: list[AnswerSentence] = []
        self._declined = False
        self._cut_off = False
        self._usage: TokenUsage | None = None

    def feed(self, piece: Piece) -> Iterator[str]:
        """Takes the next piece; yields what can be said now. The last sentence waits for the one after it."""
        self._buffer += piece.text
        self._cut_off = self._cut_off or piece.cut_off
        self._usage = piece.usage or self._usage
        spans = sentences_with_marks(self._buffer)
        for start, end in spans[:-1]:
            yield from self._check(self._buffer[start:end])
        if len(spans) > 1:
            self._buffer = self._buffer[spans[-1][0] :]

    def finish(self) -> Iterator[str]:
        """Takes the end of the draft; yields what is left to say."""
        spans = sentences_with_marks(self._buffer)
        if self._cut_off and spans:
            # It may look whole and yet be half: "fell by 3." of "fell by 3.5 beats".
            start, end = spans.pop()
            self._dropped.append(AnswerSentence(self._buffer[start:end]))
        for start, end in spans:
            yield from self._check(self._buffer[start:end])
        self._buffer = ""
        if not self._sentences:
            yield ABSTENTION

    def response(self) -> MedQAResponse:
        """The answer so far."""
        evidence, abstained = self.evidence, self._abstention()
        cited = {citation.document_id for sentence in self._sentences for citation in sentence.citations}
        return MedQAResponse(
            response=" ".join(map(self._spoken, self._sentences)) or ABSTENTION,
            source_nodes=evidence.nodes,
            sentences=list(self._sentences),
            dropped=list(self._dropped),
            cut_off=self._cut_off,
            evidence_left_out=0 if evidence.refusal else evidence.left_out,
            abstained=abstained,
            explanation=explanation(abstained, evidence.language),
            searched=evidence.searched,
            unanswered=evidence.unanswered,
            confidence=evidence.confidence,
            disagreements=disagreements(self._sentences),
            retracted={name: status for name, status in self._statuses.items() if name in cited},
            withheld=evidence.withheld,
            notice=self._notice,
            answered_by=self._identity.model,
            as_of=self._as_of,
            identity=self._identity,
            usage=self._usage,
            seconds=self.watch.seconds,
        )

    def _check(self, sentence: str) -> Iterator[str]:
        if sentence.startswith(ABSTENTION.rstrip(".")) or _ABOUT_THE_EVIDENCE.match(sentence):
            self._declined = True
            return
        with self.watch.stage("verify"):
            judged = self._judge(sentence)
        if any(judged.text == said.text for said in self._sentences):
            # Small models repeat themselves.
            return
        if self._identity.policy == "strict" and not judged.supported:
            self._dropped.append(judged)
            return
        text = self._spoken(judged)
        self._sentences.append(judged)
        yield text if len(self._sentences) == 1 else f" {text}"

    def _spoken(self, sentence: AnswerSentence) -> str:
        return spoken(sentence, self._identity.policy, self._statuses)

    def _abstention(self) -> Abstention | None:
        if self._sentences:
            return None
        if self.evidence.refusal:
            return self.evidence.refusal
        return "model_declined" if self._declined else "nothing_supported"
