"""The system that a pull request may change; here it quotes from the examples' papers."""

from papers import open_papers

from llama_index_medqa import MedQAQueryEngine


def engine() -> MedQAQueryEngine:
    """What is asked."""
    return MedQAQueryEngine.from_index(open_papers(), "extractive", retrieval="lexical")
