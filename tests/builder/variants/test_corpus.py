"""The corpus: words counted, partners of other questions, files bound by name; the
scores file.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.corpus import LoadedCorpus, read_words
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import ScoresFile, write_scores
from cotbuild.builder.variants.units import bare, words
from cotbuild.schemas.attribution import (
    ScoredRationale,
    ScoredSpan,
    ScoresInfo,
    rationale_digest,
)
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError, StoreError
from tests.support.examples import example, example_of
from tests.support.labelled import SETS, rows_of

RELATIONS = ("any", "same", "other")
INFO = ScoresInfo(
    student="embedded", method="leave-one-word-out", steps=None, baseline=None
)


def real_examples() -> Iterator[RationaleExample]:
    """PaLM's rationales for CommonsenseQA's dev split."""
    for question, row in rows_of(SETS[1]):
        yield example_of(question, row.rationale, row.sample_index)


@st.composite
def builds(draw: st.DrawFn) -> list[RationaleExample]:
    """Some questions with some rationales each, of a few labels; a label may differ
    between samples.
    """
    found = []
    for number in range(draw(st.integers(1, 6))):
        for index in range(draw(st.integers(1, 3))):
            label = draw(st.sampled_from(["yes", "no", "maybe"]))
            text = draw(
                st.lists(
                    st.sampled_from(["cold", "Cold,", "water", "—", "naïve", "水"]),
                    max_size=4,
                )
            )
            found.append(example(" ".join(text), f"q{number}", index, target=label))
    return found


def partners(
    rows: Iterable[RationaleExample], of: Iterable[RationaleExample]
) -> list[list[str | None]]:
    """Each one's partners under every relation."""
    with LoadedCorpus(rows, {}) as corpus:
        return [[corpus.another(one, relation) for relation in RELATIONS] for one in of]


# --- words ---


def test_words_are_counted_as_they_stand_and_documents_by_bare_form() -> None:
    rows = [
        example("Cold cold, water."),
        example("cold", "r"),
        example("", "s"),
        example("— —", "t"),
    ]
    with LoadedCorpus(rows, {}) as corpus:
        forms = ("cold", "water", "Cold", "water.", "", "ice")
        rarities = dict(zip(forms, corpus.rarities(forms), strict=True))
        even = corpus.words_at([place / 5 for place in range(5)], by_count=False)
        by_count = corpus.words_at([place / 6 for place in range(6)], by_count=True)
    assert rarities == {
        "cold": log(2),
        "water": log(4),
        "Cold": 0.0,
        "water.": 0.0,
        "": 0.0,
        "ice": 0.0,
    }
    assert even == ["Cold", "cold", "cold,", "water.", "—"]  # by code points
    assert by_count == ["Cold", "cold", "cold,", "water.", "—", "—"]


@given(builds(), st.floats(0, 1, exclude_max=True))
def test_every_point_is_a_word_of_the_build(
    rows: list[RationaleExample], point: float
) -> None:
    said = Counter(word for row in rows for word in words(row.rationale))
    with LoadedCorpus(rows, {}) as corpus:
        if not said:
            with pytest.raises(DataError, match="the rationales have no word"):
                corpus.words_at([point], by_count=True)
            return
        found = [
            *corpus.words_at([point], by_count=False),
            *corpus.words_at([point], by_count=True),
        ]
        points = [place / said.total() for place in range(said.total())]
        counts = Counter(corpus.words_at(points, by_count=True))
    assert set(found) <= set(said)
    assert abs(counts.total() - said.total()) == 0
    assert all(
        abs(counts[word] - said[word]) <= 1 for word in said
    )  # a point may fall just short of its word


@pytest.mark.parametrize("by_count", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1_000, 4_095])
def test_the_last_point_below_one_is_the_last_word(count: int, by_count: bool) -> None:
    said = [f"{number:04}" for number in range(count)]
    with LoadedCorpus([example(" ".join(said))], {}) as corpus:
        assert corpus.words_at([1 - 2**-53], by_count=by_count) == [said[-1]]


