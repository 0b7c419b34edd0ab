"""Data and training of the entailment verifier.

The verifier is a model that says whether a text supports a drafted sentence. This package makes its training pairs
(premise, hypothesis, label) from open data and trains it; `llama_index_medqa` only runs the finished model.
"""
