"""Pull a release: a build directory again, with an answer store of what it holds."""

import shutil
from contextlib import suppress
from pathlib import Path, PurePosixPath

import yaml

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.build.directory import (
    CONFIG,
    INSTALLING,
    MANIFEST,
    read_manifest,
    set_aside_damaged_manifest,
)
from cotbuild.builder.build.install import install_build, lock_build
from cotbuild.builder.hub.target import ReleaseTarget
from cotbuild.builder.media import MediaStore, media_folder
from cotbuild.builder.release.card_check import check_front_matter
from cotbuild.builder.release.config_check import check_requests
from cotbuild.builder.release.fetch import FoundRelease, fetch_found, find_release
from cotbuild.builder.release.figures import verify_rows
from cotbuild.builder.release.rederive import (
    is_retryable,
    stored_answers,
)
from cotbuild.builder.release.untrusted import left_out_line, received_config
from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.storage.parquet import read_images
from cotbuild.builder.storage.places import plain_folder, plain_place
from cotbuild.builder.storage.usage import RELEASE
from cotbuild.builder.teachers.identity import (
    load_identity_cache,
    save_identity_cache,
    teacher_name,
    tokenizer_digest_of,
)
from cotbuild.builder.teachers.model_names import hub_commit
from cotbuild.builder.ui import Ui
from cotbuild.prompts.template import builtin_templates
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import PublishError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.files import write_error, write_text_atomic
from cotbuild.schemas.manifest import Manifest, TemplateEntry

PULLING = ".pulling"
"""The folder of files being downloaded.

It is removed last, so where it exists a pull was interrupted and can be resumed.
"""


def pull(
    target: ReleaseTarget, revision: str | None, out: Path, ui: Ui
) -> tuple[Manifest, bool]:
    """Pull a release to `out`; return its manifest, and False if it was there already.

    `generate` with its build.json and the same source then requests only what failed
    with a retryable error, and derives the same rows. Raises PublishError if `out` holds
    anything else or there is no release, DataError if the release is damaged.
    """
    _refuse_other_content(out)
    stage = plain_folder(out, PurePosixPath(PULLING), str(out), PublishError)
    found = find_release(target, revision)  # before anything is created here
    with lock_build(out):
        stage.mkdir(exist_ok=True)
        ui.phase(Phase.DOWNLOADING)
        try:
            release = _fetch(target, found, stage, ui)
        except PublishError:
            with suppress(OSError):  # if anything was downloaded, it is kept
                stage.rmdir()
            raise
        set_aside_damaged_manifest(out)
        existing = read_manifest(out)
        if existing is not None:
            _remove_stage(stage)
            _refuse_other_build(out, existing, release.manifest)
            return existing, False
        ui.phase(Phase.INSTALLING)
        changed = _install(release, target, out)
    ui.say(left_out_line(out / CONFIG, changed))
    return release.manifest, True


def _refuse_other_content(out: Path) -> None:
    """Raise PublishError unless `out` is new, empty, a build or an interrupted pull."""
    if not out.exists():
        return
    if not out.is_dir():
        raise PublishError(f"{out} is a file. Choose a new or empty directory.")
    names = {path.name for path in out.iterdir()}
    if names & {PULLING, MANIFEST, INSTALLING}:
        return
    other = sorted(names - {ANSWERS})
    if other:
        raise PublishError(
            f"{out}: holds {other[0]!r} and is no build. Choose a new or empty directory."
        )
    if ANSWERS in names and AnswerStore(out).journals:
        raise PublishError(
            f"{out}: holds the answers of an unfinished build. "
            "Choose a new or empty directory."
        )


def _refuse_other_build(out: Path, existing: Manifest, pulled: Manifest) -> None:
    if existing.fingerprint != pulled.fingerprint:
        raise PublishError(
            f"{out}: holds another build, {existing.fingerprint[:16]}, not "
            f"{pulled.fingerprint[:16]}. Choose another directory."
        )


def _fetch(
    target: ReleaseTarget, found: FoundRelease, stage: Path, ui: Ui
) -> StoredBuild:
    """Download a release to the stage and verify it."""
    # An interrupted pull may have replaced it by the configuration for this machine.
    (stage / CONFIG).unlink(missing_ok=True)
    with ui.counting("bytes") as progress:
        release = fetch_found(target, found, stage, progress)
    ui.say(f"{target.name}: commit {found.commit[:12]}")
    verify_rows(release)
    # The rest of build.json is replaced by what may be used here.
    check_requests(release)
    check_front_matter(release)
    return release


