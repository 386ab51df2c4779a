"""The page of a study: what it says is what the records say, and nothing that is
written in them can run.

After a deliberate change: python -m tests.builder.study.report.test_page, and read what
changed in tests/golden/studies.
"""

import re
from pathlib import Path

import pytest

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.report.page import render_page
from cotbuild.schemas.study.record import GateResult
from cotbuild.schemas.study.results import ClaimOutcome, ComparisonStatus
from tests.support.studies.hostile import TEXTS, Seen, hostile
from tests.support.studies.kinds import KINDS, Made, changed, half_way, nothing_run
from tests.support.studies.made import whole

GOLDEN = Path(__file__).parents[3] / "golden" / "studies" / "small.html"
PICTURES = dict.fromkeys(
    ("accuracy", "comparisons", "tokens", "rows", "losses", "variants"), b"PNG"
)
"""Stand-ins, so that a page does not hang on the version of matplotlib;
test_report_pictures.py has the real ones.
"""


def shown(made: Made) -> str:
    return render_page(*made, {})


def golden() -> str:
    return render_page(*changed(), PICTURES)


def test_the_page_is_as_a_person_last_read_it() -> None:
    assert golden() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_well_formed_and_says_what_its_tables_are(kind: str) -> None:
    seen = Seen(shown(KINDS[kind]()))
    assert seen.tags.count("h1") == 1
    assert seen.tags.count("table") == seen.tags.count("caption")
    assert ("html", "lang", "en") in seen.attributes
    assert seen.tags.count("th") == sum(
        tag == "th" and name == "scope" for tag, name, _ in seen.attributes
    )
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert sorted(ids) == sorted(
        value for _, name, value in seen.attributes if name == "aria-labelledby"
    )
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_runs_and_each_comes_back_equal(text: str) -> None:
    html = render_page(*hostile(text), PICTURES)
    seen, tame = Seen(html), Seen(golden())
    assert seen.tags == tame.tags
    same = [(tag, name) for tag, name, _ in tame.attributes]
    assert [(tag, name) for tag, name, _ in seen.attributes] == same
    for _, name, value in seen.attributes:
        assert not name.startswith("on")
        assert name != "alt" or text not in value or text in one_line(text)
        if name in ("src", "href"):
            assert re.fullmatch(
                r"data:image/png;base64,[A-Za-z0-9+/=]*|[a-z]+\.(csv|json)", value
            )
    line = one_line(" ".join(text.split())[:300])
    assert seen.of("h1") == [line]
    assert seen.of("h3") == [line] * 3
    assert one_line(text) in seen.of("td"), "a variant's about"
    assert one_line(text) in seen.of("th"), "a changed field"
    assert not re.search("[\0\x1b\u202e\u2028]", html)


def test_a_browser_is_told_to_load_and_run_nothing() -> None:
    html = shown(whole())
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in html
    assert "http://" not in html
    assert "https://" not in html
    assert not {"script", "iframe", "link", "object", "form"} & set(Seen(html).tags)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("whole", ["All planned comparisons are final.", "first: 24 of 24 cells."]),
        (
            "half way",
            [
                "INTERIM: 0 of 3 planned comparisons are final.",
                "first: 7 of 12 cells.",
                "not run",
            ],
        ),
        (
            "nothing run",
            [
                "Nothing was run on the test questions yet.",
                "3 claims: 3 not run.",
                "not decided yet",
            ],
        ),
        (
            "one seed",
            [
                "One seed of label_only, pre_cot, post_cot and post_cot_shuffled_words: the variance"
            ],
        ),
    ],
)
def test_how_far_a_study_is_is_said_plainly(kind: str, says: list[str]) -> None:
    text = "\n".join(cell.text for cell in Seen(shown(KINDS[kind]())).texts)
    for line in says:
        assert line in text
    assert ("INTERIM" in text) is (kind in ("half way", "one seed"))


def test_claims_show_the_figures_of_their_comparisons() -> None:
    record, results, study = whole()
    seen = Seen(render_page(record, results, study, {}))
    outcomes, cells = (
        iter([word for word in seen.of("span") if word in list(ClaimOutcome)]),
        seen.of("dd"),
    )
    planned = [one for one in results.comparisons if not one.exploratory]
    for one in planned:
        found = one.comparison
        assert found is not None
        assert one.p_holm is not None
        low, high = (f"{end:+.1f}".replace("-", "−") for end in found.interval_95)
        points = (
            f"{found.difference:+.1f} points (95 % interval {low} to {high})".replace(
                "+-", "−"
            )
        )
        assert f"{one.planned.a} − {one.planned.b}: {points}" in cells
        assert f"{found.smallest_difference:.1f} points (80 % power)" in cells
        assert ("< 0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}") in cells
        assert next(outcomes) == one.outcome
    assert len({one.outcome for one in planned}) > 1


def test_another_primary_metric_is_named_and_the_usual_one_shown_beside_it() -> None:
    record, results, study = whole(metric="free")
    seen = Seen(render_page(record, results, study, {}))
    assert "the free greedy answer" in seen.of("dd")
    assert "Raw" in seen.of("th")
    assert "Raw" not in Seen(shown(whole())).of("th")


def test_interim_results_are_marked_one_by_one() -> None:
    record, results, study = half_way()
    marked = sum(
        one.standing is ComparisonStatus.INTERIM for one in results.comparisons
    )
    assert marked > 0
    assert (
        len(
            re.findall(
                r"</span> interim</p>|, interim</td>",
                render_page(record, results, study, {}),
            )
        )
        == marked
    )


def test_what_was_changed_later_is_told() -> None:
    cells = Seen(shown(changed())).of("td")
    assert [cells[at : at + 3] for at, one in enumerate(cells) if one == "2.0"] == [
        ["2.0", "3.0", "2026-01-02T00:00:00+00:00"]
    ]
    assert "None." in shown(whole())


def test_a_gate_that_did_not_hold_is_told_first() -> None:
    record, results, study = nothing_run()
    failed = GateResult(
        passed=False,
        trained=(26.0,),
        untrained=27.0,
        difference=-1.0,
        standard_error=2.0,
        needed=2.0,
    )
    text = render_page(record.model_copy(update={"gate": failed}), results, study, {})
    assert text.index("Gate failed") < text.index("<h2")
    assert (
        "failed: label_only 26.0 %, untrained 27.0 %; −1.0 points, standard error 2.0; required 2 standard errors"
        in text
    )


def main() -> None:
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(golden(), encoding="utf-8")


if __name__ == "__main__":
    main()
