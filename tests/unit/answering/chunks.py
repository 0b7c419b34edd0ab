"""Chunks and passages for tests, each a whole record."""

from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from llama_index_medqa.verification.passages import Passage, passages_of


def chunk(name: str, title: str, body: str) -> NodeWithScore:
    """A record as one retrieved chunk."""
    node = TextNode(text=f"{title}\n{body}", metadata={"title": title}, start_char_idx=0)
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=name)
    return NodeWithScore(node=node)


def passage(name: str, title: str, body: str) -> Passage:
    """A record as one passage."""
    [made] = passages_of([chunk(name, title, body)])
    return made
