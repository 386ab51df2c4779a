"""What holds of extraction for any text, and how long degenerate text takes."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.extract import Extraction, extract_answer
from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.numbers import parse_number
from cotbuild.schemas.rationale import Flag
from tests.support.weathering import KINDS, OPTIONS, question

WORDS = "stones wear because water frost break them slowly while moss grows 7 km over it, (see below) in 1,900 years"
SENTENCE = st.lists(st.sampled_from(WORDS.split(" ")), min_size=1, max_size=12).map(
    lambda words: " ".join(words) + " down."
)
REASONING = st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join)
LEADS = (
    "The answer is ",
    "So the answer is ",
    "Therefore, the correct answer is: ",
    "Answer: ",
    "**Final Answer:** ",
)
FORMS = {
    "choice": (
        "{0}",
        "({0})",
        "{0}.",
        "**{0}**",
        "{0}: {1}",
        "({0}) {1}.",
        "{1}",
        "the {1}.",
        r"\boxed{{{0}}}",
        "<{0}>",
    ),
    "number": (
        "{0}",
        "{0}.",
        "${0}",
        "**{0}**",
        "{0} stones.",
        r"$\boxed{{{0}}}$",
        "1 + 1 = {0}",
    ),
    "yes_no": ("{0}", "{0}.", "**{0}**", "{0}, of course."),
    "text": ("{0}", "{0}.", '"{0}"', "**{0}**", "{0}, which is known."),
}
LABELS = st.sampled_from("ABCDE")


@st.composite
def stated(draw: st.DrawFn) -> tuple[str, str, str]:
    """(kind, answer, a form it is stated in)."""
    kind = draw(st.sampled_from(KINDS))
    form = draw(st.sampled_from(FORMS[kind]))
    if kind == "choice":
        label = draw(LABELS)
        return kind, label, form.format(label, OPTIONS["ABCDE".index(label)])
    if kind == "number":
        number = draw(
            st.decimals(
                min_value=-(10**9), max_value=10**9, places=draw(st.integers(0, 3))
            )
        )
        return (
            kind,
            f"{number:f}",
            form.format(f"{number:,f}" if draw(st.booleans()) else f"{number:f}"),
        )
    if kind == "yes_no":
        answer = draw(st.sampled_from(("yes", "no")))
        return (
            kind,
            answer,
            form.format(
                draw(st.sampled_from((answer, answer.title(), answer.upper())))
            ),
        )
    answer = draw(
        st.from_regex(r"[A-Z][a-z]{2,9}( [A-Z][a-z]{3,9}){0,2}", fullmatch=True)
    )
    return kind, answer, form.format(answer)


REFUSALS = (
    "either",
    "neither",
    "both",
    "none",
    "nothing",
    "unclear",
    "unknown",
    "cannot",
    "unable",
    "impossible",
)


@settings(max_examples=300, deadline=None)
@given(REASONING, st.sampled_from(LEADS), stated())
def test_what_is_stated_last_comes_back(
    reasoning: str, lead: str, case: tuple[str, str, str]
) -> None:
    kind, answer, form = case
    found = extract_answer(f"{reasoning}\n{lead}{form}", question(kind))
    if answer.split()[0].lower() not in REFUSALS:
        assert found.answer == answer
    assert found.rationale == reasoning
    assert found.flags == ()


@given(
    REASONING,
    stated(),
    st.sampled_from(("\n\nQ: ", "\n\nQuestion: ", "\n### Problem 2: ", "<|im_end|>")),
    st.text(),
)
def test_run_on_text_changes_nothing_but_the_flag(
    reasoning: str, case: tuple[str, str, str], mark: str, noise: str
) -> None:
    kind, _, form = case
    text = f"{reasoning} The answer is {form}"
    before, after = (
        extract_answer(t, question(kind))
        for t in (text, f"{text}{mark}Next? The answer is A. {noise}")
    )
    assert (after.answer, after.rationale) == (before.answer, before.rationale)
    assert after.flags == (Flag.RUN_ON,)
    assert after.complete


@settings(deadline=None)
@given(REASONING, st.sampled_from(KINDS))
def test_reasoning_without_a_statement_is_kept_whole(reasoning: str, kind: str) -> None:
    assume(
        kind not in ("text", "number") or len(reasoning.split()) > 8
    )  # "7 down." is an answer of these kinds
    found = extract_answer(reasoning, question(kind))
    assert found == Extraction(
        answer=None, rationale=reasoning, flags=(), complete=False
    )


PIECES = [
    "The answer is ", "Answer:", "####", "\\boxed{", "}", "<answer>", "(", ")", "A", "b", "either ", " or ",
    "1", ",", ".", "-", "$", "\n", "Q:", "\nQ: ", "<think>", "</think>", "yes", "no", "granite", "river",
    "so it is ", " is correct", "İ", "\u200b",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(),
        # Lone surrogates are replaced or refused where a text is read.
        st.lists(st.one_of(st.sampled_from(PIECES), st.characters(codec="utf-8"))).map(
            "".join
        ),
    ),
    st.booleans(),
)
def test_any_text_at_all(text: str, answer_first: bool) -> None:
    assert len(fold(text)) == len(text) == len(fold(text).lower())
    for kind in KINDS:
        q = question(kind)
        found = extract_answer(text, q, answer_first=answer_first)
        assert found == extract_answer(text, q, answer_first=answer_first)
        assert found.rationale == found.rationale.strip()
        assert (
            found.rationale in text or "think" in text.lower()
        )  # its blocks are taken out
        assert list(found.flags) == sorted(set(found.flags))
        if found.answer is None:
            continue
        assert found.answer == found.answer.strip() != ""
        if kind == "choice":
            assert found.answer in "ABCDE"
        if kind == "yes_no":
            assert found.answer in ("yes", "no")
        if kind == "number" and not found.answer.endswith("/0"):
            assert parse_number(found.answer) is not None or "/" in found.answer
