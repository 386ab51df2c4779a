"""Compare build.json with the manifest that it came with, field by field.

Every field of the configuration is listed here with what confirms it, so that a new one
cannot be forgotten: a test compares the lists with the records. Pure.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from cotbuild.builder.build.build import QUESTIONS, StoredBuild
from cotbuild.builder.build.compare import differences
from cotbuild.builder.generate.chains import ChainRules
from cotbuild.builder.generate.import_job import import_title
from cotbuild.builder.generate.teacher_job import teacher_title
from cotbuild.builder.release.file_names import public_file_name
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.release.sanitize import NO_ADDRESS, named_config
from cotbuild.builder.release.untrusted import received_config
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.teachers.identity import teacher_name
from cotbuild.builder.teachers.model_names import COMMIT, hub_commit
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportConfig, ImportEntry
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.teacher_config import TeacherConfig


class Fault(NamedTuple):
    """A field of build.json that contradicts the manifest."""

    field: str
    value: object
    expected: object


CONFIRMED_BY: dict[str, dict[str, str]] = {
    "BuildConfig": {
        "format_version": "reading",
        "source": "its fields",
        "teacher": "its fields",
        "imported": "manifest",
        "mode": "manifest",
        "attempts": "manifest",
        "decode": "manifest",
        "on_length": "manifest",
        "longer_tokens": "in part",
        "choice_tokens": "in part",
        "exemplars": "manifest",
        "templates": "manifest",
        "system": "manifest",
        "sampling": "manifest",
        "samples": "manifest",
        "seed": "manifest",
        "grading": "manifest",
    },
    "SourceConfig": {
        "name": "manifest",
        "config_name": "rows",
        "revision": "rows",
        "split": "manifest",
        "rows": "in part",
        "sample": "in part",
        "sample_seed": "nothing",
        "limit": "in part",
        "eval_splits": "manifest",
        "file_format": "nothing",
        "header": "nothing",
        "rows_under": "nothing",
        "columns": "nothing",
        "tags": "nothing",
        "kind": "rows",
        "target_is": "nothing",
        "labels": "nothing",
        "images": "nothing",
        "fetch_images": "nothing",
        "on_bad_row": "nothing",
        "drop_overlap": "nothing",
    },
    "TeacherConfig": {
        "model": "manifest",
        "endpoints": "manifest",
        "revision": "in part",
        "recorded": "manifest",
        "window": "nothing",
        "max_attempts": "nothing",
        "stall_s": "nothing",
        "max_answer_s": "nothing",
        "profile": "in part",
        "omit": "manifest",
        "rename": "manifest",
        "extra_body": "manifest",
        "seed_bits": "in part",
        "server": "manifest",
        "scripted": "manifest",
    },
}
"""What confirms each field of build.json, by record.

