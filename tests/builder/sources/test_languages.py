"""Names of languages, and directions of translation."""

import pytest

from cotbuild.builder.sources.languages import find_direction, language_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("deu", "German"),
        ("de", "German"),
        ("is", "Icelandic"),
        ("zh", "Chinese"),
        ("zho-CN", "Chinese (Simplified)"),
        ("zho-TW", "Chinese (Traditional)"),
        ("zho_Hant", "Chinese (Traditional)"),
        ("srp-Cyrl", "Serbian (Cyrillic)"),
        ("por-BR", "Portuguese (Brazil)"),
        ("eng-CN", "English (CN)"),
        ("nob", "Norwegian Bokmål"),
        ("qqq", "qqq"),
        ("", ""),
    ],
)
def test_codes_have_english_names(code: str, name: str) -> None:
    assert language_name(code) == name


@pytest.mark.parametrize(
    ("name", "languages", "expected"),
    [
        ("eng-deu", ["eng", "deu"], ("eng", "deu")),
        ("deu-eng", ["eng", "deu"], ("deu", "eng")),
        ("zho-CN-eng", ["eng", "zho-CN"], ("zho-CN", "eng")),
        ("eng-zho-CN", ["eng", "zho-CN"], ("eng", "zho-CN")),
        ("eng-eng", ["eng", "deu"], None),
        ("eng-fra", ["eng", "deu"], None),
        ("engdeu", ["eng", "deu"], None),
        (None, ["eng", "deu"], None),
        ("eng-deu", [], None),
    ],
)
def test_a_direction_is_two_of_the_languages(
    name: str | None, languages: list[str], expected: tuple[str, str] | None
) -> None:
    assert find_direction(name, languages) == expected