# --- partners ---


@given(builds(), st.randoms(use_true_random=False))
def test_partners_keep_their_relation_whatever_the_order(
    rows: list[RationaleExample], random: Any
) -> None:
    rows = [
        example(f"{row.question_id} {row.sample_index}", **_but_text(row))
        for row in rows
    ]
    by_text = {row.rationale: row for row in rows}
    shuffled = random.sample(rows, len(rows))
    found = partners(rows, rows)
    assert partners(shuffled, rows) == found
    for row, texts in zip(rows, found, strict=True):
        others = [other for other in rows if other.question_id != row.question_id]
        there = {
            "any": others,
            "same": [other for other in others if other.target_text == row.target_text],
            "other": [
                other for other in others if other.target_text != row.target_text
            ],
        }
        for relation, text in zip(RELATIONS, texts, strict=True):
            assert (text is None) == (not there[relation])
            assert text is None or by_text[text] in there[relation]


def _but_text(row: RationaleExample) -> dict[str, Any]:
    return {
        "question_id": row.question_id,
        "sample_index": row.sample_index,
        "target": row.target_text,
    }


@pytest.mark.parametrize(
    ("num_labels", "most"),
    [(2, [1, 1, 2]), (5, [1, 1, 2]), (500, [1, None, 1])],
    ids=["two", "five", "all differ"],
)
def test_rationales_are_used_about_once(
    num_labels: int, most: list[int | None]
) -> None:
    rows = [
        example(str(i), f"q{i}", target=f"label {i % num_labels}") for i in range(500)
    ]
    found = partners(rows, rows)
    for at, limit in enumerate(most):
        used = Counter(texts[at] for texts in found)
        assert limit is None or (max(used.values()) <= limit and len(used) >= 498)


def test_a_rare_label_is_used_evenly() -> None:
    """90 of 100 have one label: the other ten stand in for nine each, or nearly so."""
    rows = [
        example(str(i), f"q{i}", target="no" if i < 10 else "yes") for i in range(100)
    ]
    used = Counter(
        texts[2]
        for texts, row in zip(partners(rows, rows), rows, strict=True)
        if row.target_text == "yes"
    )
    assert len(used) == 10
    assert set(used.values()) <= set(range(7, 12))


def test_partners_are_these() -> None:
    """Fixed for good: a released variant names what was done by its version alone."""
    rows = [
        example(f"r{i}", f"q{i // 2}", i % 2, target="yes" if i % 3 else "no")
        for i in range(8)
    ]
    found = [" ".join(map(str, texts)) for texts in partners(rows, rows)]
    assert found == [
        "r6 r6 r2",
        "r6 r4 r6",
        "r0 r1 r0",
        "r0 r0 r5",
        "r7 r7 r6",
        "r3 r2 r3",
        "r4 r3 r1",
        "r5 r5 r3",
    ]


def test_one_question_alone_has_no_partner() -> None:
    rows = [example("same text", "q", i) for i in range(50)]
    assert partners(rows, rows[:2]) == [[None] * 3] * 2
    with (
        LoadedCorpus([], {}) as corpus,
        pytest.raises(KeyError, match="'q' sample 0 is not in the corpus"),
    ):
        corpus.another(rows[0], "any")


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "水 🐟 naïve", "a" * 100_000, "\ud800"]
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    rows = [example(text, "q"), example("water", "r"), example(text, "s", target="no")]
    assert partners(rows, [rows[1]])[0][2] == text


def test_the_same_sample_twice_is_refused() -> None:
    with pytest.raises(
        DataError, match="1 have the question_id and sample_index of another"
    ):
        LoadedCorpus([example("a"), example("b")], {})


