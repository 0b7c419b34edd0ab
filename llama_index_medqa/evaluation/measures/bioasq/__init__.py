"""The measures of BioASQ task B for items and ideal answers.

May import ``evaluation.cases``, ``answers``, ``measures.measure`` and what stands below them.
"""