"manifest": it is compared here; "rows": with every row, in figures.py; "in part": rows or
manifest may contradict it, but need not; "nothing": it decides no request and no text of
a row, or only the source can tell.
"""


def check_config(build: StoredBuild) -> None:
    """Check that build.json is the configuration that manifest.json describes.

    Raises DataError at the first field that contradicts it.
    """
    _raise_first(build, _faults(build))


def check_requests(build: StoredBuild) -> None:
    """Check the fields of build.json that decide what a teacher is asked, but for the
    teacher itself and the source. Raises DataError as `check_config` does.
    """
    _raise_first(build, _request_faults(build))


def _raise_first(build: StoredBuild, faults: Iterator[Fault]) -> None:
    for fault in faults:
        raise DataError(
            f"{build.folder}/build.json: {fault.field} is {short_repr(fault.value)}, but "
            f"manifest.json says {short_repr(fault.expected)}. Restore the file, or build "
            "again."
        )


def unconfirmed_fields() -> list[str]:
    """Return the fields of build.json that nothing in a build fully confirms."""
    prefixes = {
        "BuildConfig": "",
        "SourceConfig": "source.",
        "TeacherConfig": "teacher.",
    }
    return [
        f"{prefixes[record]}{name}"
        for record, fields in CONFIRMED_BY.items()
        for name, confirmed_by in fields.items()
        if confirmed_by in ("nothing", "in part")
    ]


def _faults(build: StoredBuild) -> Iterator[Fault]:
    config, manifest = build.config, build.manifest
    yield from _request_faults(build)
    if config.imported is None:
        yield from _teacher_faults(config.teacher, manifest.teacher)
    yield from _source_faults(build)
    yield from _title_faults(config, manifest)
    if manifest.run is None:
        yield from _private_faults(config, manifest)


def _request_faults(build: StoredBuild) -> Iterator[Fault]:
    """Compare what decides the requests, or how files are imported and graded."""
    config, manifest = build.config, build.manifest
    yield from _equal("seed", config.seed, manifest.seed)
    yield from _equal("exemplars", config.exemplars, manifest.exemplars)
    yield from _equal("grading", config.grading, manifest.grading)
    if config.imported is not None and manifest.imported is not None:
        yield from _import_faults(config.imported, manifest.imported, manifest)
    elif config.imported is None and manifest.imported is None:
        yield from _sampling_faults(config, manifest)
        yield from _template_faults(config, manifest)
    else:
        yield Fault("imported", config.imported, manifest.imported)


def _equal(field: str, value: Any, expected: Any) -> Iterator[Fault]:
    for path, found, stated in differences(value, expected, field):
        yield Fault(path, found, stated)


# -- how the teacher was asked ---------------------------------------------------------


def _sampling_faults(config: BuildConfig, manifest: Manifest) -> Iterator[Fault]:
    rules = ChainRules(config, manifest.teacher, {})
    yield from _equal("mode", rules.ref, manifest.mode)
    yield from _equal("sampling", config.sampling, manifest.sampling)
    yield from _equal("samples", config.samples, manifest.samples)
    only = None if config.attempts is None else config.attempts.only
    recorded = None if manifest.attempts is None else manifest.attempts.only
    yield from _equal("attempts.only", only, recorded)
    yield from _equal("seed_bits", rules.body.seed_bits, manifest.seed_bits)
    yield from _equal("edits of requests", rules.first_edits, manifest.edits)


def _template_faults(config: BuildConfig, manifest: Manifest) -> Iterator[Fault]:
    """Compare what the configuration changes in the templates, and which it names."""
    for entry in manifest.templates:
        content = entry.content
        if content is None:
            continue
        if config.system is not None:
            # An empty one is none; older builds hold it as it was set.
            sent = content.get("system") or None
            yield from _equal("system", config.system or None, sent)
        reply = "json" if config.decode == "json" else content.get("reply")
        yield from _equal("decode", reply, content.get("reply"))
    named = [ref for ref in config.templates if "@" in last_part(ref)]
    kinds = [str((entry.content or {}).get("kind")) for entry in manifest.templates]
    refs = [entry.template for entry in manifest.templates]
    # One template was used for each kind of question, so all are named or all default.
    if len(named) == len(config.templates) == len(refs) == len(set(kinds)):
        given = sorted(last_part(ref).removesuffix(".yaml") for ref in named)
        yield from _equal("templates", given, sorted(refs))


# -- the teacher -----------------------------------------------------------------------


def _teacher_faults(teacher: TeacherConfig, identity: str) -> Iterator[Fault]:
    """Compare the teacher with the identity that the manifest records."""
    if teacher.recorded is not None:
        yield from _equal("teacher.recorded", teacher.recorded, identity)
    scheme = identity.partition(":")[0]
    if scheme == "endpoint":
        served = teacher.model_copy(update={"endpoints": (NO_ADDRESS,)})
        known, _, _ = identity.removeprefix("endpoint:").rpartition("#")
        yield from _equal("teacher.model", teacher_name(served), known)
        return
    yield from _equal("teacher.endpoints", teacher.endpoints, ())
    if scheme == "scripted":
        settings = teacher.scripted.model_dump(mode="json")
        scripted = f"scripted:{digest('scripted', settings)}"
        yield from _equal("teacher.scripted", scripted, identity)
    if scheme in ("scripted", "embedded"):
        yield from _equal("teacher.model", teacher.model, scheme)
    if scheme == "hub":
        model, _, _ = identity.removeprefix("hub:").rpartition("@")
        yield from _equal("teacher.model", teacher.model, model)
        if teacher.revision and COMMIT.fullmatch(teacher.revision):
            yield from _equal(
                "teacher.revision", teacher.revision, hub_commit(identity)
            )
    if scheme == "local" and teacher.model in ("scripted", "embedded"):
        yield Fault("teacher.model", teacher.model, identity)


# -- an import -------------------------------------------------------------------------


def _import_faults(
    config: ImportConfig, entry: ImportEntry, manifest: Manifest
) -> Iterator[Fault]:
    recipe = config.recipe
    order_from = config.order_from
    order_file = None if entry.order_from is None else entry.order_from.file
    # Those of the source are not named in the configuration.
    is_named = not recipe.is_from_source
    files = [file.file for file in entry.files] if is_named else []
    pairs: dict[str, tuple[object, object]] = {
        "recipe": (recipe.ref, entry.recipe),
        "recipe.fingerprint": (recipe.fingerprint, entry.fingerprint),
        "recipe.columns": (recipe.columns, entry.columns or recipe.columns),
        "recipe.where": (recipe.where, entry.where),
        "recipe.once": (recipe.once, entry.once),
        "recipe.made_by": (recipe.made_by, entry.made_by),
        "recipe.licence": (recipe.licence, entry.licence),
        "recipe.url": (recipe.url, entry.url),
        "files": ([public_file_name(file) for file in config.files], files),
        "order_from": (order_from and last_part(order_from), order_file),
    }
    for field, (value, expected) in pairs.items():
        yield from _equal(f"imported.{field}", value, expected)
    yield from _equal("imported.recipe.made_by", recipe.made_by, manifest.teacher)
    yield from _equal("imported.recipe", f"import:{recipe.ref}", manifest.mode)
    # What an import has none of.
    yield from _equal("sampling", None, manifest.sampling)
    yield from _equal("samples", None, manifest.samples)


# -- the source ------------------------------------------------------------------------


def _source_faults(build: StoredBuild) -> Iterator[Fault]:
    config, source = build.config.source, build.manifest.source
    if not _holds_questions(build.config.imported):
        yield from _dataset_faults(build)
    if config.split is not None:
        split = canonical_split(config.split)
        yield from _equal("source.split", split, source.split)
    splits = sorted(canonical_split(split) for split in config.eval_splits)
    yield from _equal("source.eval_splits", splits, sorted(build.splits(QUESTIONS)))
    for field, most in (("sample", config.sample), ("limit", config.limit)):
        if most is not None and source.num_questions > most:
            yield Fault(f"source.{field}", most, source.num_questions)


def _holds_questions(imported: ImportConfig | None) -> bool:
    """Whether the imported files hold their questions, so that no source is named."""
    return imported is not None and imported.recipe.join == "inside"


def _dataset_faults(build: StoredBuild) -> Iterator[Fault]:
    """Compare the name of the source; that of a file may be a link to it, so it is not."""
    config, source = build.config.source, build.manifest.source
    if source.hub_id is None:
        yield from _equal("source.revision", config.revision, None)
    if config.name == source.dataset:
        return  # as a release names a file, or a folder that is named like a dataset
    if config.name == "bundled":
        yield from _equal("source.name", config.name, source.dataset)
    elif config.name in KNOWN_DATASETS:
        hub_id = KNOWN_DATASETS[config.name].hub_id
        yield from _equal("source.name", hub_id, source.hub_id)
    elif source.hub_id is not None:
        yield from _equal("source.name", config.name, source.hub_id)


# -- the title -------------------------------------------------------------------------


def _title_faults(config: BuildConfig, manifest: Manifest) -> Iterator[Fault]:
    dataset = manifest.source.dataset
    if manifest.imported is not None:
        title = import_title(dataset, manifest.teacher)
    else:
        title = teacher_title(dataset, config.teacher.model)
    yield from _equal("title of the build", title, manifest.title)


# -- what a release may hold -----------------------------------------------------------


def _private_faults(config: BuildConfig, manifest: Manifest) -> Iterator[Fault]:
    """Find settings of a publisher's machine, which no release and no pulled build has."""
    if config.teacher.recorded is None:
        public = named_config(config, manifest)
        yield from _equal("templates", config.templates, public.templates)
    else:
        public, _ = received_config(config, manifest)
    for section in ("source", "teacher", "imported"):
        yield from _equal(section, getattr(config, section), getattr(public, section))