def test_no_folder_for_the_texts(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere: could not write the rationales"):
        LoadedCorpus([], {}, tmp_path / "nowhere")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with LoadedCorpus([example("a")], {}, tmp_path):
        pass

    def broken() -> Iterator[RationaleExample]:
        yield example("a")
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        LoadedCorpus(broken(), {}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.needs_data
def test_partners_of_real_rationales() -> None:
    rows = list(real_examples())
    labels = Counter(row.target_text for row in rows)
    found = partners(rows, rows)
    assert partners(reversed(rows), rows[:200]) == found[:200]
    assert sum(same is None for _, same, _ in found) == sum(
        count for count in labels.values() if count == 1
    )
    assert all(one and other for one, _, other in found)


# --- memory ---

PEAK = """
import resource, sys
from cotbuild.builder.variants.corpus import LoadedCorpus
from tests.support.examples import example

def rows(count):
    for i in range(count):
        text = " ".join(f"word{(i * 7919 + j * j) % 20000}" for j in range(60))
        yield example(text, f"question-{i}", target=f"label {i % 5}")

with LoadedCorpus(rows(20_000), {}):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with LoadedCorpus(rows(200_000), {}) as corpus:
    assert corpus.another(next(rows(1)), "other")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 // 180_000)
"""


@pytest.mark.slow
def test_memory_a_rationale_is_bounded() -> None:
    """180,000 rationales of 550 bytes more cost less than 120 bytes each: their texts
    are not held.
    """
    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert int(done.stdout) < 120


# --- files by name ---


def test_words_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("Water,\ncold\u3000(Ice) —\n")
    with LoadedCorpus([], {"words": path}) as corpus:
        assert (
            corpus.listed("words")
            == {"water", "cold", "ice"}
            == {bare("Water,"), "cold", "ice"}
        )
        with pytest.raises(
            ConfigError, match=r"file 'other': not given\. Pass --file other=PATH"
        ):
            corpus.listed("other")


@pytest.mark.parametrize("content", [b"", b" \n", b"- ...", b"\xff\xfe"])
def test_a_file_without_words_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"words\.txt: (no word in it|cannot be read)"):
        read_words(path)


# --- scores files ---


def scored(
    row: RationaleExample, *spans: tuple[int, int, float, bool]
) -> ScoredRationale:
    return ScoredRationale(
        question_id=row.question_id,
        sample_index=row.sample_index,
        rationale_digest=rationale_digest(row.rationale),
        spans=tuple(
            ScoredSpan(start=start, end=end, score=score, option=option)
            for start, end, score, option in spans
        ),
    )


def test_scores_come_back_in_any_order(tmp_path: Path) -> None:
    rows = [example(f"word {i}", f"q{i // 3}", i % 3) for i in range(2_500)]
    path = tmp_path / "new" / "scores.parquet"
    assert write_scores(
        path,
        INFO,
        (
            scored(row, (0, 4, i / 7, False), (3, 6, -i, True))
            for i, row in enumerate(rows)
        ),
    )
    assert [file.name for file in path.parent.iterdir()] == ["scores.parquet"]
    with LoadedCorpus(rows, {"scores": path}) as corpus:
        for i in (0, 2_499, 1_000, 999, 1):
            assert corpus.scores("scores", rows[i]) == [
                (0, 4, i / 7, False),
                (3, 6, -i, True),
            ]
        assert corpus.scores("scores", example("word 0", "q0", 3)) is None
        assert corpus.scores("scores", example("word 0", "else")) is None


def test_what_made_the_scores_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    assert write_scores(path, INFO, []) == 0
    file = ScoresFile(path)
    assert file.info == INFO
    assert file.spans(example("a")) is None
    file.close()


def test_a_written_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator[ScoredRationale]:
        yield scored(example("a"))
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        write_scores(tmp_path / "scores.parquet", INFO, broken())
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be written"):
        write_scores(tmp_path / "file" / "scores.parquet", INFO, [])


@pytest.mark.parametrize(
    ("now", "spans", "expected"),
    [
        (
            "cold Water",
            [],
            "row 1: question 'q' sample 0: the scored text has digest .* Attribute a student",
        ),
        (
            "cold water",
            [(0, 11, 1.0, False)],
            "row 1: question 'q' sample 0: a span ends at 11, and the rationale has 10",
        ),
    ],
)
def test_scores_of_another_text_are_refused(
    tmp_path: Path, now: str, spans: list[tuple[int, int, float, bool]], expected: str
) -> None:
    path = tmp_path / "scores.parquet"
    write_scores(
        path,
        INFO,
        [scored(example("first", "p")), scored(example("cold water"), *spans)],
    )
    with (
        LoadedCorpus([], {"scores": path}) as corpus,
        pytest.raises(DataError, match=rf"scores\.parquet {expected}"),
    ):
        corpus.scores("scores", example(now))


@pytest.mark.parametrize(
    "spans",
    [
        [(2, 2, 1.0, False)],
        [(2, 3, 1.0, False), (1, 4, 1.0, False)],
        [(0, 5, 1.0, False), (1, 3, 1.0, False)],
    ],
)
def test_spans_out_of_order_are_refused(
    tmp_path: Path, spans: list[tuple[int, int, float, bool]]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        scored(example("cold water"), *spans)
    path = tmp_path / "scores.parquet"
    write_scores(path, INFO, [scored(example("cold water"), (0, 1, 1.0, False))])
    table = pq.read_table(path)
    raw = [
        dict(zip(("start", "end", "score", "option"), span, strict=True))
        for span in spans
    ]
    row = table.to_pylist()[0] | {"spans": raw}
    pq.write_table(pa.Table.from_pylist([row], table.schema), path)
    with (
        LoadedCorpus([], {"scores": path}) as corpus,
        pytest.raises(DataError, match=r"scores\.parquet row 0: .*expected"),
    ):
        corpus.scores("scores", example("cold water"))


def rewrite(
    path: Path,
    *,
    rows: int = 1,
    drop: str | None = None,
    info: object = None,
    **values: object,
) -> None:
    """The file with its row `rows` times, without a column, with another metadata, with
    other values.
    """
    table = pq.read_table(path)
    metadata = table.schema.metadata
    if info is not None:
        metadata = metadata | {b"cotbuild.scores": json.dumps(info).encode()}
    row = table.to_pylist()[0] | values
    table = pa.Table.from_pylist([row] * rows, table.schema.with_metadata(metadata))
    pq.write_table(table.drop_columns([drop]) if drop else table, path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"rows": 2},
            "scores.parquet row 1: the same rationale as row 0",
        ),
        ({"drop": "spans"}, "scores.parquet: not a scores file: its columns are"),
        ({"info": [1]}, "scores.parquet: metadata is .*not a JSON object"),
        (
            {"info": {"format_version": 99}},
            "format version 99, written by a newer cotbuild",
        ),
        ({"info": {}}, "format version None"),
        (
            {"info": {"format_version": 2, "student": 5}},
            "scores.parquet: metadata: .*student",
        ),
        ({"question_id": None}, "scores.parquet row 0: no question_id or sample_index"),
        (
            {"refused": "else"},
            "scores.parquet row 0: refused is 'else', expected one of",
        ),
        (
            {"refused": "completeness"},
            "scores.parquet: 1 rows are refused, but its metadata counts 0",
        ),
    ],
)
def test_a_faulty_file_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    path = tmp_path / "scores.parquet"
    write_scores(path, INFO, [scored(example("cold water"))])
    rewrite(path, **changes)
    with pytest.raises(CotbuildError, match=expected):
        ScoresFile(path)


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet PAR1", None])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "scores.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"scores\.parquet: (not Parquet|cannot be read)"
    ):
        ScoresFile(path)


def test_two_texts_that_differ_have_other_digests() -> None:
    texts = ["", " ", "a", "a ", "A"]
    assert all(
        rationale_digest(one) != rationale_digest(other)
        for one, other in pairwise(texts)
    )
