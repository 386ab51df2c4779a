"""Check the variants of a build: derive rows again and compare them with those written."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.compare import check_equal, differences
from cotbuild.builder.card import CARD_VERSION
from cotbuild.builder.variants.derive import DerivedRationale, VariantDeriver
from cotbuild.builder.variants.diff import read_text
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.leak_counts import LeakSample, VariantCounts
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.builder.variants.scores import describe_scores
from cotbuild.builder.variants.write import file_digests
from cotbuild.prompts.student_rows import evaluation_row
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.schemas.variant_set import (
    VariantsEntry,
)

NUM_SAMPLED = 200
"""Rationales that are derived again unless all are; the rows of the others are counted."""


def check_variants(
    build: StoredBuild, files: Mapping[str, Path], *, everything: bool
) -> int:
    """Derive the rows of a sample of rationales, or of all, and compare them.

    Every rationale that an aligned variant has no row of is in the sample. The figures
    of the manifest are computed again from all rows. `files` maps the file names that
    specs use to paths. Returns the number of rationales derived. Raises DataError at
    the first row or figure that differs, ConfigError if a file is not given or is not
    the one used.
    """
    entry = build.manifest.variants
    if entry is None:
        return 0
    _check_files(entry.made.files, files)
    _check_descriptions(build)
    # All variants are derived, even if a release holds only some of them: together they
    # decide which rationales the aligned ones have.
    with VariantDeriver(build, entry.made, files) as deriver:
        if entry.looked_at_every is None:
            deriver.sample = LeakSample(None)
        _check_selection(deriver, entry)
        _check_scores(build, files, entry)
        written = {spec.name: _WrittenRows(build, spec) for spec in build.specs}
        num_checked = _check_training_rows(deriver, written, everything)
        _check_counts(deriver, written, entry)
        _check_evaluation_rows(deriver)
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


def _check_descriptions(build: StoredBuild) -> None:
    """Check that the variants that ship are described as they are there."""
    if build.manifest.card_version != CARD_VERSION:
        return  # another version of cotbuild may describe them in other words
    shipped = builtin_variants()
    for spec in build.specs:
        same = shipped.get(spec.name)
        if same is not None and same.fingerprint == spec.fingerprint:
            check_equal(build.folder, f"about of {spec.name}", same.about, spec.about)


def _check_selection(deriver: VariantDeriver, entry: VariantsEntry) -> None:
    """Compare what the manifest says about the rationales that were selected."""
    build = deriver.build
    figures: dict[str, tuple[object, object]] = {
        "rationales": (build.manifest.digests[RATIONALES], entry.rationales),
        "num_in": (deriver.num_in, entry.num_in),
        "dropped": (dict(deriver.dropped), entry.dropped),
        "num_looked_at": (deriver.num_looked_at, entry.num_looked_at),
        "looked_at_every": (deriver.looked_at_every, entry.looked_at_every),
        "num_unspaced": (deriver.num_unspaced, entry.num_unspaced),
    }
    for name, (value, stated) in figures.items():
        check_equal(build.folder, f"variants.{name}", value, stated)


def _check_scores(
    build: StoredBuild, files: Mapping[str, Path], entry: VariantsEntry
) -> None:
    """Compare what the manifest says of scores files; older builds say nothing."""
    if entry.scores:
        scores = describe_scores(entry.made.specs, files)
        check_equal(build.folder, "variants.scores", scores, entry.scores)


def _check_counts(
    deriver: VariantDeriver,
    written: Mapping[str, "_WrittenRows"],
    entry: VariantsEntry,
) -> None:
    """Compare the counts of each variant with those of its rows."""
    specs = {spec.name: spec for spec in deriver.variants.specs}
    for variant in entry.variants:
        spec = specs[variant.name]
        counted = written[spec.name].counts.entry(spec, deriver.fingerprint(spec))
        for name, value in counted:
            what = f"variants: {name} of {spec.name}"
            check_equal(deriver.build.folder, what, value, getattr(variant, name))


class _WrittenRows:
    """The training rows of a variant, taken in the order of the rationales."""

    def __init__(self, build: StoredBuild, spec: VariantSpec) -> None:
        self.is_aligned = spec.aligned
        self.has_rationale_in_prompt = spec.gives_rationale
        self.counts = VariantCounts()
        self._name = spec.name
        self._where = f"{build.folder}/{spec.name}"
        self._rows = build.read(spec.name, build.split)
        self._next = next(self._rows, None)

    def take(self, example: RationaleExample) -> list[dict[str, Any]]:
        """Take the next rows, as long as they are of this rationale."""
        key = (example.question_id, example.sample_index)
        rows = []
        while self._next is not None and _rationale_key(self._next) == key:
            rows.append(self._next)
            self._next = next(self._rows, None)
        return rows

    def count(
        self,
        rows: Sequence[Mapping[str, Any]],
        derived: DerivedRationale | None,
        example: RationaleExample,
        *,
        is_measured: bool,
    ) -> None:
        """Count the rows of a rationale, if there are any.

        Where prompts hold the rationale, it is taken from `derived`.
        """
        if not rows:
            return
        if self.has_rationale_in_prompt and derived is not None:
            part = derived.parts.get(self._name)
            rationale = "" if part is None else part.text.rationale
        else:
            rationale = _written_rationale(rows)
        self.counts.add(rationale, len(rows), example, is_measured=is_measured)

    def check_end(self) -> None:
        """Raise DataError if a row is left."""
        if self._next is not None:
            question_id, sample_index = _rationale_key(self._next)
            raise DataError(
                f"{self._where}: question {question_id!r} sample {sample_index} is not "
                "a selected rationale, or out of order. Run `cotbuild variants` again."
            )


def _written_rationale(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rationale in the rows of a variant, as its transforms left it."""
    for row in rows:
        start, end = row["rationale_start"], row["rationale_end"]
        if start is not None:
            return read_text(row["completion"])[start:end]
    return ""


