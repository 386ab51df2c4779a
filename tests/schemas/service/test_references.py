"""References to files: what is one, and that none can be a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.names import is_plain_path
from cotbuild.schemas.service.references import (
    FolderRef,
    Reference,
    TargetRef,
    UploadRef,
    is_upload_name,
    parse_reference,
    upload_name,
)

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (f"upload:{DIGEST}", UploadRef(DIGEST, None)),
        (f"upload:{DIGEST}/fragen ä.jsonl", UploadRef(DIGEST, "fragen ä.jsonl")),
        ("folder:data", FolderRef("data", "")),
        ("folder:data/a/b.csv", FolderRef("data", "a/b.csv")),
        ("target:mine", TargetRef("mine")),
        ("gsm8k", None),
        ("alice/mine", None),
        ("", None),
    ],
)
def test_a_reference_is_read_and_written_alike(
    text: str, reference: Reference | None
) -> None:
    assert parse_reference(text) == reference
    if reference is not None:
        assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "upload:",
        f"upload:{DIGEST[:-1]}",
        f"upload:{DIGEST.upper()}",
        f"upload:{DIGEST}/",
        f"upload:{DIGEST}/a/b",
        f"upload:{DIGEST}/../a",
        f"upload:{DIGEST}/.hidden",
        f"upload:{DIGEST}/a,b",
        f"upload:{DIGEST}/a=b",
        f"upload:{DIGEST}/a\nb",
        "folder:",
        "folder:/etc",
        "folder:data/../x",
        "folder:data//x",
        "folder:data/.git/config",
        "folder:../x",
        "target:",
        "target:a/b",
        "target:.service",
        "target:a\n",
    ],
)
def test_what_begins_as_a_reference_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected upload:SHA256/NAME"):
        parse_reference(text)


@given(st.text(max_size=60))
def test_no_reference_leaves_its_folder(rest: str) -> None:
    for prefix in ("upload:" + DIGEST + "/", "folder:data/", "target:"):
        try:
            found = parse_reference(prefix + rest)
        except ValueError:
            continue
        if isinstance(found, UploadRef) and found.name is not None:
            assert is_plain_path(found.name)
            assert "/" not in found.name
        if isinstance(found, FolderRef) and found.path:
            assert is_plain_path(found.path)
        if isinstance(found, TargetRef):
            assert is_plain_path(found.name)


@given(st.text(alphabet=st.characters(), max_size=400))
def test_every_file_name_has_a_name_for_uploads(name: str) -> None:
    cleaned = upload_name(name)
    assert is_upload_name(cleaned)
    assert upload_name(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "uploaded"),
    [
        ("questions.jsonl", "questions.jsonl"),
        ("a,b=c.csv", "a_b_c.csv"),
        ("..", "data"),
        (".hidden.csv", "hidden.csv"),
        ("x" * 300 + ".parquet", "x" * 247 + ".parquet"),
        ("é" * 200 + ".csv", "é" * 125 + ".csv"),
        ("tab\there.txt", "tab_here.txt"),
        ("問題.jsonl", "問題.jsonl"),
    ],
)
def test_a_name_keeps_its_ending(name: str, uploaded: str) -> None:
    assert upload_name(name) == uploaded
