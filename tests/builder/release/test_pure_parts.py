"""The parts of a release that touch nothing: the plan, names, what of a configuration
is public.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.hub.target import RemoteFile, RemoteState
from cotbuild.builder.release.check import unverifiable_reason
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.release.open import is_release_name, split_revision
from cotbuild.builder.release.plan import plan_release, refuse_foreign
from cotbuild.builder.release.sanitize import public_config, public_manifest
from cotbuild.builder.storage.places import safe_path
from cotbuild.builder.teachers.identity import (
    IdentityCache,
    save_identity_cache,
    teacher_identity,
)
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.teacher_config import TeacherConfig

PATHS = st.sampled_from(["a", "b", "c", "d", "e"])


@given(st.sets(PATHS), st.sets(PATHS), st.sets(PATHS), st.sets(PATHS))
def test_every_file_is_in_one_part_of_the_plan_and_only_ours_are_deleted(
    wanted: set[str], there: set[str], alike: set[str], ours: set[str]
) -> None:
    state = RemoteState("c", {path: RemoteFile(1, "s", None) for path in there}, {})
    plan = plan_release(dict.fromkeys(wanted, 2), alike & wanted & there, state, ours)
    parts = [plan.new, plan.changed, plan.unchanged, plan.deleted]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert set().union(*parts[:3]) == wanted
    assert plan.deleted.keys() == (there & ours) - wanted
    after = (there - plan.deleted.keys()) | set(plan.uploads)
    assert wanted <= after
    assert (there - ours) <= after, "what is somebody's own stays"
    assert plan.is_empty == (wanted <= alike & there and not plan.deleted)


def test_a_card_may_be_replaced_and_nothing_else_of_somebodys() -> None:
    state = RemoteState(
        "c",
        {path: RemoteFile(1, "s", None) for path in ("README.md", "build.json")},
        {},
    )
    refuse_foreign(plan_release({"README.md": 2}, set(), state, set()), set(), "lab/x")
    with pytest.raises(PublishError, match=r"lab/x: 'build\.json' exists"):
        refuse_foreign(
            plan_release({"build.json": 2}, set(), state, set()), set(), "lab/x"
        )


def test_a_long_plan_lists_some_and_counts_the_rest() -> None:
    lines = list(
        plan_release(
            {f"f{n:02}": 10 for n in range(30)}, set(), RemoteState(None, {}, {}), set()
        ).lines()
    )
    assert lines[0] == "new       30 files, 300 bytes"
    assert lines[13] == "  … and 18 more"


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("lab/x", "lab/x", None),
        ("lab/x@v1.0.0", "lab/x", "v1.0.0"),
        ("file:a/b@v1", "file:a/b", "v1"),
        ("file:a@b/c", "file:a@b/c", None),
    ],
)
def test_a_revision_stands_behind_the_last_at(
    text: str, name: str, revision: str | None
) -> None:
    assert split_revision(text) == (name, revision)
    assert is_release_name(text)


def test_a_folder_wins_over_a_name_of_the_hub(tmp_path: Path) -> None:
    assert not is_release_name(str(tmp_path))
    assert not is_release_name("no-such-folder")
    with pytest.raises(ConfigError, match="ends with an @"):
        split_revision("lab/x@")
    (tmp_path / "a@b").mkdir()
    assert split_revision(f"file:{tmp_path}/a@b") == (f"file:{tmp_path}/a@b", None)


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../b", ".answers/x", "a/.hidden", "", "a\\b"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(PublishError, match="unsafe file name"):
        safe_path(path, "lab/x", PublishError)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/a/b.jsonl", "b.jsonl"),
        ("C:\\a\\b.jsonl", "b.jsonl"),
        ("b", "b"),
        ("a/b/", "b"),
    ],
)
def test_of_a_path_its_last_part_is_told(path: str, part: str) -> None:
    assert last_part(path) == part


@pytest.mark.parametrize(
    ("identity", "model", "changed"),
    [
        ("local:abc", "/home/ann/models/Tiny", {"model": "Tiny"}),
        ("hub:org/Tiny@" + "1" * 40, "org/Tiny", {"revision": "1" * 40}),
        ("scripted:abc", "scripted", {}),
    ],
)
def test_a_teacher_is_told_by_name_and_commit(
    finished: Path, identity: str, model: str, changed: dict[str, str]
) -> None:
    config, manifest = (
        StoredBuild.open(finished).config,
        StoredBuild.open(finished).manifest.model_copy(update={"teacher": identity}),
    )
    teacher = config.teacher.model_copy(update={"model": model})
    public = public_config(config.model_copy(update={"teacher": teacher}), manifest)
    assert public.teacher == teacher.model_copy(update=changed)


def test_of_some_configs_the_manifest_still_adds_up(finished: Path) -> None:
    manifest = StoredBuild.open(finished).manifest
    whole, some = (
        public_manifest(manifest, None),
        public_manifest(manifest, ["post_cot"]),
    )
    assert (whole.fingerprint, whole.run) == (manifest.fingerprint, None)
    assert some.fingerprint != whole.fingerprint
    assert (
        set(some.digests)
        == {"rationales", "questions", "post_cot"}
        == {entry.config_name for entry in some.files}
    )
    assert some.variants is not None
    assert manifest.variants is not None
    assert some.variants.made == manifest.variants.made
    assert public_manifest(manifest, ["rationales"]).variants is None


def test_what_this_cotbuild_cannot_make_again_says_why(finished: Path) -> None:
    manifest = StoredBuild.open(finished).manifest
    assert unverifiable_reason(manifest) is None
    kept = [entry.model_copy(update={"content": None}) for entry in manifest.templates]
    assert "before templates were stored" in str(
        unverifiable_reason(manifest.model_copy(update={"templates": kept}))
    )
    assert "extraction version 0" in str(
        unverifiable_reason(manifest.model_copy(update={"extract_version": 0}))
    )
    assert "compared by math-verify 0.0, while no such package" in str(
        unverifiable_reason(
            manifest.model_copy(update={"math_metric": "math-verify 0.0"})
        )
    )


def test_a_pulled_build_knows_the_weights_it_has_not(tmp_path: Path) -> None:
    save_identity_cache(tmp_path, IdentityCache(folders={"Tiny": "abc"}))
    assert teacher_identity(TeacherConfig(model="Tiny"), tmp_path) == "local:abc"
    with pytest.raises(ConfigError, match="neither a local directory nor a Hub id"):
        teacher_identity(TeacherConfig(model="Other"), tmp_path)
