import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real public data, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MEDQA_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: set MEDQA_SHARED_DATA to the folder of real PubMed files")
    return folder
