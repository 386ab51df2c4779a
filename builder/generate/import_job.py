"""Builds of rationales that were written elsewhere."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cotbuild.builder.generate.budget import NO_LIMITS, RunLimits
from cotbuild.builder.generate.derivation import (
    ROWS_PER_BATCH,
    BatchItem,
    DeriveItems,
    UnderivedRows,
)
from cotbuild.builder.generate.grading import open_grading
from cotbuild.builder.generate.jobs import (
    BuildRows,
    Job,
    open_media,
    resolve_eval_splits,
    split_checksums,
)
from cotbuild.builder.generate.plan import read_previous, replacement_lines
from cotbuild.builder.generate.worker_options import WorkersOptions
from cotbuild.builder.imports import RationaleImport, open_import, open_import_source
from cotbuild.builder.imports.read import open_rationales
from cotbuild.builder.imports.rows import question_rows
from cotbuild.builder.imports.unanswered import UnansweredTexts
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.pictures import open_loader
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.ui import Ui, pluralize
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.import_recipe import ImportConfig, ImportFile, ImportRecipe
from cotbuild.schemas.rationale import Rationale


def import_title(dataset: str, author: str) -> str:
    """Return the title of a build of imported rationales."""
    return f"{dataset}: rationales by {author}"


@dataclass(frozen=True)
class TextDerivation:
    """Derives rows from imported texts; an item's detail are those of its question."""

    files: tuple[ImportFile, ...]
    recipe: ImportRecipe
    grading: GradingConfig

    @contextmanager
    def open(self) -> Iterator[DeriveItems]:
        """Open the rules of grading."""
        yield partial(self._derive, open_grading(self.grading))

    def _derive(
        self, grading: GradingRules, items: Sequence[BatchItem]
    ) -> Iterator[Rationale]:
        for question, texts in items:
            yield from question_rows(question, texts, self.files, self.recipe, grading)


@dataclass(frozen=True)
class ImportJob(Job):
    """A job whose rationales are read from files."""

    imported: ImportConfig
    file_checksums: tuple[str, ...]
    """Of the files of rationales, then of the file that orders them, if any."""

    @property
    def title(self) -> str:
        return import_title(self.source.dataset, self.teacher)

    def collect_rows(
        self,
        ui: Ui,
        *,
        retry_failed: bool,  # noqa: ARG002
        limits: RunLimits = NO_LIMITS,  # noqa: ARG002
        workers: WorkersOptions | None = None,  # noqa: ARG002
    ) -> BuildRows:
        found = open_import(self.imported, self.source)
        for line in self._announce(found):
            ui.say(line)
        return BuildRows(
            self._underived(found),
            found.num_rows,
            mode=f"import:{found.entry.recipe}",
            imported=found.entry,
            warnings=lambda counts: counts.unanswered.warning_lines(
                self.imported.recipe
            ),
        )

    def _underived(self, found: RationaleImport) -> UnderivedRows:
        derivation = TextDerivation(
            found.entry.files, self.imported.recipe, self.config.grading
        )
        items = (BatchItem(question, texts) for question, texts in found.texts())
        return UnderivedRows(derivation, items, ROWS_PER_BATCH)

    def preview(
        self,
        *,
        fresh: bool,  # noqa: ARG002
        retry_failed: bool,  # noqa: ARG002
        budget: Budget,  # noqa: ARG002
        workers: WorkersOptions | None = None,  # noqa: ARG002
    ) -> Iterator[str]:
        found = open_import(self.imported, self.source)
        yield from self._announce(found)
        texts, grading = UnansweredTexts(), self.grading
        verdicts = Counter(
            row.verdict.value for row in texts.watch(found.rows(grading))
        )
        counts = " + ".join(f"{count} {name}" for name, count in verdicts.items())
        yield f"{pluralize(found.num_rows, 'rationale')} = {counts or 'none'}"
        yield from texts.warning_lines(self.imported.recipe)

    def input_parts(self) -> dict[str, Any]:
        return {"imported": list(self.file_checksums)}

    def question_licence(self) -> str | None:
        # Questions that came with the rationales have the rationales' licence.
        if self.imported.recipe.join == "inside":
            return self.imported.recipe.licence
        return super().question_licence()

    def _announce(self, rationales: RationaleImport) -> Iterator[str]:
        """Yield what was read, the first texts without a question, and what changes."""
        yield from self.source_lines()
        entry = rationales.entry
        num_rows = sum(file.num_rows for file in entry.files)
        dropped = [f"{count} {reason}" for reason, count in entry.dropped.items()]
        yield (
            f"{pluralize(num_rows, 'row')} in {pluralize(len(entry.files), 'file')}: "
            f"{pluralize(entry.num_texts, 'text')} = "
            f"{pluralize(entry.num_rationales, 'rationale')}, "
            f"left out: {', '.join(dropped) or 'none'}; "
            f"{pluralize(entry.num_questions_without, 'question')} without a rationale"
        )
        for text in rationales.unmatched:
            reason = f"{text.reason.value}: {text.what}"
            yield f"{text.file} row {text.row} (from 0): {reason}"
        recipe = self.imported.recipe
        if recipe.target_shown and recipe.answer in ("last", "first"):
            yield (
                "target shown: the answer that counts is the one a text states, not the "
                "target; a .yaml recipe with `answer: target` takes the target"
            )
        yield from replacement_lines(
            self, read_previous(self.out), lambda: rationales.rows(self.grading)
        )


def resolve_import(
    config: BuildConfig, imported: ImportConfig, out: Path, *, preview: bool = False
) -> ImportJob:
    """Return the job of a configuration that names rationales to import.

    Of a `preview` the pictures are not written. Raises ConfigError or DataError.
    """
    store, media = AnswerStore(out), open_media(config, out, preview=preview)
    source = open_import_source(imported, config.source)
    # Paths of pictures lead from the file that has them.
    is_inside = imported.recipe.join == "inside"
    place = {"name": imported.files[0]} if is_inside else {}
    with_pictures = config.source.model_copy(update=place)
    source.images = open_loader(with_pictures, media, store.root)
    eval_splits = resolve_eval_splits(config, source)
    files = open_rationales(imported, source)
    if imported.order_from is not None:
        files.append(FileRows(Path(imported.order_from)))
    return ImportJob(
        config=config,
        out=out,
        source=source,
        store=store,
        teacher=imported.recipe.made_by,
        eval_splits=eval_splits,
        checksums=split_checksums(config, source, eval_splits),
        grading=open_grading(config.grading),
        media=media,
        imported=imported,
        file_checksums=tuple(file.checksum() for file in files),
    )
