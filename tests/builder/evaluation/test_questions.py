"""The questions that a student is evaluated on, by the name of their source."""

from pathlib import Path

import pytest

from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.evaluation.questions import choose_variant, read_questions
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.errors import ConfigError
from tests.support.commands import invoke


def test_the_direction_of_files_of_translations(tmp_path: Path) -> None:
    pairs = [
        f'{{"translation": {{"de": "Tee {n}.", "en": "Tea {n}."}}}}\n' for n in range(3)
    ]
    (tmp_path / "valid.de-en.json").write_text("".join(pairs))
    found = read_questions(str(tmp_path), "dev", 2, Terminal(), "en-de")
    assert found.split == "validation"
    assert [(one.text, one.target) for one in found.questions] == [
        ("Tea 0.", "Tee 0."),
        ("Tea 1.", "Tee 1."),
    ]


def test_a_build_has_one_config(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(ConfigError, match="--config-name 'en-de' with the build"):
        read_questions(str(tmp_path), "dev", None, Terminal(), "en-de")


def test_a_split_that_a_build_has_not_is_named_as_it_was_typed(tmp_path: Path) -> None:
    build = tmp_path / "b"
    invoke("generate", "--teacher", "scripted", "--limit", "3", "--out", build)
    with pytest.raises(
        ConfigError,
        match=r"no evaluation split 'dev'; it has none\. Pass .* --eval-splits dev\.$",
    ):
        read_questions(str(build), "dev", None, Terminal())


def test_several_variants_of_a_bare_model_are_named() -> None:
    with pytest.raises(ConfigError, match="--variant names label_only, "):
        choose_variant("paper", None)
