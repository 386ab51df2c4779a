"""Check the variants of a build: derive rows again and compare them with those written."""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.variants.derive import VariantDeriver
from cotbuild.builder.variants.write import file_digests
from cotbuild.prompts.student import evaluation_row
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.variant import TrainingRow

NUM_SAMPLED = 200
"""Rationales that are derived again unless all are; the rows of the others are counted."""


def check_variants(
    build: StoredBuild, files: Mapping[str, Path], *, everything: bool
) -> int:
    """Derive the rows of a sample of rationales, or of all, and compare them.

    `files` maps the file names that specs use to paths. Returns the number of
    rationales derived. Raises DataError at the first row that differs, is missing or is
    left over, ConfigError if a file is not given or is not the one used.
    """
    entry = build.manifest.variants
    if entry is None:
        return 0
    _check_files(entry.made.files, files)
    # All variants are derived, even if a release holds only some of them: together they
    # decide which rationales the aligned ones have.
    with VariantDeriver(build, entry.made, files) as deriver:
        written = {
            variant.name: _WrittenRows(build, variant.name)
            for variant in entry.variants
        }
        num_checked = _check_training_rows(deriver, written, everything)
        _check_evaluation_rows(deriver, written)
    return num_checked


def _check_files(digests: Mapping[str, str], files: Mapping[str, Path]) -> None:
    given = file_digests(files)
    for name, digest in digests.items():
        if name not in given:
            raise ConfigError(
                f"no file {name!r}, which the variants were derived with. "
                f"Pass --file {name}=PATH."
            )
        if given[name] != digest:
            raise ConfigError(
                f"--file {name}={files[name]}: sha256 {given[name][:12]}, but the "
                f"variants were derived with {digest[:12]}. Pass that file."
            )


class _WrittenRows:
    """The training rows of a variant, taken in the order of the rationales."""

    def __init__(self, build: StoredBuild, name: str) -> None:
        self._where = f"{build.folder}/{name}"
        self._rows = build.read(name, build.split)
        self._next = next(self._rows, None)

    def take(self, question_id: str, sample_index: int) -> list[dict[str, Any]]:
        """Take the next rows, as long as they are of this rationale."""
        key = (question_id, sample_index)
        rows = []
        while self._next is not None and _rationale_key(self._next) == key:
            rows.append(self._next)
            self._next = next(self._rows, None)
        return rows

    def check_end(self) -> None:
        """Raise DataError if a row is left."""
        if self._next is not None:
            question_id, sample_index = _rationale_key(self._next)
            raise DataError(
                f"{self._where}: question {question_id!r} sample {sample_index} is not "
                "a selected rationale, or out of order. Run `cotbuild variants` again."
            )


def _rationale_key(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["question_id"], row["sample_index"]


def _check_training_rows(
    deriver: VariantDeriver, written: Mapping[str, _WrittenRows], everything: bool
) -> int:
    """Return how many rationales were derived."""
    step = 1 if everything else max(1, deriver.num_selected // NUM_SAMPLED)
    num_checked = 0
    for number, example in enumerate(deriver.examples()):
        key = (example.question_id, example.sample_index)
        taken = {name: rows.take(*key) for name, rows in written.items()}
        if number % step:
            continue
        num_checked += 1
        derived = deriver.derive(example).rows
        for name, rows in taken.items():
            expected = list(map(_as_written, derived.get(name, [])))
            if rows != expected:
                raise DataError(
                    f"{deriver.build.folder}/{name}: question {key[0]!r} sample "
                    f"{key[1]} is {rows!r:.200}, but {expected!r:.200} is derived from "
                    "the rationale. Run `cotbuild variants` again."
                )
    for rows_left in written.values():
        rows_left.check_end()
    return num_checked


def _check_evaluation_rows(deriver: VariantDeriver, names: Container[str]) -> None:
    build = deriver.build
    for spec in deriver.variants.specs:
        if spec.name not in names:
            continue
        written: dict[str, Iterator[dict[str, Any]]] = {}
        for split, question in deriver.questions():
            row = evaluation_row(spec, question)
            if row is None:
                continue
            if split not in written:
                written[split] = build.read(spec.name, split)
            if next(written[split], None) != _as_written(row):
                raise DataError(
                    f"{build.folder}/{spec.name}/{split}: question {question.id!r} "
                    "differs from the row derived. Run `cotbuild variants` again."
                )


def _as_written(row: TrainingRow) -> dict[str, Any]:
    return row.model_dump(mode="json")
