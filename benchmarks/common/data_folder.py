"""The shared data that measurements read."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path


def add_data_option(parser: ArgumentParser) -> None:
    """Add ``--data`` with its default.

    What MEDQA_SHARED_DATA names, or the folder beside the checkout.
    """
    parser.add_argument("--data", type=Path, default=os.environ.get("MEDQA_SHARED_DATA", "../shared/data"))


def require_data(folder: Path) -> None:
    """End the program with what to do where the folder is missing."""
    if not folder.is_dir():
        sys.exit(f"There is no data at {folder}: give --data.")
