"""Declarations: those that ship hold together, a user's own go the same way, faults are
named.
"""

from pathlib import Path

import pytest

from cotbuild.builder.variants.registry import (
    builtin_variants,
    choose_variants,
    earlier_variants,
    read_variants,
    variant_sets,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.variant import RowFormat, VariantSpec

MINE = """
variants:
  - name: post_cot_mine
    about: Mine.
    placement: post_cot
    transforms: [{do: shuffle, block: 2}]
"""


def test_every_variant_of_a_set_is_known_and_paper_has_a_control_for_each_claim() -> (
    None
):
    known = builtin_variants()
    for names in variant_sets().values():
        assert set(names) <= set(known)
    paper = set(variant_sets()["paper"])
    assert {name for name in paper if name.endswith("_control")} == {
        "post_cot_strip_target_control", "post_cot_strip_options_control",
    }  # fmt: skip
    assert {
        "post_cot_tfidf_15",
        "post_cot_random_15",
        "post_cot_vocabulary",
        "post_cot_swapped",
    } <= paper


def test_names_are_configs_and_every_fingerprint_is_its_own() -> None:
    specs = builtin_variants().values()
    assert len({spec.fingerprint for spec in specs}) == len(specs)
    assert not {spec.name for spec in specs} & {"rationales", "questions"}


def test_no_shipped_variant_changed_under_its_version() -> None:
    """A changed declaration is a new version.

    What it makes is held by the golden rows.
    """
    golden = Path(__file__).parents[2] / "golden" / "variant_fingerprints.txt"
    shipped = [*builtin_variants().values(), *earlier_variants().values()]
    lines = {f"{spec.ref} {spec.fingerprint[:16]}" for spec in shipped}
    assert lines == set(golden.read_text().splitlines())


def test_an_earlier_version_is_chosen_by_name_and_version() -> None:
    earlier, now = choose_variants(
        ["post_cot_vocabulary@1", "post_cot_vocabulary_by_count"], []
    )
    assert (earlier.ref, earlier.draws) == ("post_cot_vocabulary@1", 1)
    assert (now.ref, now.draws) == ("post_cot_vocabulary_by_count@2", 2)
    assert choose_variants(["post_cot@1"], []) == choose_variants(["post_cot"], [])
    with pytest.raises(ConfigError, match="a build has one version of a variant"):
        choose_variants(["post_cot_vocabulary@1", "post_cot_vocabulary"], [])
    with pytest.raises(ConfigError, match="'post_cot@2': not known"):
        choose_variants(["post_cot@2"], [])


def test_every_replaced_version_has_a_newer_one_of_the_same_name() -> None:
    for spec in earlier_variants().values():
        assert builtin_variants()[spec.name].version > spec.version


def test_the_fingerprint_covers_all_but_the_words_for_people() -> None:
    base = {"name": "v", "about": "a", "placement": "post_cot"}
    one = VariantSpec.parse(base, "t").fingerprint
    assert VariantSpec.parse({**base, "about": "b"}, "t").fingerprint == one
    for change in (
        {"version": 2}, {"placement": "pre_cot"}, {"options": False}, {"label_form": "letter"},
        {"label_source": "answer"}, {"transforms": [{"do": "sort"}]}, {"transforms": [{"do": "shuffle", "block": 2}]},
    ):  # fmt: skip
        assert VariantSpec.parse({**base, **change}, "t").fingerprint != one


def test_a_users_variant_is_taken_alone_or_beside_others_and_before_one_that_ships(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    assert [spec.name for spec in choose_variants(None, [file])] == ["post_cot_mine"]
    assert [spec.name for spec in choose_variants(["label_only", "post_cot_mine"], [file])] == [
        "label_only", "post_cot_mine",
    ]  # fmt: skip
    file.write_text(MINE.replace("post_cot_mine", "post_cot"))
    assert choose_variants(["post_cot"], [file])[0].about == "Mine."
    assert [spec.name for spec in choose_variants(None, [])] == variant_sets()["paper"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("do: shuffle", "do: shuffel", "'shuffel' is none of 'shuffle'"),
        (
            "block: 2",
            "blocks: 2",
            "post_cot_mine: there is no field 'transforms.0.shuffle.blocks'. Did you mean "
            "block?",
        ),
        ("block: 2", "block: 0", "transforms.0.shuffle.block is 0"),
        ("block: 2", "unit: piece", "a tokenizer and the unit piece go together"),
        (
            "placement: post_cot",
            "placement: label_only",
            "label_only has no rationale, and transforms are given",
        ),
        (
            "placement: post_cot",
            "placement: label_only\n    aligned: false",
            "label_only has no rationale",
        ),
        (
            "about: Mine.",
            "about: Mine.\n    aligned: false",
            "expected a name that ends in _all",
        ),
        ("{do: shuffle, block: 2}", "{do: sample}", "none of count, like given"),
        (
            "{do: shuffle, block: 2}",
            "{do: sample, count: 1, like: {do: sort}}",
            "count and like given",
        ),
        (
            "{do: shuffle, block: 2}",
            "{do: top, by: scores, count: 3}",
            "by 'scores' and file None",
        ),
        (
            "block: 2",
            "unit: sentence, within: sentence",
            "unit sentence within a sentence moves nothing",
        ),
        (
            "{do: shuffle, block: 2}",
            "{do: mask, symbol: ''}",
            "transforms.0.mask.symbol is ''",
        ),
        (
            "{do: shuffle, block: 2}",
            "{do: mask, share: 1.5}",
            "transforms.0.mask.share is 1.5",
        ),
        ("name: post_cot_mine", "name: Post-CoT", "name is 'Post-CoT'"),
        ("variants:", "variant:", "List the variants under `variants:`"),
    ],
)
def test_a_fault_in_a_declaration_is_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE.replace(old, new))
    with pytest.raises(ConfigError) as fault:
        read_variants(file)
    assert message in str(fault.value)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ConfigError,
        match=r"variant 'post_cott': not known\. Choose one of the sets paper, key_tokens, or of label_only",
    ):
        choose_variants(["post_cott"], [])


