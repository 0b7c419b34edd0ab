"""Events for LlamaIndex's instrumentation, without texts of question or answer."""

from llama_index.core.instrumentation.events import BaseEvent


class EvidenceEvent(BaseEvent):
    """Signals that evidence was chosen.

    Attributes:
        sentences: that the model is shown.
        left_out: retrieved sentences that it is not.
    """

    sentences: int
    left_out: int

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which handlers see this event."""
        return "MedQAEvidenceEvent"


class SentenceEvent(BaseEvent):
    """Signals that a drafted sentence was verified.

    Attributes:
        verdict: ``supported``, ``unsupported`` or ``contradicted``.
        support: 0 to 1.
    """

    verdict: str
    support: float

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which handlers see this event."""
        return "MedQASentenceEvent"


class AbstentionEvent(BaseEvent):
    """Signals that there is no answer.

    Attributes:
        reason: as in ``MedQAResponse.abstained``.
        confidence: how well what was retrieved meets the question, 0 to 1; None where nothing was.
    """

    reason: str
    confidence: float | None

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which handlers see this event."""
        return "MedQAAbstentionEvent"
