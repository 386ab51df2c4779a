"""Pictures of questions, by digest, and only where the bytes are those of a picture."""

from pathlib import Path

import httpx
import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.builder.view.pictures import find_media_type, read_picture
from tests.support.commands import invoke
from tests.support.image_builds import write_image_questions
from tests.support.sites import served_site


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"<!doctype html><script>", None),
        (b"", None),
    ],
)
def test_the_type_is_that_of_the_content(data: bytes, media_type: str | None) -> None:
    assert find_media_type(data) == media_type


def test_pictures_are_shown_with_their_question(tmp_path: Path) -> None:
    source = write_image_questions(tmp_path, "train", range(4))
    out = tmp_path / "root" / "b"
    invoke(
        *("generate", "--source", source, "--map", "hint=hint", "--map", "image=image"),
        *("--teacher", "scripted", "--out", out),
    )
    build = StoredBuild.open(out)
    rationale = next(one for one in build.rationales() if one.images)
    question_id, [image] = rationale.question_id, rationale.images
    with Database([out]) as database:
        for near in (None, 0, 3, 10**9):
            found = read_picture(database, build, question_id, image.sha256, near=near)
            assert found.media_type == "image/png"
        with pytest.raises(NotFoundError, match="has no picture"):
            read_picture(database, build, question_id, "0" * 64)
    with served_site(tmp_path / "root") as site, site.client() as client:
        page = client.get("/builds/b/question", params={"id": question_id}).text
        assert "It is shape 1." in page
        [address] = [
            part.split('"')[0].replace("&amp;", "&")
            for part in page.split('src="')
            if part.startswith("/builds/b/picture")
        ]
        picture: httpx.Response = client.get(address)
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert len(picture.content) == len(found.data)
