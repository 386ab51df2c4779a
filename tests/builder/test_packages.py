"""Packages of an extra that are missing, in one wording."""

import sys
from collections.abc import Callable
from importlib import import_module

import pytest

from cotbuild.builder.media.check import read_image_facts
from cotbuild.builder.packages import missing_package, needed_packages
from cotbuild.builder.view.database import Database
from cotbuild.schemas.answers import prose_scores
from cotbuild.schemas.errors import ConfigError


def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "no_such_package", None)
    with (
        pytest.raises(ConfigError) as fault,
        needed_packages("cloud", ("no_such_package",), "object stores need"),
    ):
        import_module("no_such_package")
    assert str(fault.value) == (
        "object stores need the extra 'cloud': no_such_package is not installed. Run in "
        "a checkout of cotbuild: pip install '.[cloud]'"
    )


@pytest.mark.parametrize(
    ("module", "use", "message"),
    [
        (
            "PIL",
            lambda: read_image_facts(b"x"),
            "pictures need the extra 'images': Pillow",
        ),
        ("duckdb", lambda: Database([]), "the page needs the extra 'serve': duckdb"),
    ],
)
def test_each_use_names_its_own(
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    use: Callable[[], object],
    message: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=f"^{message} is not installed. Run in"):
        use()


def test_another_missing_module_is_a_bug() -> None:
    with (
        pytest.raises(ModuleNotFoundError),
        needed_packages("cloud", ("obstore",), "object stores need"),
    ):
        raise ModuleNotFoundError("No module named 'mine'", name="mine")


def test_what_may_be_done_instead_comes_first() -> None:
    assert str(missing_package("it needs", "ray", "ray", "Use slurm")) == (
        "it needs the extra 'ray': ray is not installed. Use slurm, or run in a checkout "
        "of cotbuild: pip install '.[ray]'"
    )


def test_prose_which_may_not_import_builder_has_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prose_scores, "find_spec", lambda _: None)
    prose_scores.check_scorers.cache_clear()
    with pytest.raises(ConfigError) as fault:
        prose_scores.check_scorers()
    expected = missing_package("answers in prose need", "sacrebleu", "prose")
    assert str(fault.value) == str(expected)
