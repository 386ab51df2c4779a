"""A build resolved: all that decides its content, before any request is made.

There are two kinds of job. `TeacherJob` requests rationales from a teacher; `ImportJob`
reads rationales that were written elsewhere. `resolve` in `builder.generate.run` chooses.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CARD, find_config
from cotbuild.builder.build.images import has_media_files
from cotbuild.builder.generate.budget import NO_LIMITS, RunLimits
from cotbuild.builder.generate.code_digest import code_digest
from cotbuild.builder.generate.derivation import UnderivedRows
from cotbuild.builder.generate.grading import installed_metric
from cotbuild.builder.generate.rows import BuildCounts
from cotbuild.builder.generate.worker_options import WorkersOptions
from cotbuild.builder.media import MediaStore, PreviewStore, media_folder
from cotbuild.builder.sources import Source, canonical_split
from cotbuild.builder.sources.provenance import stated_licence
from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.ui import Ui
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.answers.prose_scores import installed_scorers
from cotbuild.schemas.attempts import AttemptsEntry
from cotbuild.schemas.budget import Account, Budget
from cotbuild.schemas.completion import BodyEdits, Sampling
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose


class BuildRows(NamedTuple):
    """The rationales of a build before they are written, and how they were obtained."""

    rows: UnderivedRows
    num_rows: int
    mode: str
    """Name and version of the chain rules, or `import:` and the recipe."""
    templates: Mapping[Purpose, Mapping[QuestionKind, Template]] = {}
    sampling: Sampling | None = None
    samples: int | None = None
    seed_bits: int | None = None
    edits: BodyEdits | None = None
    """What the body of a first request leaves out, renames or adds."""
    num_requests: int = 0
    """Requests made in this run."""
    answers: AnswerIndex | None = None
    """The index of the stored answers; None where the rationales were imported."""
    attempts: AttemptsEntry | None = None
    """The attempts that a teacher evaluated; None where there were none."""
    account: Account | None = None
    """What the build has spent; None where the rationales were imported."""
    imported: ImportEntry | None = None
    """What was read from the imported files; None where a teacher answered."""
    warnings: Callable[[BuildCounts], Iterable[str]] = lambda _: ()
    """Returns what to tell the user about the rows, once all are derived."""


@dataclass(frozen=True)
class Job(ABC):
    """A configuration with its source, store, checksums and teacher identity."""

    config: BuildConfig
    out: Path
    source: Source
    store: AnswerStore
    teacher: str
    """Identity of the teacher, or the author of the imported rationales."""
    eval_splits: tuple[str, ...]
    """Canonical names of the evaluation splits to include."""
    checksums: Mapping[str, str]
    """Checksum of every split that is read."""
    grading: GradingRules
    """Optional rules and metrics of grading, opened for use."""
    media: MediaStore
    """The pictures of the questions."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Title of the published dataset; never contains a path."""

    @abstractmethod
    def collect_rows(
        self,
        ui: Ui,
        *,
        retry_failed: bool,
        limits: RunLimits = NO_LIMITS,
        workers: WorkersOptions | None = None,
    ) -> BuildRows:
        """Announce the run, then obtain every rationale.

        `retry_failed`: also repeat requests that the server rejected. `workers`: who
        makes the requests; None for this process. Raises a CotbuildError, PausedError
        where `limits` ended the run or no worker was left; answers received until then
        stay in the store.
        """

    @abstractmethod
    def preview(
        self,
        *,
        fresh: bool,
        retry_failed: bool,
        budget: Budget,
        workers: WorkersOptions | None = None,
    ) -> Iterator[str]:
        """Yield the lines of a dry run."""

    @abstractmethod
    def input_parts(self) -> dict[str, Any]:
        """Return what this kind of job adds to the digest of its inputs."""

    def template_fingerprints(self) -> dict[str, str]:
        """Return the fingerprint of every template, by name@version."""
        return {}

    def question_licence(self) -> str | None:
        """Return the licence of the questions as stated; None where none is."""
        return stated_licence(self.source, self.store.root)

    def source_lines(self) -> Iterator[str]:
        """Yield how the columns of each split were understood, a line a split."""
        for split, line in self.read_as().items():
            yield f"source {self.source.dataset}/{split}: {line}"
            for note in self.source.read_notes(split):
                yield f"source {self.source.dataset}/{split}: {note}"

    def read_as(self) -> dict[str, str]:
        """Return the splits whose columns had to be understood, and how they were."""
        lines = {
            split: self.source.read_as(split)
            for split in (self.source.split, *self.eval_splits)
        }
        return {split: line for split, line in lines.items() if line is not None}

    def may_have_images(self) -> bool:
        """Whether a question of the build may be asked with an image."""
        splits = (self.source.split, *self.eval_splits)
        return any(self.source.image_names(split) for split in splits)

    def digest_inputs(self) -> str:
        """Return the digest of all that decides the build's content but the answers.

        Equal inputs and an equal store mean equal rows. Reads cotbuild's own code.
        """
        parts = {
            "config": self.config.model_dump(mode="json", exclude={"teacher"}),
            "teacher": self.teacher,
            "templates": [],
            "source": self.checksums,
            "imported": [],
            "code": code_digest(),
            "pyarrow": version("pyarrow"),
        }
        metric = installed_metric(self.config.grading)
        if metric is not None:
            parts["math_metric"] = metric
        pictures = self._digest_pictures()
        if pictures is not None:
            parts["pictures"] = pictures
        return digest("inputs/1", parts | self.input_parts())

    def _digest_pictures(self) -> str | None:
        """Return the digest of all pictures of a source of files; None without any.

        The checksum of a file does not cover the pictures that its paths lead to.
        """
        if self.source.revision is not None or not self.source.declared_inputs():
            return None
        splits = [split for split in self.checksums if self.source.image_names(split)]
        if not splits:
            return None
        total = hashlib.sha256()
        for split in splits:
            for question in self.source.read(split):
                for image in question.images:
                    total.update(bytes.fromhex(image.sha256))
        return total.hexdigest()


