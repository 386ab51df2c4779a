"""Pictures in a folder, by their content."""

from pathlib import Path

import pytest

from cotbuild.builder.media import BadImage, MediaStore, PreviewStore
from cotbuild.builder.media import store as store_module
from cotbuild.schemas.errors import StoreError
from tests.support.pictures import BLUE, GREEN, draw_picture


def test_a_picture_is_kept_as_it_is_and_once(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    data = draw_picture()
    image = store.put(data)
    first = store.path(image).stat()
    assert store.put(data) == image
    assert store.path(image).stat().st_mtime_ns == first.st_mtime_ns
    assert [path.name for path in store.folder.iterdir()] == [f"{image.sha256}.png"]
    assert store.read(image) == data


def test_what_is_no_picture_is_not_kept(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    with pytest.raises(BadImage):
        store.put(draw_picture(format="JPEG", size=(90, 90))[:-40])
    assert not store.folder.exists()


def test_half_a_file_is_replaced(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    data = draw_picture()
    image = store.put(data)
    store.path(image).write_bytes(data[:10])
    assert not store.has(image, len(data))
    store.put(data)
    assert store.read(image) == data


@pytest.mark.parametrize("damage", ["changed", "gone", "folder"])
def test_a_file_that_is_not_what_its_name_says_is_not_read(
    damage: str, tmp_path: Path
) -> None:
    store = MediaStore(tmp_path / "media")
    image = store.put(draw_picture())
    path = store.path(image)
    path.unlink()
    if damage == "changed":
        path.write_bytes(draw_picture(GREEN))
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(StoreError, match=image.sha256):
        store.read(image)


def test_a_preview_writes_nothing_and_remembers_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, new, later = draw_picture(), draw_picture(GREEN), draw_picture(BLUE)
    in_folder = MediaStore(tmp_path / "media").put(stored)
    monkeypatch.setattr(store_module, "MAX_PREVIEW_BYTES", len(later))
    preview = PreviewStore(tmp_path / "media")
    forgotten, remembered = preview.put(new), preview.put(later)
    assert preview.read(in_folder) == stored
    assert preview.read(remembered) == later
    assert preview.has(forgotten)
    with pytest.raises(StoreError):
        preview.read(forgotten)
    assert len(list((tmp_path / "media").iterdir())) == 1
