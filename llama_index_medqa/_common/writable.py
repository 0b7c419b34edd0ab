"""Whether files can be written, asked before the work whose results they are for."""

import os
from pathlib import Path
from tempfile import TemporaryFile

from llama_index_medqa.errors import InputError


def require_writable(*files: Path | None) -> None:
    """Raise if a file for results cannot be written.

    Args:
        files: those that are asked for; None for one that is not.

    Raises:
        InputError: it cannot, or one file is given twice.
    """
    wanted = [file for file in files if file is not None]
    for file in wanted:
        if file.is_dir():
            raise unwritable(file, "it is a folder")
        if not file.parent.is_dir():
            raise unwritable(file, f"there is no folder {file.parent}")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise unwritable(file, "permission denied")
        try:
            # No permission tells of file systems without files of one's own, such as /proc.
            with TemporaryFile(dir=file.parent):
                pass
        except OSError as error:
            raise unwritable(file, f"no file can be made in {file.parent} ({error.strerror})") from error
    if len({file.resolve() for file in wanted}) < len(wanted):
        raise InputError("Two outputs are to go into one file: give each a file of its own.")


def unwritable(file: Path, reason: str) -> InputError:
    """Return the error for a file that cannot be written."""
    return InputError(f"{file} cannot be written: {reason}. Choose another folder.")