def open_media(config: BuildConfig, out: Path, *, preview: bool) -> MediaStore:
    """Return the store of a build's pictures, of a preview one that writes nothing.

    Pictures that are fetched are kept by a preview too, since each URL is asked for
    once.
    """
    folder = media_folder(out)
    is_kept = config.source.fetch_images or not preview
    return MediaStore(folder) if is_kept else PreviewStore(folder)


def resolve_eval_splits(config: BuildConfig, source: Source) -> tuple[str, ...]:
    """Return the canonical names of the evaluation splits.

    Raises ConfigError where one is repeated or is the training split.
    """
    splits = tuple(canonical_split(split) for split in config.source.eval_splits)
    if len({source.split, *splits}) < 1 + len(splits):
        raise ConfigError(
            f"--eval-splits {','.join(splits)!r} repeats a split, or names "
            f"{source.split!r}, whose questions are sent to the teacher. Leave it out."
        )
    return splits


def split_checksums(
    config: BuildConfig, source: Source, eval_splits: tuple[str, ...]
) -> dict[str, str]:
    """Return the checksum of every split that a build reads."""
    splits = [source.split, *eval_splits]
    if config.exemplars is not None:
        splits.append(canonical_split(config.exemplars.split))
    return {split: source.checksum(split) for split in dict.fromkeys(splits)}


def is_up_to_date(job: Job, inputs: str, manifest: Manifest) -> bool:
    """Whether a finished build is what `job` would produce, with nothing to request.

    `inputs`: `job.digest_inputs()`.
    """
    run = manifest.run
    if run is None or run.open_failures:
        return False
    if run.inputs != inputs or run.store != job.store.state_digest():
        return False
    if manifest.prose_scorers not in (None, installed_scorers()):
        return False
    if find_config(job.out) is None or not (job.out / CARD).is_file():
        return False
    has_files = all(
        _has_size(job.out / entry.path, entry.num_bytes) for entry in manifest.files
    )
    return has_files and has_media_files(StoredBuild(job.out, manifest))


def _has_size(path: Path, num_bytes: int) -> bool:
    try:
        return path.stat().st_size == num_bytes
    except OSError:
        return False
