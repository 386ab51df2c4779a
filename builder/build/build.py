"""A finished build on disk: its manifest, its configuration and its rows."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from cotbuild.builder.build.directory import (
    MANIFEST,
    is_interrupted,
    read_config,
    read_manifest,
)
from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.builder.storage.parquet import read_rows
from cotbuild.builder.storage.places import safe_place
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.question import Input, Question, join_inputs
from cotbuild.schemas.rationale import ADDED_COLUMNS, Rationale
from cotbuild.schemas.record import Record
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    TrainingRow,
    VariantRow,
    row_model,
)

RATIONALES = "rationales"
QUESTIONS = "questions"

RecordT = TypeVar("RecordT", bound=Record)


def refuse_no_build(folder: Path) -> None:
    """Raise DataError if a folder holds no build, not even one being put in place.

    To lock it would create the folder of answers there.
    """
    if not is_interrupted(folder):
        StoredBuild.open(folder)


@dataclass(frozen=True)
class StoredBuild:
    """A finished build, or a downloaded release, open for reading.

    Rows are read from parquet files as they are iterated, in flat memory and in the
    order of the source. Every method that reads a file raises DataError if it is
    missing or cannot be read.
    """

    folder: Path
    manifest: Manifest = field(repr=False)

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Read the manifest of the build in `folder`.

        Raises DataError if there is no finished build.
        """
        folder = Path(folder).expanduser()
        manifest = read_manifest(folder)
        if manifest is None and is_interrupted(folder):
            raise DataError(
                f"{folder}: a run was stopped while it put the files of this build in "
                "place. Run the same command again (generate, import, variants or pull) "
                "to complete it."
            )
        if manifest is None:
            raise DataError(
                f"{folder}: no {MANIFEST}, so this is not a finished build. "
                f"Run `cotbuild generate --out {shell_quote(folder)} …` until it completes."
            )
        return cls(folder, manifest)

    @cached_property
    def config(self) -> BuildConfig:
        """The configuration it was built with, from build.json; raises DataError."""
        return read_config(self.folder)

    @property
    def split(self) -> str:
        """The split whose questions the teacher was asked, and that variants train on."""
        return self.manifest.source.split

    @property
    def is_release(self) -> bool:
        """Whether this is a release as it was downloaded, not a build of one's own."""
        return self.manifest.run is None and not (self.folder / ANSWERS).is_dir()

    @property
    def num_failed(self) -> int:
        """The number of rationales that are unscored because a request failed."""
        return self.manifest.num_failed

    @property
    def specs(self) -> tuple[VariantSpec, ...]:
        """The variants it has, in the order they were derived.

        A release may hold fewer than were derived together.
        """
        variants = self.manifest.variants
        if variants is None:
            return ()
        names = {entry.name for entry in variants.variants}
        return tuple(spec for spec in variants.made.specs if spec.name in names)

    def spec(self, variant: str) -> VariantSpec:
        """Return the variant of that name; raises ConfigError if there is none."""
        for spec in self.specs:
            if spec.name == variant:
                return spec
        names = sorted(spec.name for spec in self.specs)
        if not names:
            raise ConfigError(
                f"{self.folder}: no variants yet. "
                f"Derive some with `cotbuild variants {shell_quote(self.folder)}`."
            )
        raise ConfigError(
            f"{self.folder}: no variant {variant!r}. Choose one of {', '.join(names)}."
        )

    def files(self, config_name: str, split: str | None = None) -> list[FileEntry]:
        """Return the files of a config in the order of its rows, by default all splits."""
        return [
            entry
            for entry in self.manifest.files
            if entry.config_name == config_name and split in (None, entry.split)
        ]

    def place(self, entry: FileEntry) -> Path:
        """Return where a file of the manifest is; it need not exist.

        Raises DataError if it is no plain file inside the folder.
        """
        return safe_place(self.folder, entry.path)

    def splits(self, config_name: str) -> list[str]:
        """Return the splits of a config in the order of its files."""
        return list(dict.fromkeys(entry.split for entry in self.files(config_name)))

    def read(
        self,
        config_name: str,
        split: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield rows of a config as plain values, without validation.

        By default these are the rows of all splits, with all columns but that of the
        pictures.
        """
        for entry in self.files(config_name, split):
            yield from read_rows(self.place(entry), columns)

    def rationales(self) -> Iterator[Rationale]:
        """Yield everything the teacher wrote, whatever its verdict."""
        return self._records(Rationale, self.files(RATIONALES))

    def questions(self, split: str | None = None) -> Iterator[Question]:
        """Yield the questions of an evaluation split, by default of all of them.

        No rationales were generated for these. Raises ConfigError if there is no such
        split.
        """
        if split is not None:
            self._check_split("evaluation questions", QUESTIONS, split)
        return self._records(Question, self.files(QUESTIONS, split))

    def rows(self, variant: str, split: str | None = None) -> Iterator[TrainingRow]:
        """Yield the rows of a variant of texts, by default those to train on.

        Raises ConfigError if there is no such variant or split, or its rows are lists of
        messages.
        """
        self._check_format(variant, TrainingRow, "message_rows")
        return self._records(TrainingRow, self._variant_files(variant, split))

    def message_rows(
        self, variant: str, split: str | None = None
    ) -> Iterator[MessagesRow]:
        """Yield the rows of a variant of messages, by default those to train on.

        Raises ConfigError if there is no such variant or split, or its rows are texts.
        """
        self._check_format(variant, MessagesRow, "rows")
        return self._records(MessagesRow, self._variant_files(variant, split))

    def rows_of_any_format(
        self, variant: str, split: str | None = None
    ) -> Iterator[VariantRow]:
        """Yield the rows of a variant, texts or messages.

        Raises ConfigError if there is no such variant or split.
        """
        model = row_model(self.spec(variant))
        return self._records(model, self._variant_files(variant, split))

    def _variant_files(self, variant: str, split: str | None) -> list[FileEntry]:
        split = split or self.split
        self._check_split(f"variant {variant!r}", variant, split)
        return self.files(variant, split)

    def _check_format(
        self, variant: str, model: type[VariantRow], other_method: str
    ) -> None:
        if row_model(self.spec(variant)) is not model:
            raise ConfigError(
                f"{self.folder}: the rows of variant {variant!r} have another format. "
                f"Use build.{other_method}({variant!r})."
            )

    def variant_rows(self, variant: str, split: str | None = None) -> VariantRows:
        """Load the rows of a variant for training, by default those to train on.

        Its files are checked against their checksums first. Raises ConfigError as
        `rows` does, DataError if a checksum differs or there are no rows.
        """
        split = split or self.split
        for entry in self.files(variant, split):
            self._check_checksum(entry)
        rows = list(self.rows_of_any_format(variant, split))
        if not rows:
            raise DataError(
                f"{self.folder}: variant {variant!r} has no rows in split {split!r}."
            )
        return VariantRows(
            build=self.manifest.fingerprint,
            config_digest=self.manifest.digests[variant],
            spec=self.spec(variant),
            split=split,
            rows=rows,
            question_texts=self._question_texts(
                split, {row.question_id for row in rows}
            ),
        )

    def _question_texts(self, split: str, ids: Set[str]) -> dict[str, str]:
        """Return the texts of the questions `ids` with their inputs.

        Raises DataError if one is missing.
        """
        if split == self.split:
            config, names = RATIONALES, ("question_id", "question")
        else:
            config, names = QUESTIONS, ("id", "text")
        has_inputs = self.manifest.row_version >= ADDED_COLUMNS["inputs"]
        columns = (*names, "inputs") if has_inputs else names
        texts = {}
        for row in self.read(config, split, columns):
            question_id, text = (row[name] for name in names)
            if inputs := row.get("inputs"):
                where = f"{self.folder}: question {question_id!r}"
                text = join_inputs(text, [Input.parse(one, where) for one in inputs])
            texts[question_id] = text
        if missing := sorted(ids - texts.keys()):
            raise DataError(
                f"{self.folder}: no text of question {missing[0]!r} in split {split!r}. "
                f"Run `cotbuild verify {shell_quote(self.folder)}`."
            )
        return {question_id: texts[question_id] for question_id in ids}

    def _records(
        self, model: type[RecordT], entries: Sequence[FileEntry]
    ) -> Iterator[RecordT]:
        for entry in entries:
            path = self.place(entry)
            for number, row in enumerate(read_rows(path)):
                yield model.parse(row, f"{path} row {number}")

    def _check_split(self, what: str, config_name: str, split: str) -> None:
        splits = sorted(self.splits(config_name))
        if split not in splits:
            choose = f"Choose one of {', '.join(splits)}." if splits else "It has none."
            raise ConfigError(f"{self.folder}: {what}: no split {split!r}. {choose}")

    def _check_checksum(self, entry: FileEntry) -> None:
        path = self.place(entry)
        try:
            checksum = file_sha256(path)
        except OSError as error:
            raise DataError(
                f"{path}: {error.strerror}. Build or download it again."
            ) from error
        if checksum != entry.sha256:
            raise DataError(
                f"{path}: sha256 is {checksum[:12]}, but the manifest says "
                f"{entry.sha256[:12]}. Derive or download it again."
            )
