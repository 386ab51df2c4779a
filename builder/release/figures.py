"""Compare the figures of a manifest with the rows of its build, in one pass over them."""

import sys

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.build.compare import check_equal
from cotbuild.builder.build.verify import verify_build
from cotbuild.builder.card import rows_by_split
from cotbuild.builder.generate.rows import BuildCounts
from cotbuild.builder.release.rederive import stored_template
from cotbuild.builder.sources.slices import parse_row_range
from cotbuild.builder.teachers.model_names import COMMIT
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.rationale import Origin, Purpose, Rationale
from cotbuild.schemas.record import Record, short_repr

NOT_CHECKED = (
    "card_version",
    "cotbuild",
    "pyarrow",
    "source.checksums",
    "source.dropped",
    "source.licence",
    "source.overlaps",
    "source.read_as",
    "templates.content.about",
)
"""Fields of a manifest that do not follow from the files of a build."""
NOT_CHECKED_IMPORT = (
    "imported.dropped",
    "imported.num_questions_without",
    "imported.num_telling",
    "imported.num_closer",
)
"""Such fields of imported rationales: what the files hold that became no row."""
NOT_CHECKED_ATTEMPTS = ("attempts.dropped", "attempts.num_questions_without")
"""Such fields of evaluated attempts."""


def verify_rows(build: StoredBuild) -> None:
    """Check the files of a build, its rows, and the figures that follow from them.

    Nothing is derived again. Raises DataError at the first fault.
    """
    figures = FigureCheck(build)
    verify_build(build, figures.add)
    figures.check()


class FigureCheck:
    """Counts the rows of a build as they pass, and compares the counts in the end.

    What a single row must agree with is compared at once. Memory is that of the counts.
    """

    def __init__(self, build: StoredBuild) -> None:
        self._build = build
        self._counts = BuildCounts()
        start, end = parse_row_range(build.config.source.rows)
        self._rows = range(start, sys.maxsize if end is None else end)
        self._templates = {entry.template for entry in build.manifest.templates}

    def add(self, record: Record) -> None:
        """Take the next row of any config; raises DataError if it contradicts the manifest."""
        if isinstance(record, Rationale):
            self._counts.add(record)
            self._check_rationale(record)
        elif isinstance(record, Question):
            where = f"{self._build.folder}/{QUESTIONS}: question {record.id!r}"
            self._check_source(record.source, record.kind, where)

    def check(self) -> None:
        """Compare the counts with the manifest; raises DataError at the first that differs."""
        folder, manifest = self._build.folder, self._build.manifest
        for name, value in self._counts.figures()._asdict().items():
            check_equal(folder, name, value, getattr(manifest, name))
        num_questions, source = self._counts.num_questions, manifest.source
        if manifest.imported is not None:
            num_questions += manifest.imported.num_questions_without
        if manifest.attempts is not None:
            num_questions += manifest.attempts.num_questions_without
        check_equal(folder, "source.num_questions", num_questions, source.num_questions)
        rows = rows_by_split(manifest, QUESTIONS)
        check_equal(folder, "source.eval_questions", rows, source.eval_questions)
        splits = self._build.splits(RATIONALES)
        check_equal(folder, "splits of rationales", splits, [source.split])
        self._check_templates()

    # -- single rows

    def _check_rationale(self, row: Rationale) -> None:
        manifest = self._build.manifest
        where = (
            f"{self._build.folder}/{RATIONALES}: question {row.question_id!r} "
            f"sample {row.sample_index}"
        )
        question = row.question_record()
        self._check_source(question.source, row.kind, where)
        check_equal(where, "teacher", row.teacher, manifest.teacher)
        if row.row not in self._rows:
            raise DataError(
                f"{where}: row {row.row} of the source, but build.json says rows "
                f"{self._build.config.source.rows!r}. One of them was changed."
            )
        imported = manifest.imported
        if imported is not None:
            check_equal(where, "template", row.template, imported.recipe)
            _check_origin(row.origin, imported, where)
            return
        check_equal(where, "origin", row.origin, None)
        if row.template not in self._templates:
            raise DataError(
                f"{where}: template {row.template!r} is not one that manifest.json "
                "lists. One of them was changed."
            )
        # A question has as many samples for each attempt that is evaluated.
        num_samples = (
            (manifest.samples or 0) if manifest.attempts is None else sys.maxsize
        )
        if row.sample_index >= num_samples:
            raise DataError(
                f"{where}: manifest.json says that there are {manifest.samples} samples "
                "a question, counted from 0. One of them was changed."
            )

    def _check_source(self, source: SourceRef, kind: QuestionKind, where: str) -> None:
        """Check that a question came from where manifest.json and build.json say."""
        stated, config = self._build.manifest.source, self._build.config.source
        check_equal(where, "dataset", source.dataset, stated.dataset)
        hub_id = None if source.revision is None else source.dataset
        check_equal(where, "hub_id", hub_id, stated.hub_id)
        if source.revision is not None:
            checksum = stated.checksums.get(source.split, "")
            _, _, revision = checksum.rpartition("@")
            check_equal(where, "revision", source.revision, revision)
        self._check_config_and_revision(source, where)
        if config.kind not in (None, kind):
            raise DataError(
                f"{where}: kind {kind.value!r}, but build.json says {config.kind!r}. "
                "One of them was changed."
            )

    def _check_config_and_revision(self, source: SourceRef, where: str) -> None:
        """Compare a question with the config and commit that build.json names, if any."""
        config = self._build.config.source
        given = {"config_name": config.config_name}
        if config.revision is not None and COMMIT.fullmatch(config.revision):
            given["revision"] = config.revision
        for name, value in given.items():
            if value not in (None, getattr(source, name)):
                raise DataError(
                    f"{where}: {name} is {getattr(source, name)!r}, but build.json says "
                    f"{short_repr(value)}. One of them was changed."
                )

    # -- templates

    def _check_templates(self) -> None:
        """Check that the manifest lists the templates that were used, and no other."""
        folder, manifest = self._build.folder, self._build.manifest
        if any(entry.content is None for entry in manifest.templates):
            return  # an old build, whose templates are not checked at all
        used = sorted(
            f"{purpose.value} {kind.value}"
            for purpose, kind in self._counts.template_uses
            if purpose is not Purpose.CHOOSE and manifest.imported is None
        )
        check_equal(folder, "templates", used, sorted(_template_uses(self._build)))


def _template_uses(build: StoredBuild) -> list[str]:
    """Return what each template is for; raises DataError if one was edited."""
    uses = []
    for entry in build.manifest.templates:
        try:
            template = stored_template(entry)
        except DataError as error:
            raise DataError(f"{build.folder}/{error}") from error
        uses.append(f"{template.purpose.value} {template.kind.value}")
    return uses


def _check_origin(origin: Origin | None, imported: ImportEntry, where: str) -> None:
    """Check that an imported rationale came from a row of one of the files."""
    if origin is not None:
        for file in imported.files:
            if file.file == origin.file and origin.row < file.num_rows:
                return
    raise DataError(
        f"{where}: origin {origin!r:.120} is no row of the files that manifest.json "
        "lists. One of them was changed."
    )


def unchecked_fields(manifest: Manifest) -> list[str]:
    """Return the fields of a manifest that its files cannot confirm."""
    names = [*NOT_CHECKED]
    if manifest.imported is not None:
        names += NOT_CHECKED_IMPORT
    if manifest.attempts is not None:
        names += NOT_CHECKED_ATTEMPTS
    if manifest.run is not None:
        names.append("run")
    return names
