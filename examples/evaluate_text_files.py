"""Text files of your own behind LlamaIndex's plain ``VectorStoreIndex``, measured in three lines: no PubMed, no PMIDs.

The right documents of a case are named by their files. The embedder counts words and the model is scripted, so that the
example runs in seconds; leave both out to use those of your ``Settings``.
"""

import tempfile
from pathlib import Path

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex

from llama_index_medqa.evaluation import compare, evaluate
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM

FILES = {
    "opening.txt": "The clinic is open from 8 to 17 on weekdays. It is closed on Sundays.",
    "parking.txt": "Parking behind the clinic is free for patients for two hours.",
    "prescriptions.txt": "Repeat prescriptions are ready at the front desk after two working days.",
}
CASES = [
    {"id": "1", "question": "Is parking behind the clinic free?", "gold_documents": ["parking.txt"]},
    {"id": "2", "question": "When are repeat prescriptions ready?", "gold_documents": ["prescriptions.txt"]},
    {
        "id": "3",
        "question": "Is the clinic closed on Sundays?",
        "gold_label": "yes",
        "gold_answer": "Yes, it is closed.",
    },
]
MEASURES = ("Recall@1", "Answered", "Accuracy", "WordF1")


def index_of(folder: Path) -> VectorStoreIndex:
    """The files in an index."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    documents = SimpleDirectoryReader(folder).load_data()
    return VectorStoreIndex.from_documents(documents, embed_model=HashEmbedding())


def main() -> None:
    """Measures two engines and compares them."""
    with tempfile.TemporaryDirectory() as folder:
        index = index_of(Path(folder))
        engine = index.as_query_engine(llm=ScriptedLLM(["Yes, it is closed."]), similarity_top_k=1)
        other = index.as_query_engine(llm=ScriptedLLM(["No."]), similarity_top_k=1)
        results = evaluate(engine, CASES, measures=MEASURES)
        print(results)
        print(compare(results, evaluate(other, CASES, measures=MEASURES)))


if __name__ == "__main__":
    main()
