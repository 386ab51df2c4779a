"""Where a text names an option or the target: exact spans, on made-up text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers import mentions
from cotbuild.schemas.answers.mentions import Mention, find_mentions, names_target
from tests.support.weathering import KINDS, OPTIONS, question


def named(
    text: str, *options: str, labels: str = "ABCDEFGH", kind: str = "choice"
) -> list[tuple[str, str]]:
    """(label, the text cut out) of every mention."""
    q = question(kind, options or OPTIONS, labels)
    return [
        (mention.label, text[mention.start : mention.end])
        for mention in find_mentions(text, q)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Granite is hard, MOSS is not.", [("B", "Granite"), ("A", "MOSS")]),
        ("mosses and granites", []),
        ("moss's colour, moss-grown, (moss), “moss”", [("A", "moss")] * 4),
        ("_moss_ and **granite**", [("A", "moss"), ("B", "granite")]),
        ("river water", [("C", "river water")]),
        ("The river\nwater and the river", [("C", "river\nwater"), ("D", "river")]),
        ("river\u00a0\u200bwater", [("C", "river\u00a0\u200bwater")]),
        ("river-water, **river** water", [("C", "river-water"), ("C", "river** water")]),
        ("a river. Water flows; river, water", [("D", "river"), ("D", "river")]),
        ("riverwater", []),
        ("ＧＲＡＮＩＴＥ", [("B", "ＧＲＡＮＩＴＥ")]),
        ("it is none of the above", [("E", "none of the above")]),
        ("", []),
    ],
)  # fmt: skip
def test_an_options_words(text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text) == expected


@pytest.mark.parametrize("num_options", [6, 40])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("北京是首都，不是上海。", [("A", "北京"), ("B", "上海")]),
        ("北京，北京北京", [("A", "北京")] * 3),
        ("使用Python编程", [("C", "Python")]),
        ("Pythons或者APython", []),
        ("水在100度沸腾，1100度时不", [("D", "100度")]),
        ("東京は日本の首都です", [("E", "東京")]),
        ("ไม้ลอยน้ำ", [("F", "ไม้")]),
        ("ไม้ไผ่ ไม่", [("F", "ไม้")]),
        ("ไม่", []),
    ],
)
def test_options_in_a_script_without_spaces(
    text: str, expected: list[tuple[str, str]], num_options: int
) -> None:
    options = ["北京", "上海", "Python", "100度", "東京", "ไม้"]
    options += [f"moss {number}" for number in range(num_options - len(options))]
    labels = [chr(ord("A") + number) for number in range(num_options)]
    assert named(text, *options, labels="".join(labels)) == expected


def test_no_border_is_before_a_mark_of_a_letter() -> None:
    assert named("ไม้", "ไม", "x") == []


def test_repeated_letters_without_spaces_take_linear_time() -> None:
    text = "木" * 20_000
    q = question(options=("木" * 5_000, "qq"))
    assert len(find_mentions(text, q)) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(B)", [("B", "(B)")]),
        ("(b) and [C]", [("B", "(b)"), ("C", "[C]")]),
        ("**B** or (**B**)", [("B", "**B**"), ("B", "**B**")]),
        ("B: hard. C) wet", [("B", "B"), ("C", "C)")]),
        ("b) hard", [("B", "b)")]),
        ("b: hard", []),
        ("B. Hard\nC. Wet", [("B", "B"), ("C", "C")]),
        ("Vitamin B. It is", []),
        ("B.Sc. and 70 °C) of the letter B", []),
        ("option B is hard", [("B", "B")]),
        ("Option b, choice c; Options A, B and D", [(x.upper(), x) for x in "bcABD"]),
        ("either option A or option B", [("A", "A"), ("B", "B")]),
        ("So the answer is B because", [("B", "B")]),
        ("the answer is: **B**", [("B", "**B**")]),
        ("Answer: B", [("B", "B")]),
        ("A is the best, B is incorrect, C is wet", [("A", "A"), ("B", "B")]),
        ("Option A describes, option I have", [("A", "A")]),
        ("Option a is it, option a man", [("A", "a")]),
        ("Option A does not", [("A", "A")]),
        ("The answer is a rock", []),
        ("The answer is A rock", []),
        ("A plant and a stone answer a need; I am an option a man has", []),
        ("plan B, B vitamins, hepatitis B", []),
        ("(F) and option F", []),
        ("f(x) = 2*3*4", []),
        (r"\boxed{B}", [("B", "{B}")]),
    ],
)
def test_a_letter_in_an_answer_context(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert named(text, "moss", "granite", "water", "sand") == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (
            "A plant, the plant, plant",
            ("a plant", "an ox"),
            [("A", "A plant"), ("A", "the plant"), ("A", "plant")],
        ),
        ("We see the plant", ("plant", "ox"), [("A", "plant")]),
        ("on the sun", ("the sun", "on the"), [("B", "on the"), ("A", "sun")]),
        ("water flow rates", ("water flow", "flow rates"), [("A", "water flow")]),
        ("a home is home", ("home", "barn", "Home "), [("A", "home"), ("A", "home")]),
        ("(C) it is", ("home", "barn", "home"), [("A", "(C)")]),
        ("It is 9.0, 19.0 or 9.05", ("9.0", "5"), [("A", "9.0")]),
        ("5 of 1.5 and 5,000 in 5.", ("5", "6"), [("A", "5"), ("A", "5")]),
        ("at 9:30 and 9", ("9", "9:30"), [("B", "9:30"), ("A", "9")]),
        (
            "red, white or red white",
            ("red, white", "blue"),
            [("A", "red, white"), ("A", "red white")],
        ),
        ("we code C++ or C", ("C++", "C"), [("A", "C++"), ("B", "C")]),
        ("A cat, a dog", ("A", "B"), []),
        ("I think", ("I", "you"), []),
        ("does 3 + 4", ("+", "-"), [("A", "+")]),
        ("Cars. Cars", ("Cars.", "bikes"), [("A", "Cars"), ("A", "Cars")]),
        ("STRASSE İ", ("strasse", "i̇"), [("A", "STRASSE")]),
    ],
)
def test_odd_options(
    text: str, options: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert named(text, *options) == expected


def test_numeric_labels_are_no_list_numbers() -> None:
    text = "1) First. 2: then (2), option 3; 2*3*1."
    q = question(labels="1234", options=("x", "y", "z"), target="1")
    assert [text[m.start : m.end] for m in find_mentions(text, q)] == ["(2)", "3"]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("7 + 5 = 12", ["12"]),
        ("$12 and 12.00, 12%", ["$12", "12.00", "12"]),
        ("<<6*2=12>>12 eggs", ["12", "12"]),
        ("112, 1.2, 12.5, 120, -12, 12/5, x12, 12:30, 1,200", []),
        ("12 and 12", ["12", "12"]),
        ("twelve", []),
    ],
)
def test_a_number_however_it_is_written(text: str, spans: list[str]) -> None:
    assert [cut for _, cut in named(text, kind="number")] == spans


@pytest.mark.parametrize(
    "text", ["1,200", "1200", "$1200", "$ 1,200.00", "1.2 thousand", "1{,}200"]
)
def test_thousands(text: str) -> None:
    q = question("number", target="1200")
    assert find_mentions(f"It costs {text} in all", q) == (
        Mention(9, 9 + len(text), "1200"),
    )


@pytest.mark.parametrize(
    ("target", "found", "missed"),
    [
        ("3/4", ["3/4"], [r"\frac{3}{4}", "¾", "0.75", "three quarters"]),
        ("3/2", ["3/2", "1 1/2"], ["1½"]),
        ("1200", [r"1\,200"], ["1 200", "1.2k", "twelve hundred"]),
        ("1000000", ["1 million"], ["1e6", "10^6", "1.0 × 10^6"]),
        ("-5", ["-5", "minus 5"], ["minus five"]),
    ],
)
def test_the_notations_of_numbers_that_the_documentation_lists(
    target: str, found: list[str], missed: list[str]
) -> None:
    q = question("number", target=target)
    assert [text for text in [*found, *missed] if find_mentions(text, q)] == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, it floats.", [("yes", "Yes")]),
        ("It sinks. No.", [("no", "No")]),
        ("The answer is no because", [("no", "no")]),
        ("So the answer: true.", [("yes", "true")]),
        ("It floats, so yes.", [("yes", "yes")]),
        ("**Yes** or 'no'", [("yes", "Yes"), ("no", "no")]),
        ("No one knows. There is no way. It has no, or few, legs.", []),
        ("That is true", []),
    ],
)
def test_yes_and_no_only_as_answers(text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text, kind="yes_no") == expected


def test_text_targets_all_count_as_the_first() -> None:
    q = question("text", target="Lake Geneva", other_targets=("the Lac Léman",))
    text = "lake geneva, or LAC LÉMAN; Geneva"
    assert find_mentions(text, q) == (
        Mention(0, 11, "Lake Geneva"),
        Mention(16, 25, "Lake Geneva"),
    )


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("home", "A", True),
        ("home", "C", True),
        ("(C)", "A", True),
        ("(B)", "A", False),
        ("home", None, False),
    ],
)
def test_the_target_under_any_letter_of_its_text(
    text: str, target: str | None, expected: bool
) -> None:
    assert (
        names_target(text, question(options=("home", "barn", "home"), target=target))
        is expected
    )


def test_without_a_target_nothing_is_named() -> None:
    for kind in ("number", "text"):
        assert find_mentions("12 Lake Geneva", question(kind, target=None)) == ()


# --- properties ---

WORDS = ["moss", "river", "water", "the", "a", "A", "B", "(B)", "12", "1.5", "-", ".", ", ", " ", " ", " ", "\n", "b)",
         "*", "answer is ", "option ", "yes", "no", "Lake", "Geneva", "'", "İ", "\u200b", "$", "é", "none", "of",
         "above"]  # fmt: skip
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(WORDS) | st.characters(), max_size=30
).map("".join)
OPTION = st.lists(
    st.sampled_from(["moss", "river", "water", "the", "a", "12", "é", "9.0", "i"]),
    min_size=1,
    max_size=3,
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.lists(OPTION, min_size=2, max_size=5).map(tuple))
def test_spans_are_in_order_apart_and_of_the_text(
    text: str, options: tuple[str, ...]
) -> None:
    for kind in KINDS:
        q = question(kind, options, target="A" if kind == "choice" else "")
        found = find_mentions(text, q)
        ends = [0, *(mention.end for mention in found)]
        assert all(
            end <= mention.start < mention.end
            for end, mention in zip(ends, found, strict=False)
        )
        assert ends[-1] <= len(text)
        labels = (
            {"yes", "no"}
            if kind == "yes_no"
            else {c.label for c in q.choices} | {q.target}
        )
        assert {mention.label for mention in found} <= labels
        assert names_target(text, q) is any(
            mention.label == q.target for mention in found
        )


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.lists(OPTION, min_size=2, max_size=5).map(tuple))
@example("on the river water the river", ("the river", "river water"))
def test_what_is_cut_out_is_not_there_any_more(
    text: str, options: tuple[str, ...]
) -> None:
    for kind in KINDS:
        q = question(kind, options, target="A" if kind == "choice" else "")
        cut = text
        for mention in reversed(find_mentions(text, q)):
            cut = f"{cut[: mention.start]}|{cut[mention.end :]}"
        assert find_mentions(cut, q) == ()


@given(TEXTS, TEXTS, OPTION)
def test_an_options_own_text_is_always_found(
    before: str, after: str, option: str
) -> None:
    text = f"{before}; {option} ;{after}"
    bare = option.removeprefix("the ").removeprefix("a ")
    if bare not in ("a", "the", "i"):
        assert any(
            bare.split()[0] in text[m.start : m.end]
            for m in find_mentions(text, question(options=(option, "qq")))
        )


@given(TEXTS, st.lists(OPTION, min_size=2, max_size=8, unique=True).map(tuple))
def test_long_and_many_options_are_found_as_others_are(
    text: str, options: tuple[str, ...]
) -> None:
    asked = question(options=options)
    expected = find_mentions(text, asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mentions, "_MANY_OPTIONS", 0)
        assert find_mentions(text, asked) == expected


def test_an_option_of_hundreds_of_words_is_found() -> None:
    words = [f"{word} {number}" for number in range(100) for word in ("river", "moss")]
    option = " ".join(words)
    text = f"river 0 moss river 0 {option.replace(' ', '  ')}, and {option}s"
    found = find_mentions(text, question(options=("so", option)))
    assert [text[mention.start : mention.end] for mention in found] == [
        option.replace(" ", "  ")
    ]
