"""The rows that the cells of a study are trained on.

Version 1 takes the first rationales of each variant. Version 2 takes them from a *pool*:
the rationales that every registered variant of the study has, without those of questions
with the text of a dev or test question. So all variants of a seed are trained on the same
rationales, and a variant that is added later changes no cell.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.version_2 import RowsPerSeed, StudyV2
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant_rows import VariantRow


class RationaleKey(NamedTuple):
    """The identity of a rationale, of which a variant has one row or two."""

    question_id: str
    sample_index: int


class VariantSource(Protocol):
    """A build, as far as its variants are trained on."""

    def variant_rows(self, variant: str) -> VariantRows:
        """Load the rows of a variant. Raises ConfigError if there is none."""


RowsOfRationale = Mapping[RationaleKey, Sequence[VariantRow]]


class TrainingRows:
    """Chooses the rows of each cell; the rows of a variant are read once."""

    def __init__(
        self,
        study: AnyStudy,
        registered: AnyStudy,
        build: VariantSource,
        held_out: Set[str] = frozenset(),
    ) -> None:
        """`registered`: the declaration whose variants decide the pool.

        `held_out`: digests of the texts of questions that no cell is trained on.
        """
        self._study = study
        self._registered = registered
        self._build = build
        self._held_out = held_out
        self._read: dict[str, VariantRows] = {}
        self._grouped: dict[str, RowsOfRationale] = {}
        self._shared: set[RationaleKey] | None = None
        self._drawn: dict[tuple[int, int | None], list[RationaleKey]] = {}

    def of_cell(self, key: CellKey, num_rationales: int) -> VariantRows:
        """Return the rows that a cell chooses `num_rationales` rationales from.

        Raises ConfigError if the build lacks the variant or has too few rationales.
        """
        study = self._study
        if not isinstance(study, StudyV2):
            return self._build.variant_rows(key.variant)
        every = self._variant(key.variant)
        chosen = self._draw(study.rows_per_seed, key.seed, num_rationales)
        if len(chosen) < num_rationales:
            raise ConfigError(
                f"rows {num_rationales}: the variants of the study share {len(chosen)} "
                "rationales of questions that are not held out. Train on fewer."
            )
        groups = self._groups(key.variant)
        lacking = [one for one in chosen if one not in groups]
        if lacking:
            raise ConfigError(
                f"variant {key.variant!r} lacks {len(lacking)} of the {num_rationales} "
                f"rationales of seed {key.seed}, such as that of question "
                f"{lacking[0].question_id!r}. It was added after the first cell, which "
                "registered what all variants are trained on. Leave it out of "
                "STUDY.yaml, or begin another study with it."
            )
        return every._replace(rows=[row for one in chosen for row in groups[one]])

    def num_shared(self) -> int:
        """Return the number of rationales that the cells of version 2 choose from."""
        return len(self._pool())

    def _draw(
        self, rows_per_seed: RowsPerSeed, seed: int, num_rationales: int
    ) -> list[RationaleKey]:
        """Draw the rationales of a seed, once for all variants."""
        has_own = rows_per_seed is RowsPerSeed.OWN
        place = num_rationales, seed if has_own else None
        if place not in self._drawn:
            self._drawn[place] = draw_rationales(self._pool(), *place)
        return self._drawn[place]

    def _pool(self) -> set[RationaleKey]:
        if self._shared is None:
            cells = self._registered.all_cells()
            variants = dict.fromkeys(cell.variant for cell in cells)
            every = [set(self._groups(variant)) for variant in variants]
            self._shared = set.intersection(*every) - self._held_out_keys()
        return self._shared

    def _held_out_keys(self) -> set[RationaleKey]:
        gate = self._registered.gate.variant
        texts = self._variant(gate).question_texts
        return {
            key
            for key in self._groups(gate)
            if question_digest(texts[key.question_id]) in self._held_out
        }

    def _groups(self, variant: str) -> RowsOfRationale:
        if variant not in self._grouped:
            groups: dict[RationaleKey, list[VariantRow]] = {}
            for row in self._variant(variant).rows:
                key = RationaleKey(row.question_id, row.sample_index)
                groups.setdefault(key, []).append(row)
            self._grouped[variant] = groups
        return self._grouped[variant]

    def _variant(self, variant: str) -> VariantRows:
        if variant not in self._read:
            self._read[variant] = self._build.variant_rows(variant)
        return self._read[variant]


def without_questions(rows: VariantRows, text_digests: Set[str]) -> VariantRows:
    """Return rows without those of questions whose texts have these digests."""
    texts = rows.question_texts
    left_out = {
        question_id
        for question_id, text in texts.items()
        if question_digest(text) in text_digests
    }
    return rows._replace(
        rows=[row for row in rows.rows if row.question_id not in left_out]
    )


def draw_rationales(
    pool: Set[RationaleKey], number: int, seed: int | None
) -> list[RationaleKey]:
    """Draw at most `number` rationales of a pool by a digest of seed and ids.

    Without a seed the order is the one in which `choose_rationales` takes them, and so
    the same for all seeds. A larger number includes the rationales of a smaller one.
    """

    def rank(key: RationaleKey) -> str:
        if seed is None:
            return digest("rationale", list(key))
        return digest("rationale of a seed/1", [seed, *key])

    return sorted(pool, key=rank)[:number]
