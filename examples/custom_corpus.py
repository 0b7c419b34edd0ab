"""Texts that PubMed does not have, in the same index: a clinic's own leaflets, cited by title and character span.

A record without a PMID gets an identity from its title and text, so that indexing it twice changes nothing.
"""

from collections.abc import Iterator

from llama_index.core import Document
from papers import index_of

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import AbstractSection, PublicationDate, PubMedRecord

# Whatever your own source gives: rows of a database, pages of a site. The clinic does not exist.
LEAFLETS = [
    {
        "title": "Leaflet 7: before a fasting blood test",
        "year": 2024,
        "parts": {
            "Eating": "A fasting blood test needs 10 hours without food. Drinking water does not change its results.",
            "Medicines": "Blood pressure tablets are taken as usual before a fasting blood test.",
        },
    },
    {
        "title": "Leaflet 9: after cataract surgery",
        "year": 2023,
        "parts": {"Driving": "Patients may drive two weeks after cataract surgery if the surgeon agrees."},
    },
]


def documents() -> Iterator[Document]:
    """The leaflets as documents; a leaflet's parts are the sections of its record."""
    for leaflet in LEAFLETS:
        sections = tuple(AbstractSection(text, label) for label, text in leaflet["parts"].items())
        yield to_document(
            PubMedRecord(
                title=leaflet["title"],
                sections=sections,
                journal="Leaflets of an invented clinic",
                date=PublicationDate(leaflet["year"]),
            )
        )


def main() -> None:
    """Indexes the leaflets twice, and asks them two questions."""
    index = index_of(documents())
    print(f"indexed again: {index.ingest(documents()).unchanged} unchanged")
    engine = MedQAQueryEngine.from_index(index, "extractive")
    for question in (
        "Does drinking water change the results of a fasting blood test?",
        "Is green tea good for the heart?",
    ):
        response = engine.query(question)
        print(f"{question} {response}")
        for citation in response.citations:
            print(f"  {citation.title}, characters {citation.start} to {citation.end}: {citation.quote}")


if __name__ == "__main__":
    main()
