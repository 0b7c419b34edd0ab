"""The system that continuous integration gates: the query engine quoting from 61 abstracts, found by words alone.

The abstracts, questions and answers in ``suite/`` were written for this; the papers do not exist. No weights are
needed: no model drafts, and vectors (of hashed words) are stored and not searched. What is gated is the code: reading,
cutting, search by words, choice of evidence, verification.

    medqa evaluate benchmarks/gates/suite/cases.jsonl --engine benchmarks.gates.extractive:engine \
        --terms benchmarks/gates/suite/terms.txt --output results.json
    medqa gate benchmarks/gates/baselines/suite.json results.json --margins benchmarks/gates/suite/margins.toml

``make gate`` runs both. After a change that is meant to change answers, ``make baseline`` writes the baseline anew: say
in the commit why the answers are as good.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from tokenizers import Tokenizer, models, pre_tokenizers

from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedReader, PubMedRetriever, TokenNodeParser
from llama_index_medqa.evaluation.cases import load_cases
from llama_index_medqa.testing import HashEmbedding

SUITE = Path(__file__).parent / "suite"


def engine() -> MedQAQueryEngine:
    """The engine under test."""
    return MedQAQueryEngine(_retriever(), "extractive")


def harmless_change() -> MedQAQueryEngine:
    """The same system in another order and wrapped once more: the gate must let it pass."""
    return MedQAQueryEngine(_PassingOn(_retriever(reverse=True)), "extractive")


def planted_regression() -> MedQAQueryEngine:
    """Its retriever returns the abstracts of another question for one question in five: the gate must fail it."""
    return MedQAQueryEngine(_WrongAbstracts(_retriever()), "extractive")


def _retriever(*, reverse: bool = False) -> PubMedRetriever:
    folder = Path(tempfile.mkdtemp(prefix="medqa-suite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    parser = TokenNodeParser(tokenizer=str(folder / "tokenizer.json"))
    index = PubMedIndex.open(str(folder / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    documents = list(PubMedReader().lazy_load_data(SUITE / "corpus.jsonl"))
    index.ingest(reversed(documents) if reverse else documents)
    return PubMedRetriever(index, mode="lexical", similarity_top_k=6)


class _PassingOn(BaseRetriever):
    def __init__(self, retriever: BaseRetriever) -> None:
        super().__init__()
        self._retriever = retriever

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._retriever.retrieve(query_bundle)


class _WrongAbstracts(_PassingOn):
    def __init__(self, retriever: BaseRetriever) -> None:
        super().__init__(retriever)
        questions = [case.question for case in load_cases(SUITE / "cases.jsonl")]
        self._instead = {question: questions[place - 1] for place, question in enumerate(questions) if place % 5 == 0}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._retriever.retrieve(self._instead.get(query_bundle.query_str, query_bundle.query_str))
