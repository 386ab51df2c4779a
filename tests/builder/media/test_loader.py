"""From what a data set gives for a picture to a picture in the store."""

import base64
import os
from pathlib import Path

import pytest

from cotbuild.builder.media import BadImage, ImageLoader, MediaStore
from cotbuild.builder.media.fetched import FetchedPictures
from cotbuild.schemas.errors import ConfigError
from tests.support.picture_server import PictureServer, send_bytes, send_status
from tests.support.pictures import GREEN, draw_picture

PNG = draw_picture()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture, and another picture beside it."""
    folder = tmp_path / "set"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "1.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(draw_picture(GREEN))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media")


def test_every_form_gives_the_same_picture(folder: Path, store: MediaStore) -> None:
    loader = ImageLoader(store, folder)
    values = [
        PNG,
        {"bytes": PNG, "path": None},
        base64.b64encode(PNG).decode(),
        "train/1.png",
        "./train/../train/1.png",
        str(folder / "train" / "1.png"),
        {"bytes": None, "path": "train/1.png"},
    ]
    images = {loader.load(value) for value in values}
    assert [store.read(image) for image in images] == [PNG]


@pytest.mark.parametrize(
    ("path", "clause"),
    [
        ("../secret.png", "'../secret.png' is outside the folder"),
        ("train/../../secret.png", "is outside the folder"),
        ("/etc/hostname", "is outside the folder"),
        ("link.png", "'link.png' is outside the folder"),
        ("elsewhere/secret.png", "is outside the folder"),
        ("train/2.png", "'train/2.png' cannot be read from .*: No such file"),
        ("train", "'train' cannot be read from .*: Is a directory"),
        ("pipe.png", "Not a regular file"),
        ("a\0b.png", "which is no path"),
        ("loop.png", "loop.png"),
    ],
)
def test_a_path_stays_in_its_folder(
    path: str, clause: str, folder: Path, store: MediaStore
) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "elsewhere").symlink_to(folder.parent)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(BadImage, match=clause):
        ImageLoader(store, folder).load(path)
    assert not store.folder.exists()


def test_without_a_folder_a_path_leads_nowhere(store: MediaStore) -> None:
    with pytest.raises(BadImage, match="no folder; name one with --images DIR"):
        ImageLoader(store, None).load("a.png")


def test_a_url_needs_the_users_word(store: MediaStore) -> None:
    loader = ImageLoader(store, None)
    loader.prefetch(["https://pictures.example/a.png"])
    with pytest.raises(ConfigError, match="Add --fetch-images"):
        loader.load("https://pictures.example/a.png")


def test_a_url_is_fetched_once(
    pictures: PictureServer, store: MediaStore, tmp_path: Path
) -> None:
    pictures.routes = {
        "/a.png": send_bytes(PNG),
        "/b.png": send_bytes(b"<html>not here</html>"),
        "/later.png": send_status(503),
    }
    urls = [pictures.url(f"/{name}.png") for name in ("a", "b", "gone", "later")]

    def open_loader() -> ImageLoader:
        fetched = FetchedPictures(tmp_path / "pictures.jsonl")
        return ImageLoader(store, None, fetched=fetched, network=pictures.network)

    first = open_loader()
    first.prefetch([*urls, urls[0], "train/1.png", None])
    first.prefetch(urls)
    reasons = {urls[1]: "begins with", urls[2]: "HTTP 404", urls[3]: "HTTP 503"}
    assert store.read(first.load(urls[0])) == PNG
    for url, reason in reasons.items():
        with pytest.raises(BadImage, match=f"was not fetched: .*{reason}"):
            first.load(url)
    assert sorted(pictures.requests) == [
        *("/a.png", "/b.png", "/gone.png", "/later.png", "/later.png"),
    ]

    pictures.requests.clear()
    pictures.routes["/later.png"] = send_bytes(PNG)
    second = open_loader()
    assert second.load({"bytes": None, "path": urls[0]}) == second.load(urls[3])
    for url in urls[1:3]:
        with pytest.raises(BadImage):
            second.load(url)
    assert pictures.requests == ["/later.png"]


def test_a_picture_that_was_deleted_is_fetched_again(
    pictures: PictureServer, store: MediaStore, tmp_path: Path
) -> None:
    pictures.routes = {"/a.png": send_bytes(PNG)}
    url = pictures.url("/a.png")
    fetched = FetchedPictures(tmp_path / "pictures.jsonl")
    loader = ImageLoader(store, None, fetched=fetched, network=pictures.network)
    image = loader.load(url)
    store.path(image).unlink()
    assert loader.load(url) == image
    assert store.read(image) == PNG
