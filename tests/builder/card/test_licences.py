"""Licences: how they are read as people state them, and which one a release has by
default.
"""

import pytest

from cotbuild.builder.card.licences import HUB_IDS, combine_licences, normalize_licence
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("CC BY 4.0", "cc-by-4.0"),
        (
            "Creative Commons Attribution-NonCommercial 4.0 International",
            "cc-by-nc-4.0",
        ),
        (
            "Creative Commons Attribution Non Commercial Share Alike 4.0",
            "cc-by-nc-sa-4.0",
        ),
        (
            "CC BY-SA",
            "other",
        ),  # of no version: the family's name would hide what it asks
        ("CC0", "cc0-1.0"),
        ("Apache-2.0 upstream; its Hub card says unknown", "apache-2.0"),
        ("that of svamp, if it is a copy: MIT", "mit"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("The MIT License", "mit"),
        ("BSD-3-Clause", "bsd-3-clause"),
        ("mit, cc-by-nc-4.0", "other"),
        ("my own terms", "other"),
        ("CC0 1.0 Universal Public Domain Dedication", "cc0-1.0"),
        ("Attribution 4.0 International (CC BY 4.0)", "cc-by-4.0"),
        # Whatever is said beside an identifier may take back what it permits.
        ("MIT, but the rationales are for non-commercial use only", "other"),
        ("CC BY 4.0, non-commercial use only", "other"),
        ("MIT; data under CC BY-NC 4.0", "other"),
        ("MIT; for research only", "other"),
        ("MIT; the rationales are of unknown origin", "other"),
        ("MIT\uff0c\u4ec5\u9650\u975e\u5546\u4e1a\u7528\u9014", "other"),
        ("unknown", "unknown"),
        ("none", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_licences_as_people_write_them(stated: str | None, expected: str) -> None:
    assert normalize_licence(stated) == expected


@pytest.mark.parametrize("name", sorted(HUB_IDS))
def test_the_hubs_identifiers_are_read_as_they_are(name: str) -> None:
    assert normalize_licence(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openbookqa", "apache-2.0"),
        ("esnli", "cc-by-sa-4.0"),
        ("commonsense_qa", "mit"),
    ],
)
def test_a_remark_of_cotbuilds_own_sources_changes_no_licence(
    name: str, expected: str
) -> None:
    licence = KNOWN_DATASETS[name].licence
    assert normalize_licence(licence) == expected
    copy = f"that of {name}, if it is a copy: {licence}"
    assert normalize_licence(copy) == expected


def test_every_known_source_has_a_licence_that_is_read() -> None:
    stated = {known.licence for known in KNOWN_DATASETS.values()} - {"unknown"}
    assert {normalize_licence(licence) for licence in stated} == {
        "mit",
        "apache-2.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-sa-4.0",
    }


@pytest.mark.parametrize(
    ("questions", "rationales", "expected", "said"),
    [
        ("MIT", "MIT", "mit", "All parts are under mit."),
        ("MIT", "Apache-2.0", "apache-2.0", "apache-2.0 requires the most of them."),
        ("CC BY 4.0", "Apache-2.0", "cc-by-4.0", "cc-by-4.0 requires the most"),
        ("MIT", "CC BY-SA 4.0", "cc-by-sa-4.0", "under the same terms"),
        ("CC BY-SA 3.0", "CC BY-SA 4.0", "cc-by-sa-4.0", "under the same terms"),
        ("MIT", "CC BY-NC 4.0", "cc-by-nc-4.0", "not permit commercial use"),
        ("CC BY-NC 4.0", "CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0", "under the same terms"),
        ("CC BY-SA 4.0", "CC BY-NC 4.0", "other", "cannot be combined"),
        ("CC BY-SA 4.0", "CC BY-NC-SA 4.0", "other", "cannot be combined"),
        ("CC BY-ND 4.0", "CC BY-ND 4.0", "other", "each part keeps its own"),
        ("MIT", "llama2", "other", "each part keeps its own"),
        (
            "MIT",
            None,
            "unknown",
            "The licence of the rationales is unknown: as far as is known",
        ),
        (
            "CC BY-NC 4.0",
            "unknown",
            "unknown",
            "Stated licence of the questions: CC BY-NC 4.0.",
        ),
    ],
)
def test_the_default_licence(
    questions: str, rationales: str | None, expected: str, said: str
) -> None:
    found = combine_licences({"the questions": questions, "the rationales": rationales})
    assert found.id == expected
    assert said in " ".join(found.lines)
    assert (found.name is not None) == (found.id == "other")


@pytest.mark.parametrize(
    ("stated", "given", "laxer"),
    [
        ("MIT", "apache-2.0", False),
        ("MIT", "cc-by-4.0", False),
        ("MIT", "cc0-1.0", True),
        ("CC BY-NC 4.0", "mit", True),
        ("CC BY-SA 4.0", "cc-by-4.0", True),
        (None, "mit", True),
        ("MIT", "unknown", False),
    ],
)
def test_a_laxer_licence_given_is_taken_and_said(
    stated: str | None, given: str, laxer: bool
) -> None:
    found = combine_licences({"the questions": stated}, given)
    assert found.id == given
    assert f"The publisher chose {given}" in found.lines[-1]
    assert ("may permit what a part does not" in found.lines[-1]) == laxer


def test_a_licence_that_the_hub_does_not_know_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"--license 'CC BY 4\.0': .* The closest is cc-by-4\.0\."
    ):
        combine_licences({}, "CC BY 4.0")
