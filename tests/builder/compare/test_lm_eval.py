"""Samples of lm-evaluation-harness: what is read, and what is refused in one line."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.compare.answers import GradedAnswer
from cotbuild.builder.compare.lm_eval import read_samples
from cotbuild.builder.compare.lm_eval_responses import Responses
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from tests.support.lm_eval_samples import (
    Sample,
    choice_sample,
    text_sample,
    write_samples,
)


def test_options_have_the_answers_that_their_metrics_graded(tmp_path: Path) -> None:
    # The longest option is the likeliest per character, though not as a whole.
    samples = [choice_sample(0, [-1, -9, -3]), choice_sample(1, [-4, -2, -8])]
    found = read_samples(write_samples(tmp_path / "samples_x.jsonl", samples))
    first, second = found.questions
    assert found.metrics == ("accuracy", "normalised")
    assert found.left_out == ("f1",)
    assert (first.id, first.target, first.doc_hash) == ("q0", "0", "hash of 0")
    assert first.answers["accuracy"] == GradedAnswer("bank", True)
    assert first.answers["normalised"] == GradedAnswer("a very long road", False)
    assert second.answers["accuracy"] == GradedAnswer("river", False)


def test_each_filter_of_generated_texts_has_its_metric(tmp_path: Path) -> None:
    samples = [
        text_sample(doc_id, answer, name)
        for doc_id in (1, 0)
        for name, answer in (("strict-match", "[invalid]"), ("flexible", "5"))
    ]
    path = write_samples(tmp_path / "samples_x.jsonl", samples)
    found = read_samples(path)
    assert found.metrics == ("free,strict-match", "free,flexible")
    assert [question.doc_id for question in found.questions] == [0, 1]
    assert found.questions[0].id is None
    only = read_samples(path, "flexible")
    assert only.metrics == ("free",)
    assert only.questions[0].answers == {"free": GradedAnswer("5", True)}
    with pytest.raises(
        ConfigError, match=r"has the filter 'x'\. Its filters: 'strict-m"
    ):
        read_samples(path, "x")


def test_rows_of_earlier_versions_are_read(tmp_path: Path) -> None:
    old = choice_sample(0, [-1, -9, -3])
    arguments = [["Where is money?", text] for text in (" bank", " river", " a road")]
    pairs = [[-1.0, False], [-9.0, False], [-3.0, False]]
    old |= {"arguments": arguments, "filtered_resps": pairs, "acc": True, "target": 0}
    for name in ("filter", "metrics", "doc_hash", "f1"):
        del old[name]
    path = tmp_path / "task.jsonl"
    path.write_text(json.dumps([old, old | {"doc_id": 1}], indent=2))
    [first, _] = read_samples(path).questions
    assert first.answers["accuracy"] == GradedAnswer("bank", True)
    assert (first.target, first.doc_hash) == ("0", None)


def unnamed(doc_id: int, answer: str, generated: str = "It is 5.") -> Sample:
    """A row of versions 0.4.3 to 0.4.6, which names neither filter nor metrics."""
    sample = text_sample(doc_id, answer, "", resps=[[generated]])
    return {key: sample[key] for key in sample if key not in ("filter", "metrics")}


def test_filters_that_no_row_names_are_numbered(tmp_path: Path) -> None:
    # As version 0.4.5 writes them: all questions by one filter, then all by the next.
    samples = [
        unnamed(doc_id, answer) for answer in ("[invalid]", "5") for doc_id in (0, 1)
    ]
    path = write_samples(tmp_path / "samples_gsm8k.jsonl", samples)
    found = read_samples(path)
    assert found.metrics == ("free,1", "free,2")
    assert found.questions[1].answers == {
        "free,1": GradedAnswer("[invalid]", False),
        "free,2": GradedAnswer("5", True),
    }
    only = read_samples(path, "2")
    assert only.metrics == ("free",)
    assert only.questions[0].answers == {"free": GradedAnswer("5", True)}
    with pytest.raises(ConfigError, match=r"the filter 'x'\. Its filters: '1', '2'\."):
        read_samples(path, "x")


def test_rows_of_two_runs_are_no_filters(tmp_path: Path) -> None:
    samples = [unnamed(0, "5"), unnamed(0, "6", "It is 6.")]
    path = write_samples(tmp_path / "samples_gsm8k.jsonl", samples)
    with pytest.raises(DataError) as caught:
        read_samples(path)
    assert str(caught.value) == (
        f"{path} row 1 (from 0): doc_id 0 occurs again with other responses (resps), so it "
        "is no other filter of the same run. Pass the samples of a single run of a single "
        "task."
    )


@pytest.mark.parametrize(
    ("prompts", "answer"),
    [
        (("A man sees the cat", "A man sees the dog", "A man sees the cow"), "dog"),
        (("The catfish", "The cat", "The catamaran"), "cat"),
        (("same", "same", "same"), "same"),
    ],
)
def test_options_in_the_prompt_are_told_by_where_the_prompts_differ(
    prompts: tuple[str, ...], answer: str, tmp_path: Path
) -> None:
    arguments = [[prompt, " is big"] for prompt in prompts]
    sample = choice_sample(0, [-4, -1, -3], arguments=arguments)
    [question] = read_samples(write_samples(tmp_path / "s.jsonl", [sample])).questions
    assert question.answers["accuracy"] == GradedAnswer(answer, False)
    # lm-evaluation-harness divides by lengths that the row does not have.
    assert question.answers["normalised"].answer is None


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": {}},
        {"arguments": {"gen_args_0": {"arg_0": "p", "arg_1": " bank"}}},
        {"arguments": {str(number): {"arg_0": "p"} for number in range(3)}},
        {"acc_mutual_info": 1.0},
    ],
)
def test_an_answer_that_a_row_does_not_tell_is_left_out(
    changes: Sample, tmp_path: Path
) -> None:
    sample = choice_sample(0, [-1, -9, -3], **changes)
    [question] = read_samples(write_samples(tmp_path / "s.jsonl", [sample])).questions
    assert question.answers["accuracy"] == GradedAnswer(None, True)


@pytest.mark.parametrize(
    ("value", "is_graded"),
    [(1.0, True), (0, True), (True, True), (0.5, False), (None, False), ("1", False)],
)
def test_a_metric_grades_if_all_its_values_are_right_or_wrong(
    value: object, is_graded: bool, tmp_path: Path
) -> None:
    samples = [text_sample(0, "5", "none"), text_sample(1, "5", "none")]
    samples[1]["exact_match"] = value
    found = read_samples(write_samples(tmp_path / "s.jsonl", samples))
    assert found.metrics == (("free",) if is_graded else ())
    assert found.left_out == (() if is_graded else ("free",))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([{"question": "2 + 3?"}], "row 0 (from 0): doc_id is None, not the number of"),
        ([text_sample(True, "5", "none")], "doc_id is True, not the number"),
        ([text_sample(0, "5", "none", filter=3)], "filter is 3, not a text."),
        (
            [text_sample(0, "5", "none", metrics="acc")],
            "metrics is 'acc', not a list of",
        ),
        (
            [text_sample(3, "5", "none"), text_sample(3, "6", "none")],
            "row 1 (from 0): doc_id 3 occurs twice with the filter 'none'. Pass the",
        ),
        (
            [text_sample(0, "5", "none", metrics=[f"m{n}" for n in range(51)])],
            "more than 50 metrics.",
        ),
        ([text_sample(n, "5", f"f{n}") for n in range(51)], "more than 50 filters."),
    ],
)
def test_other_files_are_refused_in_one_line(
    samples: list[Sample], message: str, tmp_path: Path
) -> None:
    path = write_samples(tmp_path / "samples_x.jsonl", samples)
    with pytest.raises(DataError) as caught:
        read_samples(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows."),
        ('{"doc_id": 0,\n{"doc_id": 1}\n', "is not JSON"),
        ("[" * 1_000, "JSON"),
    ],
)
def test_no_json_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "samples_x.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_samples(path)


def test_texts_are_cut_and_valid_unicode(tmp_path: Path) -> None:
    path = tmp_path / "samples_x.jsonl"
    sample = text_sample(0, "x" * 5_000, "none", target="LONE")
    path.write_text(json.dumps(sample).replace("LONE", "\\ud800"))
    [question] = read_samples(path).questions
    assert question.target == "\\ud800"
    assert len(question.answers["free"].answer or "") == 1_000


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(choice_sample(0, [-1, -2, -3]))), JSON_VALUES)
def test_any_value_of_a_field_is_read_or_refused(name: str, value: object) -> None:
    row = choice_sample(0, [-1, -2, -3]) | {name: value}
    found = Responses.read(row)
    for metric in ("acc", "acc_norm", "exact_match"):
        answer = found.find_answer(metric)
        assert answer is None or isinstance(answer, str)


@pytest.mark.parametrize("value", [None, [], {}, [[]], [{}], "x", 3, [[["a"]]]])
def test_any_field_may_be_anything(value: object, tmp_path: Path) -> None:
    sample = choice_sample(0, [-1, -2, -3])
    for name in sample:
        with suppress(CotbuildError):
            read_samples(write_samples(tmp_path / "s.jsonl", [sample | {name: value}]))
