"""URLs of stores: what is one, and one clear line for what cannot be."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cotbuild.builder.cloud.urls import (
    StoreUrl,
    find_store_url,
    split_store_revision,
)
from cotbuild.schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", StoreUrl("s3", "bucket", "")),
        ("s3://bucket/", StoreUrl("s3", "bucket", "")),
        ("s3://bucket/a/b_1.x", StoreUrl("s3", "bucket", "a/b_1.x")),
        ("s3://bucket/a/", StoreUrl("s3", "bucket", "a")),
        ("az://container/a", StoreUrl("az", "container", "a")),
        (Path("s3://bucket/a"), StoreUrl("s3", "bucket", "a")),
        ("builds/mine", None),
        ("s3:/bucket", None),
        ("alice/mine", None),
        ("file:releases/x", None),
        ("http://host/x", None),
        ("S3://bucket", None),
    ],
)
def test_which_texts_are_urls(text: str | Path, expected: StoreUrl | None) -> None:
    assert find_store_url(text) == expected
    if expected is not None:
        assert find_store_url(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://", "the bucket is ''"),
        ("s3://Bucket/a", "the bucket is 'Bucket'"),
        ("s3://b", "the bucket is 'b'"),
        ("s3://bucket//a", "the part ''"),
        ("s3://bucket/../a", "the part '..'"),
        ("s3://bucket/.hidden", "the part '.hidden'"),
        ("s3://bucket/a b", "the part 'a b'"),
        ("s3://bucket/" + "a/" * 300, "599 characters, more than 512"),
        ("gs://bucket/a", "Google Cloud Storage is not supported"),
    ],
)
def test_what_cannot_be_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_store_url(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "s3://KEY:hunter2@bucket/a",
        "s3://hunter2@bucket/a",
        "s3://bucket/a?X-Amz-Signature=hunter2",
        "az://container/a?sig=hunter2",
        "s3://bucket/a#hunter2",
        "gs://hunter2@bucket/a",
    ],
)
def test_credentials_are_refused_and_never_echoed(text: str) -> None:
    for parse in (find_store_url, split_store_revision):
        if parse is split_store_revision and "@" in text.partition("bucket/")[2]:
            continue
        with pytest.raises(ConfigError) as caught:
            parse(text)
        assert "hunter2" not in str(caught.value)
        assert "KEY:" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a", ("s3://bucket/a", None)),
        ("s3://bucket/a@v1.0", ("s3://bucket/a", "v1.0")),
        ("builds/mine@v1", None),
        ("alice/mine@v1", None),
    ],
)
def test_a_revision_follows_the_path(
    text: str, expected: tuple[str, str | None] | None
) -> None:
    assert split_store_revision(text) == expected


def test_an_at_sign_without_a_revision_is_refused() -> None:
    with pytest.raises(ConfigError, match="ends with an @"):
        split_store_revision("s3://bucket/a@")


def test_a_child_is_below_its_place() -> None:
    assert str(StoreUrl("s3", "bucket", "").child(".answers/work")) == (
        "s3://bucket/.answers/work"
    )
    assert str(StoreUrl("s3", "bucket", "a").child("b")) == "s3://bucket/a/b"


@given(st.sampled_from(["s3", "gs", "az"]), st.text(max_size=80))
@example("s3", "/")
@example("s3", "//bucket/a")
def test_any_text_parses_or_is_refused_in_one_line(scheme: str, rest: str) -> None:
    text = f"{scheme}://{rest}"
    try:
        message = str(find_store_url(text))
    except ConfigError as error:
        message = str(error)
    else:
        assert message == text.rstrip("/")
    assert len(message.splitlines()) == 1
