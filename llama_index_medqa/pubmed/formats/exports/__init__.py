"""What reference managers and PubMed's own pages export: RIS, EndNote, Ovid, delimited tables, abstracts as text.

May import the record schema of ``pubmed.formats`` and what stands below it.
"""
