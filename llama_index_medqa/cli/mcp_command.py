"""The command ``medqa mcp``: tools for agents over standard input and output."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from llama_index_medqa.cli.asking import AnsweredWith, opened_service
from llama_index_medqa.cli.option_groups import AnsweringOptions, with_groups
from llama_index_medqa.cli.options import VerboseOption, terminal_for
from llama_index_medqa.errors import IndexNotFoundError, MissingExtraError
from llama_index_medqa.redaction import logger_of

if TYPE_CHECKING:
    from asyncio import Future

    from llama_index_medqa.server.service import AnswerService

_logger = logger_of(__name__)


@with_groups
def mcp(answering: AnsweringOptions, verbose: VerboseOption = False) -> None:
    """Serve tools for agents (MCP) over standard input and output: ask, search, verify a claim, read a record."""
    chosen = AnsweredWith.of_options(answering)
    _require_extra()
    _require_folder(chosen.folder)
    with _protocol_output() as output:
        _serve(chosen, output)


def _require_extra() -> None:
    """Check that the protocol's SDK is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import mcp  # noqa: F401  # whether it is there is all that is asked
    except ImportError as error:
        raise MissingExtraError("medqa mcp", "server") from error


def _require_folder(folder: str) -> None:
    """Raise for a missing folder without loading what reads an index.

    Agents do not wait long for the first reply.

    Raises:
        IndexNotFoundError: it is missing.
    """
    if "://" not in folder and not Path(folder).is_dir():
        raise IndexNotFoundError(f"There is no index in {folder}: build one first, with `medqa index FILE`.")


@contextmanager
def _protocol_output() -> Iterator[TextIO]:
    """Reserve standard output for the protocol.

    Whatever a library prints goes to standard error.
    """
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as output:
        try:
            yield output
        finally:
            os.dup2(descriptor, 1)


def _serve(chosen: AnsweredWith, output: TextIO) -> None:
    """Answer until the client closes standard input.

    Models are loaded meanwhile; tools wait for them.
    """
    import asyncio

    from anyio import wrap_file
    from mcp.server.stdio import stdio_server

    from llama_index_medqa.server.mcp_tools import mcp_server

    async def serve(stack: ExitStack) -> None:
        opening = asyncio.create_task(asyncio.to_thread(_opened, stack, chosen))
        opening.add_done_callback(_log_failure)
        # A request that is cancelled must not stop what others wait for.
        server = mcp_server(lambda: asyncio.shield(opening))._mcp_server
        try:
            async with stdio_server(stdout=wrap_file(output)) as (received, sent):
                await server.run(received, sent, server.create_initialization_options())
        finally:
            await asyncio.gather(opening, return_exceptions=True)

    # Nothing interrupts the reading of standard input, and the model's process ends with this one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with ExitStack() as stack:
        asyncio.run(serve(stack))


def _opened(stack: ExitStack, chosen: AnsweredWith) -> "AnswerService":
    """Return the warm service, until the stack is closed."""
    chosen.require()
    service = stack.enter_context(opened_service(terminal_for(True), chosen))
    service.warm_up()
    return service


def _log_failure(opening: "Future[AnswerService]") -> None:
    """Log why nothing can be answered; each tool tells its agent."""
    if not opening.cancelled() and (error := opening.exception()):
        _logger.error("The index or a model cannot be opened: %s", error)
