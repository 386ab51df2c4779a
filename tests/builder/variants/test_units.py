"""Words, sentences and pieces of any text: what they are, and that they give the text
back.
"""

import asyncio
import pickle
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.builder.variants.units import (
    STOP_WORDS,
    TokenPieces,
    bare,
    is_mostly_unspaced,
    sentences,
    share_of,
    word_spans,
    words,
)
from cotbuild.schemas.errors import ConfigError

PROSE = st.lists(
    st.sampled_from(
        [
            "A",
            "b.",
            "Dr.",
            "Go!”",
            "(no)?",
            "3.5",
            "…",
            "e.g.",
            "\n",
            " ",
            "\u200b",
            "漢。",
        ]
    )
).map(" ".join)
ANY = st.text() | PROSE

# --- words ---


def test_words_and_their_spans_agree_on_every_character() -> None:
    text = "x".join(
        chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000
    )
    assert [text[start:end] for start, end in word_spans(text)] == words(text)


@given(ANY)
def test_spans_are_in_order_and_apart(text: str) -> None:
    spans = word_spans(text)
    assert [text[start:end] for start, end in spans] == words(text)
    assert all(a[1] < b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Home,", "home"),
        ("(B)", "b"),
        ("Don’t!", "don't"),
        ("“Hi”", "hi"),
        ("well-known.", "well-known"),
        ("$5.00", "5.00"),
        ("C++", "c"),
        ("ＡＢＣ", "abc"),
        ("Straße", "strasse"),
        ("«été»", "été"),
        ("(cafe\u0301)…", "cafe\u0301"),
        ("\u200bx\u200b", "x"),
        ("漢字。", "漢字"),
        ("—", ""),
        ("...", ""),
        ("=", ""),
        ("😀", ""),
        ("", ""),
    ],
)
def test_bare(word: str, expected: str) -> None:
    assert bare(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("It floats.", False),
        ("Es schwimmt über Wasser.", False),
        ("나무는 물에 뜬다.", False),  # Korean has spaces
        ("木头会浮在水上。", True),
        ("木は水に浮きます。", True),
        ("ไม้ลอยน้ำได้", True),
        ("木头会浮在水上。 The answer is B.", False),
    ],
)
def test_scripts_without_spaces(text: str, expected: bool) -> None:
    assert is_mostly_unspaced(text) is expected


@given(ANY)
def test_bare_of_bare_is_itself(text: str) -> None:
    for word in words(text):
        assert bare(bare(word)) == bare(word)


def test_stop_words_are_as_they_are_compared() -> None:
    assert len(STOP_WORDS) == 174
    assert {bare(word) for word in STOP_WORDS} == STOP_WORDS


# --- sentences ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("One", ["One"]),
        ("It rains. It pours.", ["It rains.", "It pours."]),
        ("Is it? Yes! 3 of them.", ["Is it?", "Yes!", "3 of them."]),
        ("He said “Go.” Then he left.", ["He said “Go.”", "Then he left."]),
        (
            "It is (really!) So. (B) is right.",
            ["It is (really!)", "So.", "(B) is right."],
        ),
        ('It is so. "No," she said.', ["It is so.", '"No," she said.']),
        (
            "Dr. King met J. K. Rowling vs. St. Paul.",
            ["Dr. King met J. K. Rowling vs. St. Paul."],
        ),
        ("Things, e.g. Apples, i.e. Fruit.", ["Things, e.g. Apples, i.e. Fruit."]),
        ("It costs 3.5 dollars. ok", ["It costs 3.5 dollars. ok"]),
        ("Birds can’t. Of course", ["Birds can’t.", "Of course"]),
        ("Wait... Then go", ["Wait...", "Then go"]),
        ("one\ntwo\n\n three", ["one", "two", "three"]),
        ("one\u2028two\r\nthree", ["one", "two", "three"]),
        ("Two  spaces.  Élan  vital", ["Two  spaces.", "Élan  vital"]),
        ("Glued.Together", ["Glued.Together"]),
        ("Glued.\u200bTogether", ["Glued.\u200bTogether"]),
        ("The answer is B. The rest", ["The answer is B. The rest"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(ANY)
def test_sentences_joined_by_spaces_give_the_words(text: str) -> None:
    found = sentences(text)
    assert words(" ".join(found)) == words(text)
    assert all(sentence == sentence.strip() != "" for sentence in found)


@pytest.mark.parametrize(
    "unit", [".", ". ", ".)", "A. ", "a.", "\n", "?!\"'", ". B", ")"]
)
def test_long_monotony_keeps_the_words(unit: str) -> None:
    text = (unit * 100_000)[:100_000] + "x"
    assert words(" ".join(sentences(text))) == words(text)


# --- shares ---


@pytest.mark.parametrize(
    ("share", "count", "expected"),
    [
        (0.5, 0, 0),
        (0.5, 1, 1),
        (0.5, 3, 2),
        (0.25, 2, 1),
        (0.25, 1, 0),
        (0.285, 100, 29),
        (0.1, 5, 1),
        (0, 9, 0),
        (1, 9, 9),
    ],
)
def test_share_is_rounded_half_up(share: float, count: int, expected: int) -> None:
    assert share_of(share, count) == expected


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_share_is_within_half_of_exact(share: float, count: int) -> None:
    assert abs(share_of(share, count) - share * count) <= 0.5 + 1e-6


# --- pieces ---


def byte_level(file: Path, *, greedy: bool = False) -> Path:
    """A tokenizer of bytes and a few merges, so that most characters beyond ASCII are
    several tokens.

    `greedy`: with all that would change, add or lose text.
    """
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        initial_alphabet=alphabet,
        special_tokens=["<s>"],
        show_progress=False,
    )
    made.train_from_iterator(["the thing there is then 😀"] * 3, trainer)
    if greedy:
        made.normalizer = normalizers.NFC()
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A <s>", special_tokens=[("<s>", 0)]
        )
        made.enable_truncation(4)
        made.enable_padding(length=40)
    made.save(str(file))
    return file