def _install(release: StoredBuild, target: ReleaseTarget, out: Path) -> list[str]:
    """Make `out` a build of the release in the stage; return the settings left out."""
    manifest = release.manifest
    config, changed = received_config(release.config, manifest)
    try:
        if manifest.imported is None:
            _fill_store(AnswerStore(out), release, target.name)
            _store_teacher(out / ANSWERS, config, manifest.teacher)
            config = _with_local_templates(config, manifest, out)
        _fill_media(release, out)
        text = config.model_dump_json(indent=2) + "\n"
        write_text_atomic(release.folder / CONFIG, text)
        install_build(out, release.folder, manifest)
    except OSError as error:
        raise write_error(out, error) from error
    _remove_stage(release.folder)
    return changed


def _remove_stage(stage: Path) -> None:
    shutil.rmtree(stage, ignore_errors=True)


def _fill_media(release: StoredBuild, out: Path) -> None:
    """Write the pictures in the rows of a verified release to the folder of a build."""
    if release.manifest.media is None:
        return
    store = MediaStore(media_folder(out))
    for config_name in (RATIONALES, QUESTIONS):
        for entry in release.files(config_name):
            for images in read_images(release.place(entry)):
                for image in images:
                    store.put(image.data)


# -- the answer store ------------------------------------------------------------------


def _fill_store(store: AnswerStore, release: StoredBuild, origin: str) -> None:
    """Write every answer in `rationales` to one journal, which appears only complete."""
    if not store.generations:
        store.start_generation()
    name = f"release-{release.manifest.fingerprint[:16]}.journal"
    part = release.folder / f".{name}"
    part.unlink(missing_ok=True)
    with Journal(part, {"teacher": {"kind": RELEASE, "release": origin}}) as journal:
        for row in release.rationales():
            for _, answer in stored_answers(row):
                if not is_retryable(answer):
                    journal.append(answer)
        journal.finish()
    part.replace(store.generations[-1] / name)


def _store_teacher(store_dir: Path, config: BuildConfig, identity: str) -> None:
    """Store what identifies the teacher, so that a rebuild without requests needs no
    server, Hub or weights to find out.
    """
    known = load_identity_cache(store_dir)
    name = teacher_name(config.teacher)
    changes: dict[str, dict[str, str]] = {}
    if identity.startswith("endpoint:"):
        changes["endpoints"] = {**known.endpoints, name: tokenizer_digest_of(identity)}
    elif identity.startswith("hub:"):
        changes["hub"] = {**known.hub, name: hub_commit(identity)}
    elif identity.startswith("local:"):
        weights = identity.removeprefix("local:")
        changes["folders"] = {**known.folders, config.teacher.model: weights}
    save_identity_cache(store_dir, known.model_copy(update=changes))


# -- templates -------------------------------------------------------------------------


def _with_local_templates(
    config: BuildConfig, manifest: Manifest, out: Path
) -> BuildConfig:
    """Write the templates that do not ship with cotbuild to files, and refer to them."""
    templates = []
    for entry in manifest.templates:
        if entry.content is None or _is_builtin(entry, config):
            templates.append(entry.template)
        else:
            # A plain file name, by the pattern of TemplateEntry, so it stays here.
            name = f"{entry.template}.yaml"
            path = PurePosixPath(ANSWERS, "templates", name)
            place = plain_place(out.resolve(), path, str(out), PublishError)
            write_text_atomic(place, yaml.safe_dump(entry.content, sort_keys=False))
            templates.append(str(place))
    return config.model_copy(update={"templates": tuple(templates)})


def _is_builtin(entry: TemplateEntry, config: BuildConfig) -> bool:
    """Whether the template shipped by that name is the same, as the build changes it."""
    builtin = builtin_templates().get(entry.template)
    if builtin is None:
        return False
    changes: dict[str, str | None] = {}
    if config.system is not None:
        changes["system"] = config.system or None
    if config.decode == "json":
        changes["reply"] = "json"
    return builtin.replace(**changes).fingerprint == entry.fingerprint
