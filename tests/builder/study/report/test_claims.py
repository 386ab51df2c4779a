"""Reports of studies of format version 2: tiers, claims, looks, and what they say.

After a deliberate change: python -m tests.builder.study.report.test_claims, and read what
changed in tests/golden/studies.
"""

import csv
import io
from pathlib import Path

import pytest

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.report import claim_words
from cotbuild.builder.study.report.lines import claim_lines
from cotbuild.builder.study.report.page import render_page
from cotbuild.builder.study.report.plots import render_pictures
from cotbuild.builder.study.report.sections import describe_method, list_limitations
from cotbuild.builder.study.report.write import make_tables, write_report
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import DeclarationChange
from cotbuild.schemas.study.results import (
    ClaimOutcome,
    ClaimResult,
    ComparisonStatus,
    StudyResults,
)
from tests.support.studies.hostile import TEXTS, Cell, Seen
from tests.support.studies.made import QUESTIONS
from tests.support.studies.version_2 import (
    claim_result,
    declare,
    whole_v2,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "studies" / "tiers.html"
PICTURES = dict.fromkeys(
    ("accuracy", "claims", "tokens", "rows", "losses", "variants"), b"PNG"
)
CLAIMS = {claim.name: claim for claim in (*declare().tier_claims, *declare().secondary)}


def golden() -> str:
    return render_page(*whole_v2(), PICTURES)


def with_outcome(name: str, outcome: ClaimOutcome) -> ClaimResult:
    tiers = {"shuffled_equal": "equality", "after_beats_before": "order"}
    result = claim_result(CLAIMS[name], tiers.get(name, "content"))
    return result.model_copy(update={"outcome": outcome})


def test_the_page_is_as_a_person_last_read_it() -> None:
    assert golden() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("look", [0, 1, 2])
def test_a_page_is_well_formed_at_every_look(look: int) -> None:
    html = render_page(*whole_v2(look), {})
    seen = Seen(html)
    assert seen.tags.count("table") == seen.tags.count("caption")
    ids = [value for _, name, value in seen.attributes if name == "id"]
    labelled = [v for _, name, v in seen.attributes if name == "aria-labelledby"]
    assert sorted(ids) == sorted(labelled)
    notice = "INTERIM: 1 of 2 planned looks reached (at 2, 4 seeds)"
    assert (notice in html) == (look == 1)


def test_claims_are_drawn_once_they_are_estimated() -> None:
    assert render_pictures(*whole_v2(0)[:2]).keys() == {"variants"}
    made = whole_v2(1)
    found = render_pictures(*made[:2])
    assert "claims" in found
    assert render_page(*made, found).count(" alt=") == len(found)


def test_the_first_paragraph_says_that_claims_are_about_one_training_set() -> None:
    first = "The claims are about one training set"
    [shared, own] = [
        Seen(render_page(*whole_v2(rows_per_seed=kind), {})).of("p")[0]
        for kind in ("shared", "own")
    ]
    assert shared.startswith(first)
    assert not own.startswith(first)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_of_a_claim_or_tier_runs(text: str) -> None:
    line = " ".join(text.split())[:300] or "empty"
    declared = [
        {
            **tier.model_dump(exclude_none=True),
            "name": f"{line[:290]} {number}",
            "claims": [{**one.model_dump(), "says": line} for one in tier.claims],
        }
        for number, tier in enumerate(declare().tiers)
    ]
    html = render_page(*whole_v2(tiers=declared), PICTURES)
    seen = Seen(html)
    assert seen.tags == Seen(golden()).tags
    assert seen.of("h4") == [one_line(line)] * 5
    assert seen.of("h3")[0] == one_line(f"{line[:290]} 0")


@pytest.mark.parametrize(
    ("name", "test", "contrast"),
    [
        ("after_beats_before", "post_cot > pre_cot", "post_cot − pre_cot"),
        (
            "coherence_not_needed",
            "post_cot_shuffled_words > 50 % label_only + 50 % post_cot",
            "post_cot_shuffled_words − (50 % label_only + 50 % post_cot)",
        ),
        (
            "shuffled_not_worse",
            "post_cot_shuffled_words > post_cot − 5 points",
            "post_cot_shuffled_words − post_cot",
        ),
        (
            "shuffled_equal",
            "post_cot_shuffled_words = post_cot ± 1 point",
            "post_cot_shuffled_words − post_cot",
        ),
        (
            "shuffled_share",
            "post_cot_shuffled_words > post_cot − 50 % of (post_cot − label_only)",
            "post_cot_shuffled_words − post_cot + 50 % of (post_cot − label_only)",
        ),
    ],
)
def test_what_is_claimed_and_what_is_estimated(
    name: str, test: str, contrast: str
) -> None:
    claim: AnyClaim = CLAIMS[name]
    assert claim_words.describe_test(claim) == test
    assert claim_words.describe_contrast(claim) == contrast


@pytest.mark.parametrize(
    ("name", "outcome", "says"),
    [
        (
            "after_beats_before",
            "supported",
            "post_cot is significantly better than pre",
        ),
        ("after_beats_before", "contradicted", "pre_cot is significantly better than"),
        ("coherence_not_needed", "supported", "keeps more than 50 % of what post_cot"),
        (
            "coherence_not_needed",
            "contradicted",
            "keeps less than 50 % of what post_cot",
        ),
        (
            "coherence_not_needed",
            "no_assay_sensitivity",
            "post_cot is not shown to be better than label_only: without a gain, there",
        ),
        ("shuffled_not_worse", "supported", "or worse by less than 5 points."),
        ("shuffled_not_worse", "contradicted", "worse than post_cot by more than 5 po"),
        (
            "shuffled_not_worse",
            "no_assay_sensitivity",
            "label_only in the place of post_cot_shuffled_words lies within",
        ),
        ("shuffled_equal", "supported", "differ by less than 1 point in either"),
        ("shuffled_equal", "contradicted", "differ by more than 1 point."),
        ("shuffled_equal", "undecided", "neither the claim nor its opposite"),
        (
            "shuffled_equal",
            "not_tested",
            "only if “Shuffled words keep more than half of the gain” and “Shuffled words "
            "are not worse” are supported.",
        ),
        (
            "shuffled_share",
            "supported",
            "by less than 50 % of (post_cot − label_only).",
        ),
    ],
)
def test_each_outcome_is_explained(name: str, outcome: str, says: str) -> None:
    result = with_outcome(name, ClaimOutcome(outcome))
    assert says in claim_words.explain_outcome(result, declare())


def test_a_claim_that_was_not_run_says_what_it_needs() -> None:
    [first, *_] = whole_v2(0)[1].claims
    assert claim_words.explain_outcome(first, declare()) == (
        "Not run: the first look needs 2 seeds of post_cot and pre_cot."
    )


def test_what_was_tried_on_dev_is_shown() -> None:
    seen = Seen(golden())
    assert "lr 0.0001 (chosen)" in seen.of("th")
    assert "label_only, seed 0: 33.5; post_cot, seed 0: 35.5" in seen.of("td")


def test_what_variants_reach_with_settings_of_their_own_is_shown_apart() -> None:
    made = whole_v2()
    first, second, *_ = made[1].sensitivity
    seen = Seen(render_page(*made, {}))
    start = seen.texts.index(Cell("td", "lr 0.0003"))
    row = [cell.text for cell in seen.texts[start : start + 12] if cell.tag == "td"]
    mean = f"{first.accuracy.mean:.1f}"
    assert row[1] == row[3] == mean
    assert second.common is None


def test_lines_of_a_terminal() -> None:
    lines = list(claim_lines(whole_v2(1)[1]))
    assert lines[0] == "first: 8/16 cells"
    assert lines[-6:] == [
        "after_beats_before: supported so far, +1.2 points (+0.2 to +2.3), adjusted p "
        "0.025, smallest difference 1.6 points (80 % power)",
        "rationales_help: contradicted so far, +1.2 points (+0.2 to +2.3), adjusted p "
        "0.025, smallest difference 1.6 points (80 % power)",
        "coherence_not_needed: undecided so far, +1.2 points (+0.2 to +2.3), adjusted p "
        "0.025, smallest difference 1.6 points (80 % power)",
        "shuffled_not_worse: no assay sensitivity so far, +1.2 points (+0.2 to +2.3), "
        "adjusted p 0.025, smallest difference 1.6 points (80 % power)",
        "shuffled_equal: not tested so far, +1.2 points (+0.2 to +2.3), adjusted p 0.025, "
        "smallest margin 1.6 points (80 % power)",
        "shuffled_share: supported so far (secondary), +1.2 points (+0.2 to +2.3), p "
        "0.012, smallest difference 1.6 points (80 % power)",
    ]
    assert list(claim_lines(whole_v2(0)[1]))[-1] == "shuffled_share: not run"


def test_what_could_not_have_been_seen_and_how_it_was_done() -> None:
    record, results, _ = whole_v2(1)
    limitations = list_limitations(record, results)
    assert (
        "shuffled_not_worse: the smallest difference that could be seen is 1.6 points above "
        "the bar (80 % power at this look, after all corrections); smaller ones are missed "
        "more often than one time in five."
    ) in limitations
    assert (
        "shuffled_equal: the smallest margin that could be shown of equal variants is 1.6 "
        "points (80 % power at this look, after all corrections); with a smaller one, equal "
        "variants are missed more often than one time in five."
    ) in limitations
    assert any(
        line.startswith("The tier “content” opens when a part of the claims before")
        and "10 % at most" in line
        for line in limitations
    )
    assert any(line.startswith("With fewer than 5 seeds") for line in limitations)
    method = dict(describe_method(record, results))
    assert method["Seeds and looks"] == "4 seeds; looks at 2 and 4 of them"
    assert method["Precision"].startswith(
        "training in bfloat16, evaluation in bfloat16"
    )
    assert method["Rationales"] == "the same 500 for all seeds and variants"
    assert "on which no cell trains" in method["Test questions"]
    assert method["Processors"] == "AMD EPYC (seeds 0, 1 and 2); Xeon (seed 3)"
    assert any(line.startswith("Seeds were run on 2 kinds") for line in limitations)
    assert "Margin" not in method
    assert method["Tiers"].endswith(
        "at 5 % for each tier and 10 % at most for all together"
    )
    # Cells of the fixture are finished at every look.
    assert method["Evaluations on test"].startswith(
        "begun 16 times, for 24 finished cells, 8 of them in the sensitivity stage"
    )


@pytest.mark.parametrize("metric", list(StudyMetric))
def test_every_metric_has_a_title(metric: StudyMetric) -> None:
    result = claim_result(CLAIMS["shuffled_equal"], "equality").secondary[0]
    title = claim_words.name_metric(result.model_copy(update={"metric": metric}))
    assert title.endswith(", secondary")


def test_tables_and_results_hold_every_claim(tmp_path: Path) -> None:
    made = whole_v2()
    write_report(tmp_path, *made)
    written = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert StudyResults.model_validate_json(written) == made[1]
    rows = list(csv.DictReader(io.StringIO(make_tables(made[1])["claims.csv"])))
    primary = [row for row in rows if row["metric"] == "primary"]
    assert [row["name"] for row in primary] == [
        one.claim.name for one in made[1].claims
    ]
    assert primary[0]["outcome"] == "supported"
    assert float(primary[3]["bar"]) == -5
    assert primary[-1]["exploratory"] == "True"
    assert len(rows) == 2 * len(primary)
    assert (tmp_path / "claims.csv").exists()


def test_secondary_claims_may_be_interim_when_the_tiers_are_final() -> None:
    record, results, study = whole_v2()
    interim = {"standing": ComparisonStatus.INTERIM}
    claims = [
        one.model_copy(update=interim) if one.tier is None else one
        for one in results.claims
    ]
    found = results.model_copy(update={"claims": tuple(claims)})
    seen = Seen(render_page(record, found, study, {}))
    assert "All planned claims are final." not in seen.of("p")
    assert (
        "All claims of the tiers are final. INTERIM: 0 of 1 secondary claim is final. "
        "The others may still change."
    ) in seen.of("p")
    assert "supported interim" in seen.of("td")
    assert f"4 of 4 seeds; {QUESTIONS:,} questions" in seen.of("td")
    assert "All planned claims are final." in golden()


def test_a_page_shows_no_folders_of_students_that_changed() -> None:
    record, results, study = whole_v2()
    stage = study.stages[0].model_dump(mode="json")
    change = DeclarationChange(
        field="stages.first",
        was=stage,
        now={**stage, "students": ["/home/someone/models/larger"]},
        seen_at="2026-01-02T00:00:00+00:00",
        cells=3,
    )
    html = render_page(
        record.model_copy(update={"changes": (change,)}), results, study, {}
    )
    assert "someone" not in html
    assert "larger" in html


def test_rationales_of_held_out_questions_in_training_are_named() -> None:
    record, results, _ = whole_v2()
    swapped = results.model_copy(update={"swapped": ("post_cot_swapped",)})
    line = "The rationales of post_cot_swapped are of other questions"
    assert any(one.startswith(line) for one in list_limitations(record, swapped))
    assert not any(line in one for one in list_limitations(record, results))


def test_free_answers_to_all_questions_are_no_limitation() -> None:
    for number, is_limit in ((QUESTIONS - 1, True), (QUESTIONS, False)):
        record, results, _ = whole_v2(free_answers=number)
        limitations = list_limitations(record, results)
        found = any(one.startswith("Free answers are of") for one in limitations)
        assert found == is_limit


def main() -> None:
    GOLDEN.write_text(golden(), encoding="utf-8")


if __name__ == "__main__":
    main()