def _rationale_key(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["question_id"], row["sample_index"]


def _check_training_rows(
    deriver: VariantDeriver, written: Mapping[str, _WrittenRows], everything: bool
) -> int:
    """Return how many rationales were derived."""
    if any(rows.has_rationale_in_prompt for rows in written.values()):
        everything = True  # to count what the prompts hold
    step = 1 if everything else max(1, deriver.num_selected // NUM_SAMPLED)
    num_checked = 0
    for number, example in enumerate(deriver.examples()):
        taken = {name: rows.take(example) for name, rows in written.items()}
        is_dropped = any(
            written[name].is_aligned and not rows for name, rows in taken.items()
        )
        derived = None
        if number % step == 0 or is_dropped:
            derived = deriver.derive(example)
        for name, rows in taken.items():
            is_measured = deriver.is_measured(number)
            written[name].count(rows, derived, example, is_measured=is_measured)
        if derived is None:
            continue
        num_checked += 1
        for name in derived.dropped_by:
            if name in written:
                written[name].counts.num_dropped += 1
        for name, rows in taken.items():
            _compare(
                f"{deriver.build.folder}/{name}",
                example,
                rows,
                derived.rows(name),
            )
    for rows_left in written.values():
        rows_left.check_end()
    return num_checked


def _compare(
    where: str,
    example: RationaleExample,
    rows: list[dict[str, Any]],
    derived: Sequence[VariantRow],
) -> None:
    """Raise DataError unless the rows of a rationale are those derived from it."""
    expected = list(map(_as_written, derived))
    for path, value, derived_value in differences(rows, expected, "rows"):
        raise DataError(
            f"{where}: question {example.question_id!r} sample {example.sample_index}: "
            f"{path} is {short_repr(value)}, but {short_repr(derived_value)} is derived "
            "from the rationale. Run `cotbuild variants` again."
        )


def _check_evaluation_rows(deriver: VariantDeriver) -> None:
    build = deriver.build
    for spec in build.specs:
        where = f"{build.folder}/{spec.name}"
        written: dict[str, Iterator[dict[str, Any]]] = {}
        for split, question in deriver.questions():
            row = evaluation_row(spec, question)
            if row is None:
                continue
            if split not in written:
                written[split] = build.read(spec.name, split)
            if next(written[split], None) != _as_written(row):
                raise DataError(
                    f"{where}/{split}: question {question.id!r} "
                    "differs from the row derived. Run `cotbuild variants` again."
                )
        splits = {build.split, *written}
        check_equal(where, "splits", sorted(build.splits(spec.name)), sorted(splits))
        for split, rows in written.items():
            if next(rows, None) is not None:
                raise DataError(
                    f"{where}/{split}: has rows of no question. Run `cotbuild variants` "
                    "again."
                )


def _as_written(row: VariantRow) -> dict[str, Any]:
    return row.model_dump(mode="json")
