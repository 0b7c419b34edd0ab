"""A query engine of your own, measured: in Python by LlamaIndex's runner, and by ``medqa evaluate``.

The engine is LlamaIndex's plain ``as_query_engine()`` over a vector store in memory; its model is scripted, so that the
example runs in seconds. On the command line the same engine is asked by

    medqa evaluate cases.jsonl --engine evaluate_engine:engine --output results.json
"""

import asyncio
from pathlib import Path

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.evaluation import BatchEvalRunner

from llama_index_medqa import PubMedReader
from llama_index_medqa.evaluation.cases import load_cases
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.llama_index_evaluator import MeasureEvaluator
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM

FOLDER = Path(__file__).parent
MEASURES = ("Recall@5", "Accuracy", "Faithfulness(verifier)")


def engine() -> BaseQueryEngine:
    """The system under test: it says the same whatever it is asked."""
    documents = PubMedReader().load_data(FOLDER / "papers.jsonl")
    index = VectorStoreIndex.from_documents(documents, embed_model=HashEmbedding())
    answer = "Yes, green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
    return index.as_query_engine(llm=ScriptedLLM([answer]), similarity_top_k=2)


async def main() -> None:
    """Scores the engine case by case."""
    cases = load_cases(FOLDER / "cases.jsonl")
    evaluators = {measure.name: MeasureEvaluator(measure, cases) for measure in measures_of(MEASURES)}
    questions = [case.question for case in cases]
    results = await BatchEvalRunner(evaluators).aevaluate_queries(engine(), queries=questions)
    for name, scores in results.items():
        print(f"{name}:")
        for score in scores:
            told = f"{score.score:.2f}" if score.score is not None else f"not scored, {score.invalid_reason}"
            print(f"  {told}: {score.query}")


if __name__ == "__main__":
    asyncio.run(main())
