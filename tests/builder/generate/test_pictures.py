"""Questions with pictures: from files to requests, and what is asked again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.generate.run import dry_run, generate
from cotbuild.builder.media import MediaStore, media_folder
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, DataError, TeacherError
from tests.support.http_teacher import Server, serve
from tests.support.picture_server import PictureServer, send_bytes
from tests.support.pictures import BLUE, GREEN, RED, draw_animation, draw_picture

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}
IMAGE_TOKENS = 5


@pytest.fixture(scope="module")
def teacher() -> Iterator[Server]:
    """A server that takes pictures."""
    with serve(image_tokens=IMAGE_TOKENS) as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with questions about pictures, and one about none."""
    (tmp_path / "pictures").mkdir()
    rows: list[dict[str, Any]] = []
    for number, (name, colour) in enumerate(COLOURS.items()):
        (tmp_path / "pictures" / f"{name}.png").write_bytes(draw_picture(colour))
        rows.append(row(name, "ABC"[number], f"pictures/{name}.png"))
    rows.append(row("grass", "B", None))
    return write_rows(tmp_path, rows)


def row(name: str, answer: str, image: str | None) -> dict[str, Any]:
    return {
        "id": name,
        "question": f"What colour is this {name}?",
        "choices": list(COLOURS),
        "answer": answer,
        "image": image,
    }


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    return path


def config(source: Path, teacher: Server, **settings: Any) -> BuildConfig:
    return BuildConfig.parse(
        {
            "source": {
                "name": str(source),
                "columns": {"image": "image"},
                **settings,
            },
            "teacher": {"model": "fake", "endpoints": [teacher.url]},
            "templates": ["choice_inputs@1"],
            "sampling": {"max_tokens": 16},
        },
        "test",
    )


def token_line(build_config: BuildConfig, out: Path) -> str:
    lines = dry_run(build_config, out)
    return next(line for line in lines if line.startswith("tokens:"))


def test_pictures_take_the_whole_way(
    source: Path, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS)
    out, settings = tmp_path / "build", config(source, teacher)
    tokens = token_line(settings, out)
    assert not out.exists()

    made = generate(settings, out, Terminal())
    assert made.asked == 4
    media = MediaStore(media_folder(out))
    rows = {one.question_id: one for one in StoredBuild.open(out).rationales()}
    kept = {
        name: [media.read(one.image) for one in rows[name].inputs if one.image]
        for name in rows
    }
    assert kept == {
        "grass": [],
        **{name: [draw_picture(colour)] for name, colour in COLOURS.items()},
    }
    # The stand-in's /tokenize counts the role of each of the two turns as a token.
    used = sum(one.prompt_tokens or 0 for one in rows.values()) + 2 * len(rows)
    assert tokens.startswith(f"tokens: {used} in prompts")

    assert not generate(settings, out, Terminal()).rebuilt


def test_another_picture_is_another_request(
    source: Path, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS)
    out, settings = tmp_path / "build", config(source, teacher)
    generate(settings, out, Terminal())
    picture = source.parent / "pictures" / "red.png"
    picture.rename(picture.with_name("moved.png"))
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    rows[0]["image"] = "pictures/moved.png"
    write_rows(source.parent, rows)
    assert generate(settings, out, Terminal()).asked == 0

    # The file of questions stays the same.
    picture.with_name("moved.png").write_bytes(draw_picture((221, 30, 30)))
    assert generate(settings, out, Terminal()).asked == 1


def test_a_teacher_without_vision_is_refused_before_the_first_row(
    source: Path, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset()
    with pytest.raises(TeacherError, match="'fake' takes no pictures"):
        generate(config(source, teacher), tmp_path / "build", Terminal())
    # The probe with a picture, and the one without.
    assert len(teacher.counts()) == 2

    embedded = config(source, teacher).model_copy(
        update={"teacher": BuildConfig().teacher}
    )
    with pytest.raises(ConfigError, match="'embedded' takes no pictures"):
        list(dry_run(embedded, tmp_path / "other"))


def test_without_a_server_pictures_are_said_not_to_be_counted(
    source: Path, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS, max_model_len=None)
    line = token_line(config(source, teacher), tmp_path / "build")
    assert "of text, without those of 3 pictures, in prompts" in line


@pytest.mark.parametrize(
    ("name", "clause"),
    [
        ("moving.gif", "input 'image': the picture is an animated GIF; give one frame"),
        ("half.png", "input 'image': the picture cannot be decoded: 'image file is tr"),
        ("drawing.svg", "input 'image': the picture is SVG, expected PNG"),
        ("gone.png", "input 'image': the picture 'gone.png' cannot be read"),
        ("../above.png", "input 'image': the picture '../above.png' is outside"),
    ],
)
def test_a_picture_that_cannot_be_used_is_one_line_or_one_count(
    name: str, clause: str, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS)
    (tmp_path / "moving.gif").write_bytes(draw_animation())
    (tmp_path / "half.png").write_bytes(draw_picture(size=(300, 300))[:200])
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "good.png").write_bytes(draw_picture())
    source = write_rows(tmp_path, [row("a", "A", "good.png"), row("b", "B", name)])
    out = tmp_path / "build"
    with pytest.raises(DataError) as caught:
        generate(config(source, teacher), out, Terminal())
    assert f"questions.jsonl row 1 (from 0): {clause}" in str(caught.value)
    assert "pass --on-bad-row drop" in str(caught.value)

    made = generate(config(source, teacher, on_bad_row="drop"), out, Terminal())
    assert made.manifest.source.dropped == {"bad_image": 1}


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """A server of pictures, on the only network there is."""
    with PictureServer() as server:
        monkeypatch.setattr(
            "cotbuild.builder.media.fetch.Network", lambda: server.network
        )
        yield server


def test_urls_are_fetched_on_request_and_once(
    pictures: PictureServer, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS)
    pictures.routes = {"/a.png": send_bytes(draw_picture())}
    urls = [pictures.url("/a.png"), pictures.url("/gone.png")]
    source = write_rows(tmp_path, [row(f"q{url[-5]}", "A", url) for url in urls])
    out = tmp_path / "build"
    with pytest.raises(ConfigError, match="Add --fetch-images"):
        generate(config(source, teacher), out, Terminal())
    assert pictures.requests == []

    settings = config(source, teacher, fetch_images=True, on_bad_row="drop")
    assert generate(settings, out, Terminal()).asked == 1
    assert generate(settings, out, Terminal()).asked == 0
    assert sorted(pictures.requests) == ["/a.png", "/gone.png"]


def test_paths_begin_in_the_folder_that_is_named(
    source: Path, teacher: Server, tmp_path: Path
) -> None:
    teacher.reset(image_tokens=IMAGE_TOKENS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = source.rename(elsewhere / source.name)
    settings = config(moved, teacher, images=str(tmp_path))
    assert generate(settings, tmp_path / "build", Terminal()).asked == 4
    with pytest.raises(ConfigError, match="--images 'nowhere': no such folder"):
        generate(config(moved, teacher, images="nowhere"), tmp_path / "b", Terminal())
