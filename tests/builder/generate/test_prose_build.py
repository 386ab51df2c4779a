"""A build of prose: scored and counted apart, shown, selected by score, verified."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cotbuild.builder.api import Build
from cotbuild.builder.card import render_card
from cotbuild.builder.card.plots import draw_pictures
from cotbuild.builder.cli.inspect import Filter, inspect_build
from cotbuild.builder.cli.output import count_lines
from cotbuild.builder.release import check
from cotbuild.builder.variants.derive import VariantDeriver
from cotbuild.builder.variants.registry import builtin_variants, parse_selection
from cotbuild.schemas.answers import prose_scores
from cotbuild.schemas.answers.prose_scores import ProseScorer
from cotbuild.schemas.errors import ConfigError, DataError, OtherVersionError
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.variant import (
    Selection,
)
from cotbuild.schemas.variant_set import (
    VariantSet,
)
from tests.support.commands import invoke

pytest.importorskip("sacrebleu")
pytest.importorskip("rouge_score")

TEXTS = (
    ("It rains.", "Es regnet.", "The verb is impersonal.\n\nTranslation: Es regnet heute."),
    ("The dog runs.", "Der Hund rennt.", "Dogs run.\n\nTranslation: Ein Tier läuft."),
    ("It is late.", "很晚了。", "It is about time.\n\nTranslation: 已经很晚了。"),
    ("The cat sleeps.", "Die Katze schläft.", "Nothing is translated here."),
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prose") / "rows.jsonl"
    fields = ("question", "target", "said")
    lines = [json.dumps(dict(zip(fields, text, strict=True))) for text in TEXTS]
    file.write_text("\n".join(lines))
    return file


def import_texts(rows: Path, column: str, out: Path) -> None:
    columns = ["question=question", "target=target", f"text={column}"]
    options = [word for column in columns for word in ("--map", column)]
    invoke("import", rows, "--kind", "prose", *options, "--out", out)


@pytest.fixture(scope="module")
def build(rows: Path) -> Build:
    out = rows.parent / "build"
    import_texts(rows, "said", out)
    return Build.open(out)


def test_scored_answers_are_counted_apart_and_their_scores_averaged(
    build: Build,
) -> None:
    manifest = build.manifest
    counts = {name: count for name, count in manifest.verdicts.items() if count}
    assert counts == {"no_answer": 1, "scored": 3}
    assert manifest.has_only_prose
    assert manifest.prose_scorers == prose_scores.installed_scorers()
    found = [
        (score.metric, score.settings.partition("tok:")[2], score.num_rows)
        for score in manifest.scores
    ]
    assert found == [
        ("chrf2", "", 3),
        ("bleu", "13a|smooth:exp", 2),
        ("bleu", "zh|smooth:exp", 1),
        ("rouge_l", "words", 3),
    ]
    values = [row.scores[0].value for row in build.rationales() if row.scores]
    assert manifest.scores[0].mean == pytest.approx(sum(values) / 3, abs=1e-4)
    shown = list(count_lines(manifest))
    assert shown[0] == "4 rationales = 1 no_answer + 3 scored"
    assert shown[1].startswith("chrf2 ")


def test_a_row_is_shown_with_its_reference_and_scores(build: Build) -> None:
    shown = list(inspect_build(build, Filter(verdict="scored"), limit=1))
    start = shown.index("answer     Es regnet heute.")
    assert shown[start + 1 : start + 3] == [
        "reference  Es regnet.",
        "           → scored",
    ]
    assert shown[start + 3].startswith("scores     chrf2 ")


def test_the_card_states_scores_and_no_accuracy(build: Build) -> None:
    card = render_card(build.manifest)
    assert "chrf2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no = " in card
    assert "| scored | 3 | 75.0 % |" in card
    assert "correct |" not in card
    assert "question-answering" not in card
    assert "verdicts" in draw_pictures(build.manifest, {3: 4})


def deriver(build: Build, *filters: str) -> VariantDeriver:
    specs = (builtin_variants()["post_cot"],)
    selection = parse_selection(filters)
    return VariantDeriver(build, VariantSet(specs=specs, selection=selection), {})


@pytest.mark.parametrize(
    ("filters", "num_selected", "dropped"),
    [
        ((), 3, {"verdict": 1}),
        (("verdicts=scored",), 3, {"verdict": 1}),
        (("verdicts=no_answer",), 1, {"verdict": 3}),
        (("min_chrf2=60",), 2, {"verdict": 1, "low_score": 1}),
        (("min_chrf2=60", "min_bleu=40"), 1, {"verdict": 1, "low_score": 2}),
        (("min_rouge_l=78",), 1, {"verdict": 1, "low_score": 2}),
    ],
)
def test_scored_rows_are_selected_by_default_and_by_score(
    build: Build, filters: tuple[str, ...], num_selected: int, dropped: dict[str, int]
) -> None:
    with deriver(build, *filters) as one:
        assert (one.num_selected, dict(one.dropped)) == (num_selected, dropped)


def test_a_selection_keeps_its_digest_without_limits_of_scores() -> None:
    assert not [name for name in Selection().model_dump() if name.startswith("min_c")]
    assert Selection(verdicts=(Verdict.INCORRECT,)).kept_verdicts == (
        Verdict.INCORRECT,
    )


def test_variants_of_prose_have_no_shares_that_name_the_target(build: Build) -> None:
    build = build.derive(["post_cot", "label_only"], progress=False)
    entry = build.manifest.variants
    assert entry is not None
    assert entry.num_looked_at == 0
    card = render_card(build.manifest)
    assert "with verdict correct, scored, with seed 0" in card
    assert "names the target" not in card
    assert "variants" in draw_pictures(build.manifest, {3: 4})
    assert build.verify()


def test_a_build_without_scores_has_nothing_to_select_by(
    rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    import_texts(rows, "target", out)
    build = Build.open(out)
    assert build.manifest.prose_scorers is None
    with pytest.raises(ConfigError, match="--filter min_bleu is for scored"):
        deriver(build, "verdicts=no_answer", "min_bleu=1").__enter__()


def test_other_scorers_verify_all_but_the_rows(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "installed_scorers", lambda: "sacrebleu 1.0")
    expected = f"scored by {build.manifest.prose_scorers}, while sacrebleu 1.0"
    with pytest.raises(OtherVersionError, match=expected):
        build.verify()


def test_an_edited_score_is_found(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = ProseScorer.score

    def halve(
        scorer: ProseScorer, hypothesis: str, references: Sequence[str]
    ) -> dict[str, float]:
        found = score(scorer, hypothesis, references)
        return {name: value / 2 for name, value in found.items()}

    monkeypatch.setattr(ProseScorer, "score", halve)
    with pytest.raises(DataError, match="scores"):
        build.verify()


def test_without_the_packages_nothing_is_asked(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prose_scores, "find_spec", lambda _: None)
    prose_scores.check_scorers.cache_clear()
    words = ("generate", "--source", rows, "--kind", "prose", "--teacher", "scripted")
    done = invoke(*words, "--out", tmp_path / "build", code=2)
    assert "pip install '.[prose]'" in done.output
    assert not (tmp_path / "build" / "manifest.json").exists()
