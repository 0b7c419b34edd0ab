"""The command ``medqa``: its subcommands and what they show.

May import everything.
"""

from llama_index_medqa.cli.command import app, main

__all__ = ["app", "main"]
