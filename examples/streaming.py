"""An answer sentence by sentence: each is checked before it is shown, and one that nothing supports never appears.

The model is scripted, so that the example runs in seconds; with a real one, nothing else changes.
"""

from papers import open_papers

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.query_engine import MedQAStreamingResponse
from llama_index_medqa.testing import ScriptedLLM

DRAFT = (
    "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:999]. "
    "It also cures the common cold [PMID:101]. "
    "No serious adverse events occurred with green tea."
)


def main() -> None:
    """Asks one question."""
    engine = MedQAQueryEngine.from_index(open_papers(), ScriptedLLM([DRAFT]), streaming=True)
    stream = engine.query("Does green tea lower the resting heart rate?")
    assert isinstance(stream, MedQAStreamingResponse)  # noqa: S101  # what a streaming engine gives
    for sentence in stream.response_gen:
        print(sentence.strip())
    response = stream.get_response()
    for sentence in response.dropped:
        print(f"left out ({sentence.verdict}): {sentence.text}")
    for citation in response.citations:
        print(f"{citation.document_id}, characters {citation.start} to {citation.end}: {citation.quote}")


if __name__ == "__main__":
    main()
