"""Variants derived once more and compared with the rows that stand there."""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.build.build import Build
from cotbuild.builder.variants.deriver import VariantDeriver
from cotbuild.builder.variants.write import file_digests
from cotbuild.prompts.student import evaluation_row
from cotbuild.schemas.errors import ConfigError, DataError

SAMPLED = 200
"""Rationales that are derived again where not all are; the rows of the others are only
counted.
"""


def check_variants(build: Build, files: Mapping[str, Path], *, everything: bool) -> int:
    """Derive rows again, of a sample or of all rationales; how many rationales that
    were.

    Raises DataError at the first row that differs, is missing, or is one too many,
    ConfigError where a file that the variants were made with is not given, or another
    one is.
    """
    entry = build.manifest.variants
    if entry is None:
        return 0
    _check_files(entry.made.files, files)
    checked = 0
    with VariantDeriver(build, entry.made, files) as making:
        # A release may hold fewer variants than were made; which rows are aligned is
        # decided by all of them.
        standing = {
            there.name: _Standing(build, there.name) for there in entry.variants
        }
        every = 1 if everything else max(1, making.num_kept // SAMPLED)
        for number, subject in enumerate(making.subjects()):
            key = (subject.question_id, subject.sample_index)
            found = {name: rows.take(key) for name, rows in standing.items()}
            if number % every:
                continue
            checked += 1
            made = {spec.name: rows for spec, _, rows in making.derive(subject).made}
            for name, rows in found.items():
                expected = [row.model_dump(mode="json") for row in made.get(name, [])]
                if rows != expected:
                    raise DataError(
                        f"{build.folder}/{name}: question {key[0]!r} sample {key[1]} is {rows!r:.200}. "
                        f"Expected {expected!r:.200}, as derived from the rationale. Run `cotbuild variants` again."
                    )
        for rows_left in standing.values():
            rows_left.expect_end()
        _check_questions(making, standing)
    return checked


def _check_files(needed: Mapping[str, str], given: Mapping[str, Path]) -> None:
    found = file_digests(given)
    for name, checksum in needed.items():
        if name not in found:
            raise ConfigError(
                f"variants were made with a file {name!r}. Expected --file {name}=PATH to derive them again."
            )
        if found[name] != checksum:
            raise ConfigError(
                f"--file {name}={given[name]}: sha256 {found[name][:12]}. Expected {checksum[:12]}, as then."
            )


class _Standing:
    """The training rows of a variant, in the order of the rationales."""

    def __init__(self, build: Build, name: str) -> None:
        self._where = f"{build.folder}/{name}"
        self._rows = build.read(name, build.split)
        self._next = next(self._rows, None)

    def take(self, key: tuple[str, int]) -> list[dict[str, Any]]:
        """The rows that come next, as far as they are of this rationale."""
        rows = []
        while (
            self._next is not None
            and (self._next["question_id"], self._next["sample_index"]) == key
        ):
            rows.append(self._next)
            self._next = next(self._rows, None)
        return rows

    def expect_end(self) -> None:
        if self._next is not None:
            name, number = self._next["question_id"], self._next["sample_index"]
            raise DataError(
                f"{self._where}: question {name!r} sample {number} is of no rationale that is kept, or out of order. "
                "Expected the order of the rationales. Run `cotbuild variants` again."
            )


def _check_questions(making: VariantDeriver, names: Container[str]) -> None:
    for spec in making.made.specs:
        if spec.name not in names:
            continue
        standing: dict[str, Iterator[dict[str, Any]]] = {}
        for split, question in making.questions():
            if (row := evaluation_row(spec, question)) is None:
                continue
            rows = standing.setdefault(split, making.build.read(spec.name, split))
            if next(rows, None) != row.model_dump(mode="json"):
                raise DataError(
                    f"{making.build.folder}/{spec.name}/{split}: question {question.id!r} is not as derived. "
                    "Run `cotbuild variants` again."
                )
