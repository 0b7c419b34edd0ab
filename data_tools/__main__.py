"""``python -m data_tools <verb>``."""

import typer

from data_tools.crawl import crawl_command
from data_tools.sft.command import sft_command

app = typer.Typer(help="Prepare data: fetch it, turn it into training and test sets.", no_args_is_help=True)
app.command("crawl")(crawl_command)
app.command("sft")(sft_command)


if __name__ == "__main__":
    app()
