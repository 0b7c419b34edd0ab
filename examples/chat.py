"""A conversation: a follow-up is understood from what was said before, and answered from the papers again.

``extractive`` quotes sentences and needs no model; a follow-up is then searched for together with the question before.
"""

from papers import open_papers

from llama_index_medqa import MedQAQueryEngine


def main() -> None:
    """Asks two questions, and one that the papers cannot answer."""
    chat = MedQAQueryEngine.from_index(open_papers(), "extractive").as_chat_engine()
    for message in (
        "Does green tea lower the resting heart rate?",
        "And did it cause serious adverse events?",
        "What is the capital of Mongolia?",
    ):
        print(f"you: {message}")
        print(f"medqa: {chat.chat(message)}")


if __name__ == "__main__":
    main()
