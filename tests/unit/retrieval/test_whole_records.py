"""The other chunks of the first retrieved records."""

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import QueryBundle

from llama_index_medqa import PubMedRetriever
from llama_index_medqa.retrieval.whole_records import whole_records

QUESTION = "Does green tea lower the resting heart rate?"


def test_the_first_records_come_with_all_their_chunks(index):
    retriever = PubMedRetriever(index, similarity_top_k=1)
    [best] = retriever.retrieve(QUESTION)
    found = whole_records(retriever, [best])
    stored = {node.node_id for node in index.store.get_nodes() if node.ref_doc_id == best.node.ref_doc_id}
    assert {item.node.node_id for item in found} == stored
    assert len(found) == len(stored)
    assert found[0] is best


def test_what_another_retriever_found_stays_as_it_is(index):
    nodes = PubMedRetriever(index, similarity_top_k=2).retrieve(QUESTION)

    class Other(BaseRetriever):
        def _retrieve(self, query_bundle: QueryBundle):
            return nodes

    assert whole_records(Other(), nodes) == nodes
    assert whole_records(PubMedRetriever(index), nodes, most_records=0) == nodes