MIXES = """
variants:
  - {name: short, about: "Short.", placement: label_only, options: false}
  - {name: half, about: "Half.", mix: {pre_cot: 0.5, short: 0.5}}
  - {name: chats, about: "Chats.", mix: {chat_pre_cot: 0.25, chat_label_only: 0.75}}
"""


def test_a_mix_holds_the_variants_it_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MIXES)
    short, half, chats = read_variants(file)
    pre_cot = builtin_variants()["pre_cot"]
    assert [(part.spec, part.share) for part in half.mix] == [
        (pre_cot, 0.5),
        (short, 0.5),
    ]
    assert (half.evaluated, chats.format) == (pre_cot, RowFormat.MESSAGES)
    assert VariantSpec.parse(half.model_dump(mode="json"), "t") == half
    file.write_text(MIXES.replace("Short.", "Other words."))
    assert read_variants(file)[1].fingerprint == half.fingerprint
    file.write_text(MIXES.replace("options: false", "label_form: letter"))
    assert read_variants(file)[1].fingerprint != half.fingerprint


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("{pre_cot: 0.5, label_only: 0.4}", "sum to 0.9"),
        ("{pre_cot: 0.5, unheard: 0.5}", "'unheard', which is not known"),
        ("{pre_cot: 0.5, chat_pre_cot: 0.5}", "its format is text"),
        ("[pre_cot]", "not a share for each variant"),
        ("{}", "not a share for each variant"),
        ("{pre_cot: much}", "'much'"),
        ("{pre_cot: 1.0}, label_form: letter", "label_form"),
        ("{half: 1.0}", "a mix itself"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, mix: str, message: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MIXES + f"  - {{name: new, about: a, mix: {mix}}}\n")
    with pytest.raises(ConfigError, match=message) as caught:
        read_variants(file)
    assert len(str(caught.value).splitlines()) == 1
