"""PubMed/MEDLINE XML to records: streaming, lossless and strict.

May import the other modules of ``pubmed`` that know nothing of files or the network, its byte streams, and ``errors``.
"""

from llama_index_medqa.pubmed.formats.xml.reading import read_identities, read_xml

__all__ = ["read_identities", "read_xml"]
