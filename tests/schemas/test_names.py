"""Names that become names of files."""

import re

import pytest

from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.config import ExemplarsConfig, SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.names import is_plain_path
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import VariantSpec

UNSAFE = (
    *(
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/a",
        "a\\b",
        ".hidden",
        ".answers",
        "a\0b",
        "a\nb",
    ),
    *("x" * 300, "é" * 150, "\ud800", "a b", "-x", "*", "\u202ea", "~", "$HOME", "a:b"),
)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_split_is_named_as_a_file_can_be(name: str) -> None:
    settings: list[tuple[type[Record], dict[str, object]]] = [
        (SourceConfig, {"split": name}),
        (SourceConfig, {"eval_splits": ["dev", name]}),
        (ExemplarsConfig, {"split": name}),
    ]
    for form, values in settings:
        with pytest.raises(ConfigError, match=r"^x: (split|eval_splits\.1) is "):
            form.parse(values, "x", ConfigError)


@pytest.mark.parametrize(
    "name",
    ["train", "dev", "train_rand_split", "challenge-test", "v1.0", "训练", "Test"],
)
def test_a_safe_name_of_a_split_is_taken(name: str) -> None:
    assert SourceConfig.parse({"split": name}, "x").split == name


RESERVED = ("figures", "rationales", "questions")


@pytest.mark.parametrize("name", [*UNSAFE, *RESERVED, "A", "1a", "a.b"])
def test_a_variant_does_not_take_the_name_of_another_folder(name: str) -> None:
    spec = next(iter(builtin_variants().values())).model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"^x: name is "):
        VariantSpec.parse(spec | {"name": name}, "x", ConfigError)


ENTRY = {
    "path": "post_cot/train-00000-of-00001.parquet",
    "config_name": "post_cot",
    "split": "train",
    "num_rows": 1,
    "num_bytes": 1,
    "sha256": "",
    "digest": "",
}


@pytest.mark.parametrize(
    "path",
    [
        "../train-00000-of-00001.parquet",
        "/post_cot/train-00000-of-00001.parquet",
        "post_cot/../train-00000-of-00001.parquet",
        "post_cot/sub/train-00000-of-00001.parquet",
        "pre_cot/train-00000-of-00001.parquet",
        "post_cot/test-00000-of-00001.parquet",
        "post_cot/train-00000-of-00001.parquet\n",
        "post_cot/README.md",
        "README.md",
        "",
    ],
)
def test_a_file_of_a_build_lies_in_its_config(path: str) -> None:
    assert FileEntry.parse(ENTRY, "x").path == ENTRY["path"]
    with pytest.raises(DataError, match=f"unsafe file name {re.escape(repr(path))}"):
        FileEntry.parse(ENTRY | {"path": path}, "x")


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "a/", "./a", "a//b", "a/../b", "a/.b", "a\0", "a\\b", "\x1b"],
)
def test_a_plain_path_stays_in_its_folder(path: str) -> None:
    assert not is_plain_path(path)
    assert not is_plain_path("a/" * 600 + "b")
    assert not is_plain_path("a" * 256)
    assert is_plain_path("figures/lengths.png")
