"""Builds with images: in their rows and folder, published, pulled, and from strangers."""

import io
import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.release.check import VerifyOptions, verify_folder
from cotbuild.builder.storage.parquet import read_images
from cotbuild.schemas.errors import DataError
from tests.builder.release.conftest import REPO, Run, files_of
from tests.support.commands import HERE, invoke, rows
from tests.support.hub.running import SmallHub
from tests.support.image_builds import (
    change_images,
    change_manifest,
    write_image_questions,
)
from tests.support.pictures import draw_picture
from tests.support.tiny_vision import IMAGE_TOKENS

PATHS = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE / ".ns")])}
"""For a child process that imports from the tests."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_image_questions(folder, "train", range(8))
    write_image_questions(folder, "test", range(100, 104))
    return folder


def generate_words(source: Path, out: Path) -> list[object]:
    return [
        *("generate", "--source", source, "--eval-splits", "test"),
        *("--map", "hint=hint", "--map", "image=image"),
        *("--teacher", "scripted", "--samples", 2, "--out", out),
    ]


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 8 questions, 4 of them with an image; not to be written to."""
    out = tmp_path_factory.mktemp("made") / "build"
    invoke(*generate_words(source, out))
    invoke("variants", out, "--only", "post_cot,chat_post_cot")
    return out