def dropping(file: Path) -> None:
    """A tokenizer that drops white space and knows few words."""
    made = Tokenizer(models.WordLevel({"the": 0, "?": 1}, unk_token="?"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(file))


EMBEDDED = pytest.param(
    "embedded", marks=pytest.mark.slow
)  # converted first, 25 s, where it never was


@pytest.fixture(scope="module", params=["bytes", "greedy", "dropping", EMBEDDED])
def pieces(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TokenPieces:
    folder = tmp_path_factory.mktemp("tokenizer")
    if request.param == "embedded":
        asyncio.run(embedded_model(folder / "log", print))
        return TokenPieces.of("embedded")
    if request.param == "dropping":
        dropping(folder / "tokenizer.json")
    else:
        byte_level(folder / "tokenizer.json", greedy=request.param == "greedy")
    return TokenPieces.of(str(folder))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "the  then\n",
        "😀👍🏽👨‍👩‍👧",
        "漢字かな한글",
        "cafe\u0301 नमस्ते",
        "<s> the <s>",
        "\x00\x85",
        "a" * 5000,
        " the" * 10_000,
    ],
)
def test_pieces_give_the_text(pieces: TokenPieces, text: str) -> None:
    assert "".join(pieces.split(text)) == text


@given(ANY)
def test_pieces_give_any_text_and_none_is_empty(pieces: TokenPieces, text: str) -> None:
    found = pieces.split(text)
    assert "".join(found) == text
    assert all(found)


def test_tokens_of_one_character_are_one_piece(tmp_path: Path) -> None:
    byte_level(tmp_path / "tokenizer.json")
    split = TokenPieces.of(str(tmp_path)).split
    assert split("x漢 é") == ["x", "漢", " ", "é"]
    assert split("the q") == ["the", " ", "q"]


def test_what_a_tokenizer_drops_goes_with_the_next_piece(tmp_path: Path) -> None:
    dropping(tmp_path / "tokenizer.json")
    assert TokenPieces.of(str(tmp_path)).split(" the  Cat. ") == [
        " the",
        "  Cat",
        ".",
        " ",
    ]


@pytest.mark.slow
def test_embedded_pieces_are_the_students_tokens(tmp_path: Path) -> None:
    asyncio.run(embedded_model(tmp_path / "log", print))
    assert TokenPieces.of("embedded").split("Hello  world 😀👍") == [
        "Hello",
        " ",
        " world",
        " 😀",
        "👍",
    ]


def test_an_embedded_model_that_was_never_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"'embedded'.*Generate with the embedded teacher once"
    ):
        TokenPieces.of("embedded")


def test_pieces_go_to_other_processes_and_are_pinned_by_their_file(
    tmp_path: Path,
) -> None:
    file = byte_level(tmp_path / "tokenizer.json")
    made = TokenPieces.of(str(tmp_path))
    digest, found = made.digest, made.split("the then")
    again = pickle.loads(pickle.dumps(made))
    assert (again.digest, again.split("the then")) == (digest, found)
    file.write_text(file.read_text() + "\n")
    assert TokenPieces.of(str(tmp_path)).digest != digest


@pytest.mark.parametrize("content", [None, "", "{}", "[1]"])
def test_a_folder_without_a_tokenizer_is_refused(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        TokenPieces.of(str(tmp_path)).split("a")
