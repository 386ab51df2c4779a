"""A build resolved: everything that decides its requests and rows, before anybody is
asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cotbuild.builder.generate.chains import Chain, Lookup, walk_all
from cotbuild.builder.generate.code_digest import code_digest
from cotbuild.builder.generate.exemplars import draw
from cotbuild.builder.generate.modes import ChainRules
from cotbuild.builder.imports import RationaleImport, open_import, open_import_source
from cotbuild.builder.sources import Source, canonical_split, open_source
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.storage.keys import key_bytes
from cotbuild.builder.teachers import teacher_identity
from cotbuild.builder.teachers.vllm.embedded import MODEL as EMBEDDED_MODEL
from cotbuild.prompts.template import Template, load_template, load_templates
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose

PURPOSES = {
    "elicit": (Purpose.ELICIT,),
    "rationalize": (Purpose.RATIONALIZE,),
    "elicit-then-rationalize": (Purpose.ELICIT, Purpose.RATIONALIZE),
}


@dataclass(frozen=True)
class Job:
    """A configuration with its templates, source, store and teacher identity at hand."""

    config: BuildConfig
    out: Path
    templates: dict[Purpose, dict[QuestionKind, Template]]
    source: Source
    store: AnswerStore
    teacher: str

    @cached_property
    def imported(self) -> RationaleImport:
        """The rationales made elsewhere; reads their files.

        Only where the config names some.
        """
        assert self.config.imported is not None
        return open_import(self.config.imported, self.source)

    @cached_property
    def asking(self) -> ChainRules:
        """The way of asking.

        Reads the split of the exemplars, where they are drawn from one.
        """
        wanted = self.config.exemplars
        pool = (
            None if wanted is None else draw(wanted, self.source.worked(wanted.split))
        )
        return ChainRules(self.config, self.teacher, self.templates, pool)

    @cached_property
    def eval_splits(self) -> list[str]:
        """The splits that enter without a request, by canonical name; raises
        ConfigError on a repeat.
        """
        splits = [canonical_split(split) for split in self.config.source.eval_splits]
        if len({self.source.split, *splits}) != 1 + len(splits):
            raise ConfigError(
                f"--eval-splits {','.join(splits)!r}: Expected each split once, and not the one "
                f"asked about, {self.source.split!r}. Leave it out."
            )
        return splits

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Checksum of every split that is read."""
        drawn = (
            [canonical_split(self.config.exemplars.split)]
            if self.config.exemplars
            else []
        )
        splits = dict.fromkeys([self.source.split, *self.eval_splits, *drawn])
        return {split: self.source.checksum(split) for split in splits}

    @cached_property
    def import_checksums(self) -> list[str]:
        """Of the files of rationales, and of the file that orders them."""
        wanted = self.config.imported
        files = (
            []
            if wanted is None
            else [*wanted.files, *([wanted.order_from] if wanted.order_from else [])]
        )
        return [FileRows(Path(file)).checksum() for file in files]

    @cached_property
    def inputs(self) -> str:
        """Digest of all that fixes the build's content but the answers: equal inputs
        and store mean equal rows.
        """
        parts = {
            "config": self.config.model_dump(mode="json", exclude={"teacher"}),
            "teacher": self.teacher,
            "templates": [
                [p.value, t.ref, t.fingerprint]
                for p, used in self.templates.items()
                for t in used.values()
            ],
            "source": self.checksums,
            "imported": self.import_checksums,
            "code": code_digest(),
            "pyarrow": version("pyarrow"),
        }
        return digest("inputs/1", parts)

    def chains(self, lookup: Lookup) -> Iterator[Chain]:
        """Every chain in plan order, as far as `lookup` has answers."""
        return walk_all(self.asking, self.source.read(self.source.split), lookup)

    @property
    def title(self) -> str:
        model = self.config.teacher.model
        # Never a path: the title is published.
        teacher = (
            EMBEDDED_MODEL
            if model == "embedded"
            else model.rstrip("/").rsplit("/", 1)[-1]
        )
        return f"{self.source.dataset}: rationales by {self.teacher if self.config.imported else teacher}"


def prepare(config: BuildConfig, out: Path) -> Job:
    """Resolve a configuration. Asks for no completion, but may look at a Hub id or an
    endpoint that is new to `out`.

    Raises ConfigError, DataError or TeacherError in one line.
    """
    store = AnswerStore(out)
    if config.imported is not None:
        source = open_import_source(config.imported, config.source)
        return Job(config, out, {}, source, store, config.imported.recipe.made_by)
    return Job(
        config=config,
        out=out,
        templates=purpose_templates(config),
        source=open_source(config.source, store.root),
        store=store,
        teacher=teacher_identity(config.teacher, store.root),
    )


def purpose_templates(
    config: BuildConfig,
) -> dict[Purpose, dict[QuestionKind, Template]]:
    """The templates of each purpose that the mode needs.

    Raises ConfigError where one named is for none of them.
    """
    purposes = PURPOSES[config.mode]
    for template in map(load_template, config.templates):
        if (
            Purpose.RATIONALIZE if template.shows_target else Purpose.ELICIT
        ) not in purposes:
            does = "shows the target" if template.shows_target else "hides the target"
            raise ConfigError(
                f"template {template.ref} {does}. Expected one that does not, for --mode {config.mode}. "
                "`cotbuild prompts` lists them."
            )
    found = {
        purpose: load_templates(
            config.templates, config.system, shows_target=purpose is Purpose.RATIONALIZE
        )
        for purpose in purposes
    }
    if config.decode != "json":
        return found
    return {
        p: {kind: t.changed(reply="json") for kind, t in used.items()}
        for p, used in found.items()
    }


@contextmanager
def known_answers(
    index: AnswerIndex, *, retry: bool, retry_failed: bool = False
) -> Iterator[Lookup]:
    """A lookup by request_key.

    `retry`: failures that may pass count as unanswered; `retry_failed`: all failures.
    """
    with index.reader() as reader:

        def lookup(request_key: str) -> Answer | None:
            place = index.find(key_bytes(request_key))
            if (
                place is None
                or (retry and index.may_pass(place))
                or (retry_failed and index.failed(place))
            ):
                return None
            return reader.read(place)

        yield lookup


def is_up_to_date(job: Job, manifest: Manifest) -> bool:
    """Whether the build that stands there is what this job would make, with nothing
    left to ask.
    """
    run = manifest.run
    return (
        run is not None
        and run.open_failures == 0
        and run.inputs == job.inputs
        and run.store == job.store.state()
        and all(
            _has_size(job.out / entry.path, entry.num_bytes) for entry in manifest.files
        )
    )


def _has_size(path: Path, num_bytes: int) -> bool:
    try:
        return path.stat().st_size == num_bytes
    except OSError:
        return False


def cotbuild_version() -> str:
    """The installed version; a checkout that was never installed says so."""
    try:
        return version("cotbuild")
    except PackageNotFoundError:
        return "0+checkout"