@pytest.fixture(scope="module")
def published(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of it in a folder; not to be written to."""
    folder = tmp_path_factory.mktemp("published") / "release"
    invoke("publish", made, f"file:{folder}", "--tag", "v1")
    return folder


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "build"))


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "release"))


def image_names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "media").iterdir())


# -- the build -------------------------------------------------------------------------


def test_the_rows_and_the_folder_hold_every_image(made: Path) -> None:
    build = StoredBuild.open(made)
    expected = []
    for row in build.rationales():
        expected += [image.file_name for image in row.images]
    for question in build.questions():
        expected += [image.file_name for image in question.images]
    assert len(expected) == 10
    assert image_names(made) == sorted(set(expected))
    found = []
    for entry in (*build.files("rationales"), *build.files("questions")):
        for images in read_images(build.place(entry)):
            found += [image.path for image in images]
    assert found == expected
    media = build.manifest.media
    assert media is not None
    assert media.num_files == 6
    assert media.num_bytes == sum(
        path.stat().st_size for path in (made / "media").iterdir()
    )
    assert build.manifest.inputs == {"hint": 8, "image": 4}
    verify_folder(made, VerifyOptions())


def test_rows_of_messages_have_images_and_rows_of_text_do_not(made: Path) -> None:
    [path] = (made / "post_cot").glob("train-*.parquet")
    assert "images" not in pq.read_schema(path).names
    build = StoredBuild.open(made)
    for split in ("train", "test"):
        [entry] = build.files("chat_post_cot", split)
        names = [
            [image.path for image in images]
            for images in read_images(build.place(entry))
        ]
        by_id = {row.question_id: row.images for row in build.rationales()}
        by_id |= {question.id: question.images for question in build.questions()}
        assert names == [
            [image.file_name for image in by_id[row.question_id]]
            for row in build.message_rows("chat_post_cot", split)
        ]
        assert {len(images) for images in names} == {0, 1}


def test_datasets_gives_images_of_a_build_and_of_a_release(
    made: Path, published: Path, tmp_path: Path
) -> None:
    import datasets

    for folder in (made, published):
        for name in ("rationales", "questions", "chat_post_cot"):
            loaded = datasets.load_dataset(
                str(folder), name, cache_dir=str(tmp_path / folder.name)
            )
            shown = [row["images"] for split in loaded.values() for row in split]
            assert {len(images) for images in shown} == {0, 1}
            pixels = [image.getpixel((0, 0)) for images in shown for image in images]
            assert all(pixel[1:] == (30, 200) for pixel in pixels)


def test_inspect_names_the_inputs_and_describes_the_images(made: Path) -> None:
    lines = invoke("inspect", made).stdout.splitlines()
    assert "inputs: 8 hint, 4 image" in lines
    row = next(row for row in StoredBuild.open(made).rationales() if row.images)
    lines = invoke("inspect", made, "--id", row.question_id).stdout.splitlines()
    assert f"input      image: 32×24 png {row.images[0].sha256[:12]}…" in lines
    assert f"input      hint: {row.inputs[0].text}" in lines


def test_the_card_shows_the_first_row_with_its_image(published: Path) -> None:
    media = StoredBuild.open(published).manifest.media
    assert media is not None
    assert media.example is not None
    card = (published / "README.md").read_text()
    image = f"](media/{media.example.file_name})\n\n<details>\n<summary>First row of"
    assert image in card
    assert image_names(published) == [media.example.file_name]
    row = card.partition("First row of rationales with a picture")[2].partition("```\n")
    assert media.example.sha256 in row[0]


def test_the_card_trains_a_vision_model_on_rows_of_messages(
    made: Path, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    invoke("publish", made, f"file:{release}", "--configs", "chat_post_cot")
    card = (release / "README.md").read_text()
    assert 'select_columns(["prompt", "completion", "images"])' in card
    assert 'SFTTrainer("HuggingFaceTB/SmolVLM-256M-Instruct"' in card
    verify_folder(release, VerifyOptions())


def test_another_run_puts_a_lost_image_back_and_leaves_others_alone(
    build: Path, source: Path
) -> None:
    before = image_names(build)
    (build / "media" / before[0]).unlink()
    (build / "media" / "note.txt").write_text("mine")
    with pytest.raises(DataError, match=rf"{before[0]}: .*but a row has this picture"):
        verify_folder(build, VerifyOptions())
    assert "no open requests" in invoke(*generate_words(source, build)).stdout
    assert image_names(build) == sorted([*before, "note.txt"])
    assert len(StoredBuild.open(build).specs) == 2
    verify_folder(build, VerifyOptions())
    assert "up to date" in invoke(*generate_words(source, build)).stdout


# -- releases --------------------------------------------------------------------------


def test_a_release_is_pulled_with_its_images_and_asks_nothing(
    made: Path, published: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pulled"
    invoke("pull", f"file:{published}@v1", out)
    assert image_names(out) == image_names(made)
    assert rows(out) == rows(made)
    verify_folder(out, VerifyOptions(all_rows=True))
    config = out / "build.json"
    again = invoke("generate", "--config", config, "--source", source, "--out", out)
    assert "no open requests" in again.stdout
    assert rows(out) == rows(made)


@pytest.mark.slow
def test_a_release_on_the_hub_has_one_image_beside_its_rows(
    at_hub: Run, hub: SmallHub, made: Path, tmp_path: Path
) -> None:
    said = at_hub("publish", made, REPO, "--tag", "v1").stdout
    [image] = [path for path in files_of(hub) if path.startswith("media/")]
    assert f"  {image}  " in said
    out = tmp_path / "pulled"
    at_hub("pull", f"{REPO}@v1", out)
    assert image_names(out) == image_names(made)
    at_hub("verify", REPO)


def test_the_image_of_an_older_release_is_deleted(
    release: Path, source: Path, tmp_path: Path
) -> None:
    [before] = image_names(release)
    other = tmp_path / "other"
    invoke(*generate_words(source, other), "--rows", "2:8")
    invoke("publish", other, f"file:{release}", "--tag", "v2")
    [after] = image_names(release)
    assert after != before
    verify_folder(release, VerifyOptions())


# -- what strangers write --------------------------------------------------------------


def of_first(**changes: object) -> Callable[[list[Any]], None]:
    """Change the first image of the second row, which is the first with one."""

    def change(values: list[Any]) -> None:
        first = next(images for images in values if images)
        first[0] = {**first[0], **changes}

    return change


def add_image(values: list[Any]) -> None:
    values[0] = [next(images for images in values if images)[0]]


def huge_png() -> bytes:
    """A header that states 60,000 × 60,000 pixels."""
    data = bytearray(draw_picture())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def gif() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24)).save(file, "GIF")
    return file.getvalue()


HOSTILE: dict[str, tuple[Callable[[list[Any]], None], str]] = {
    "another image": (of_first(bytes=draw_picture((1, 2, 3))), "sha256 is"),
    "a cut image": (of_first(bytes=draw_picture()[:60]), "the picture"),
    "another type": (of_first(bytes=gif()), "is"),
    "pixels without end": (of_first(bytes=huge_png()), "pixels"),
    "SVG": (of_first(bytes=b"<svg xmlns='x'/>"), "SVG"),
    "nothing": (of_first(bytes=b""), "empty"),
    "no bytes": (of_first(bytes=None), "has no bytes"),
    "another path": (of_first(path="../../etc/passwd"), "passwd"),
    "one more": (add_image, "its inputs name []"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_bytes_that_are_not_the_image_described_are_one_line(
    release: Path, change: Callable[[list[Any]], None], words: str
) -> None:
    change_images(release, "rationales", change)
    with pytest.raises(DataError) as caught:
        verify_folder(release, VerifyOptions())
    line = str(caught.value)
    assert words in line
    assert line.isprintable()
    assert f"{release}/rationales/train-" in line


@pytest.mark.parametrize("field", ["num_files", "num_bytes", "digest", "example"])
def test_every_figure_of_the_images_is_checked(release: Path, field: str) -> None:
    def change(manifest: dict[str, Any]) -> None:
        other = {"digest": "0" * 64, "example": None}
        media = manifest["media"]
        media[field] = other.get(field, 7)

    change_manifest(release, change)
    with pytest.raises(DataError, match=field):
        verify_folder(release, VerifyOptions())


def test_images_that_the_manifest_does_not_list_are_refused(release: Path) -> None:
    change_manifest(release, lambda manifest: manifest.pop("media"))
    with pytest.raises(DataError, match="column 'images' is not one"):
        verify_folder(release, VerifyOptions())


@pytest.mark.parametrize("is_there", [False, True])
def test_the_image_that_the_card_shows_is_checked(
    release: Path, *, is_there: bool
) -> None:
    [name] = image_names(release)
    place = release / "media" / name
    place.unlink()
    if is_there:
        place.write_bytes(draw_picture((1, 2, 3)))
    with pytest.raises(DataError, match=name):
        verify_folder(release, VerifyOptions())


def test_a_link_instead_of_an_image_is_not_followed(
    release: Path, tmp_path: Path
) -> None:
    [name] = image_names(release)
    place = release / "media" / name
    place.rename(tmp_path / name)
    place.symlink_to(tmp_path / name)
    with pytest.raises(DataError, match="is not a regular file but a link"):
        verify_folder(release, VerifyOptions())


# -- training --------------------------------------------------------------------------


@pytest.mark.slow
def test_trl_collates_rows_of_messages_with_their_images(
    made: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.collate_with_trl"]
    done = subprocess.run(
        [*command, str(made), "chat_post_cot"],
        capture_output=True,
        text=True,
        env={**os.environ, **PATHS, "HF_DATASETS_CACHE": str(tmp_path)},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    collated = json.loads(done.stdout.splitlines()[-1])
    trained = list(StoredBuild.open(made).message_rows("chat_post_cot"))
    assert collated["supervised"] == [
        f"{row.completion_text}<|im_end|>\n" for row in trained
    ]
    [path] = (made / "chat_post_cot").glob("train-*.parquet")
    assert [count // IMAGE_TOKENS for count in collated["image_tokens"]] == [
        len(images) for images in read_images(path)
    ]
    assert collated["pixels"][0] == len(trained)
    assert collated["loss"] > 0
