"""Places as users write them."""

import pytest

from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.errors import InputError, ServerError
from llama_index_medqa.vector_store.client import address_arguments


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("some/folder", {"persist_dir": "some/folder"}),
        ("http://localhost", {"host": "localhost", "port": 8000, "ssl": False}),
        ("http://10.0.0.1:81/heart", {"host": "10.0.0.1", "port": 81, "ssl": False, "collection_name": "heart"}),
        ("https://chroma.example/", {"host": "chroma.example", "port": 443, "ssl": True}),
    ],
)
def test_a_location_is_a_folder_or_an_address(location, expected):
    assert address_arguments(location) == expected


@pytest.mark.parametrize(
    ("location", "message"),
    [("http://", "names no host"), ("http://host:port", "is no address"), ("http://[", "address")],
)
def test_an_address_that_cannot_be_meant_is_told(location, message):
    with pytest.raises(InputError, match=message):
        address_arguments(location)


def test_a_server_that_does_not_answer_is_told(unused_tcp_port):
    with pytest.raises(ServerError, match=r"No Chroma server answers at .*chroma run"):
        PubMedVectorStore.at(f"http://127.0.0.1:{unused_tcp_port}")


@pytest.mark.parametrize("name", ["q.csv", "q.csv/idx"])
def test_a_file_in_place_of_a_folder_is_told_and_stays(tmp_path, name):
    (tmp_path / "q.csv").write_text("question")
    with pytest.raises(InputError, match=r"q\.csv is a file, and an index is a folder: give the index another name"):
        PubMedVectorStore.at(str(tmp_path / name))
    assert (tmp_path / "q.csv").read_text() == "question"
