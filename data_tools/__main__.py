"""``python -m data_tools <verb>``."""

import typer

from data_tools.crawl import crawl_command

app = typer.Typer(help="Prepare data: fetch it, turn it into training and test sets.", no_args_is_help=True)
app.command("crawl")(crawl_command)


@app.callback()
def _verbs() -> None:
    """Keeps the verb on the command line also while there is only one."""


if __name__ == "__main__":
    app()
