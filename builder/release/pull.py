"""Pulling: a release back as a build directory, with a store of all that its teacher
said.
"""

import shutil
from contextlib import suppress
from pathlib import Path

import yaml

from cotbuild.builder.build.build import Build
from cotbuild.builder.build.directory import CONFIG, install_build, read_manifest
from cotbuild.builder.build.verify import verify_build
from cotbuild.builder.hub.target import ReleaseTarget
from cotbuild.builder.release.fetch import fetch_release
from cotbuild.builder.release.rederive import (
    answers_of,
    may_pass,
    template_of,
)
from cotbuild.builder.release.untrusted import received_config
from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.teachers.identity import teacher_name, tokens_in
from cotbuild.builder.teachers.known import load_known, save_known
from cotbuild.builder.teachers.model_names import hub_commit
from cotbuild.builder.ui import Ui
from cotbuild.prompts.template import Template, builtin_templates
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import PublishError, StoreError
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.manifest import Manifest, TemplateEntry

PULLING = ".pulling"
"""Files on their way; it goes at the very end, so where it stands a pull was
interrupted and may go on.
"""


def pull(
    target: ReleaseTarget, revision: str | None, out: Path, ui: Ui
) -> tuple[Manifest, bool]:
    """Bring a release to `out`; its manifest, and False where it stood there already.

    `generate` with its build.json and the same source then asks only what had failed
    and may pass, and makes the same rows. Raises PublishError where `out` holds
    something else or there is no release, DataError where it is not whole.
    """
    _refuse_other(out)
    stage = out / PULLING
    with AnswerStore(out).lock():
        stage.mkdir(exist_ok=True)
        try:
            release = _fetch(target, revision, out, ui)
        except PublishError:
            _forget(out)
            raise
        manifest = release.manifest
        if (standing := read_manifest(out)) is not None:
            _drop_stage(stage)
            if standing.fingerprint != manifest.fingerprint:
                raise PublishError(
                    f"{out}: holds another build, {standing.fingerprint[:16]}. Expected none, or the release's own, "
                    f"{manifest.fingerprint[:16]}. Choose another folder."
                )
            return manifest, False
        config, cut = received_config(release.config, manifest)
        try:
            if manifest.imported is None:
                _fill_store(out, release, config, target.name)
                config = _localised(config, manifest, out)
            write_text_atomic(stage / CONFIG, config.model_dump_json(indent=2) + "\n")
            install_build(out, stage, manifest)
        except OSError as error:
            raise StoreError(
                f"{out}: {error}. Expected room for a build. Run the same command again."
            ) from error
        _drop_stage(stage)
    ui.say(
        f"{out / CONFIG}: left out, as theirs and not yours: {', '.join(['how to reach the teacher', *cut])}"
    )
    return manifest, True


def _refuse_other(out: Path) -> None:
    """Raise PublishError where the folder holds what is no build and no interrupted
    pull.
    """
    if out.exists() and not out.is_dir():
        raise PublishError(f"{out}: a file. Expected a folder that is new or empty.")
    inside = {path.name for path in out.iterdir()} if out.exists() else set()
    if inside - {ANSWERS} and PULLING not in inside and "manifest.json" not in inside:
        raise PublishError(
            f"{out}: holds {sorted(inside - {ANSWERS})[0]!r} and is no build. Expected a folder that is new or empty."
        )
    if inside == {ANSWERS} and AnswerStore(out).journals:
        raise PublishError(
            f"{out}: holds answers of a build that is not finished. Expected a new or empty folder."
        )


def _fetch(target: ReleaseTarget, revision: str | None, out: Path, ui: Ui) -> Build:
    """The release, whole and checked, in the stage."""
    stage = out / PULLING
    # What a kill left half installed, and what we had changed of it.
    (stage / CONFIG).unlink(missing_ok=True)
    with ui.counting("bytes") as progress:
        commit, release = fetch_release(target, revision, stage, progress)
    ui.say(f"{target.name}: commit {commit[:12]}")
    verify_build(release)
    for entry in release.manifest.templates:
        if entry.content is not None:
            template_of(
                entry
            )  # raises where the content is not what the fingerprint says
    return release


def _forget(out: Path) -> None:
    """Leave nothing in a folder that a pull made for nothing."""
    with suppress(OSError):
        (out / PULLING).rmdir()  # only where nothing came yet


def _drop_stage(stage: Path) -> None:
    shutil.rmtree(stage, ignore_errors=True)


# -- the store ---------------------------------------------------------------------------------------------------------


def _fill_store(out: Path, release: Build, config: BuildConfig, origin: str) -> None:
    """A journal of every answer in `rationales`, in place whole or not at all; and who
    the teacher was.
    """
    store = AnswerStore(out)
    if not store.generations:
        store.start_generation()
    manifest = release.manifest
    name = f"release-{manifest.fingerprint[:16]}.journal"
    part = release.folder / f".{name}"
    part.unlink(missing_ok=True)
    with Journal(part, {"teacher": {"kind": "release", "release": origin}}) as journal:
        for row in release.rationales():
            for _, answer in answers_of(row):
                if not may_pass(answer):
                    journal.append(answer)
    part.replace(store.generations[-1] / name)
    _remember_teacher(store.root, config, manifest.teacher)


def _remember_teacher(root: Path, config: BuildConfig, identity: str) -> None:
    """What it took a server, the Hub or the weights to find out, so that none is needed
    where nothing is to ask.
    """
    known, teacher = load_known(root), config.teacher
    if identity.startswith("endpoint:"):
        known = known.model_copy(
            update={
                "endpoints": {
                    **known.endpoints,
                    teacher_name(teacher): tokens_in(identity),
                }
            }
        )
    elif identity.startswith("hub:"):
        known = known.model_copy(
            update={"hub": {**known.hub, teacher_name(teacher): hub_commit(identity)}}
        )
    elif identity.startswith("local:"):
        digest = identity.removeprefix("local:")
        known = known.model_copy(
            update={"folders": {**known.folders, teacher.model: digest}}
        )
    save_known(root, known)


# -- templates ---------------------------------------------------------------------------------------------------------


def _localised(config: BuildConfig, manifest: Manifest, out: Path) -> BuildConfig:
    """The configuration with templates that do not ship written to files, and named by
    them.
    """
    refs = [_template_ref(entry, config, out) for entry in manifest.templates]
    return config.model_copy(update={"templates": tuple(refs)})


def _template_ref(entry: TemplateEntry, config: BuildConfig, out: Path) -> str:
    """What names the template in build.json.

    Its name is a plain one, by TemplateEntry's pattern, so it stays here.
    """
    if entry.content is None or _ships(entry, config):
        return entry.template
    place = out.resolve() / ANSWERS / "templates" / f"{entry.template}.yaml"
    write_text_atomic(place, yaml.safe_dump(entry.content, sort_keys=False))
    return str(place)


def _ships(entry: TemplateEntry, config: BuildConfig) -> bool:
    """Whether the template of that name that ships here comes to the same, with what
    the build changes of it.
    """
    shipped: Template | None = builtin_templates().get(entry.template)
    if shipped is None:
        return False
    changes = {"system": config.system} if config.system is not None else {}
    changes |= {"reply": "json"} if config.decode == "json" else {}
    return shipped.replace(**changes).fingerprint == entry.fingerprint
