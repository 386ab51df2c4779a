"""What a transform makes of a text: units, and where each of them stood before. Pure.

A transform decides by positions: the words it keeps, masks or moves. It returns these
with the words, so that a page can show what a variant did to a rationale without
guessing it from two texts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import BuildCorpus, RationaleExample


class Placed:
    """The units of a new text, each with its position among those of the text before.

    A row needs the text alone, a page the rest too, so that is put together when it is
    asked for.
    """

    __slots__ = ("_positions", "_text", "_units", "before", "joint")

    def __init__(
        self,
        before: Sequence[str],
        units: Sequence[str] | None,
        positions: Sequence[int | None] | None,
        joint: str = " ",
    ) -> None:
        """See `keep` and `replace` for `units` or `positions` of None."""
        self.before = before
        """The units of the text before, in order, without the white space between."""
        self.joint = joint
        """What joins the units."""
        self._units, self._positions = units, positions
        self._text: str | None = None

    @classmethod
    def keep(
        cls, before: Sequence[str], positions: Sequence[int], joint: str = " "
    ) -> Self:
        """Return the units at these positions, in this order."""
        return cls(before, None, positions, joint)

    @classmethod
    def replace(cls, before: str, units: Sequence[str]) -> Self:
        """Return units that have nothing to do with the text before."""
        return cls([before], units, None)

    @property
    def units(self) -> Sequence[str]:
        """The units of the new text, in order."""
        if self._units is None:
            self._units = [self.before[i] for i in self.positions if i is not None]
        return self._units

    @property
    def positions(self) -> Sequence[int | None]:
        """For each of `units` its position in `before`; None if it is from elsewhere.

        A unit that differs from the one at its position stands in that one's place.
        """
        if self._positions is None:
            self._positions = [None] * len(self.units)
        return self._positions

    @property
    def text(self) -> str:
        """The new text."""
        if self._text is None:  # several variants of a set may ask for it
            units: Iterable[str] | None = self._units
            if units is None:
                units = map(self.before.__getitem__, self._positions or ())  # type: ignore[arg-type]  # kept units have places
            self._text = self.joint.join(units)
        return self._text


PlaceUnits = Callable[[str, RationaleExample, Draws, BuildCorpus], Placed | None]
"""The text so far to the units of the next text, or None if the transform does not apply
to this rationale.
"""


class _Result(NamedTuple):
    """What a transform made of a rationale, and with which draws and corpus."""

    draws: Draws
    corpus: BuildCorpus
    placed: Placed | None


@dataclass(frozen=True, eq=False)
class PlacingTransform:
    """A transform with its parameters bound, which knows what it did with each unit.

    Several variants of a set share one, and what it makes of a rationale.
    """

    place_units: PlaceUnits
    is_random: bool = True
    """Whether it may draw; else its results hold for any draws."""

    def place(
        self,
        text: str,
        example: RationaleExample,
        draws: Draws,
        corpus: BuildCorpus,
    ) -> Placed | None:
        """Return the units of the next text, those of a rationale from memory."""
        if text is not example.rationale:
            return self.place_units(text, example, draws, corpus)
        known: _Result | None = example.results.get(self)
        if known is not None and known.corpus is corpus:
            # Draws of two versions are equal tuples.
            same = type(draws) is type(known.draws) and draws == known.draws
            if same or not self.is_random:
                return known.placed
        placed = self.place_units(text, example, draws, corpus)
        example.results[self] = _Result(draws, corpus, placed)
        return placed

    def __call__(
        self,
        text: str,
        example: RationaleExample,
        draws: Draws,
        corpus: BuildCorpus,
    ) -> str | None:
        """Return the next text, or None if the transform does not apply."""
        placed = self.place(text, example, draws, corpus)
        return None if placed is None else placed.text


def find_units(text: str, units: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each unit of `text`, which are in its order.

    Between two of them is white space at most, so a unit is where it is found first.
    """
    end = 0
    for unit in units:
        start = text.index(unit, end)
        end = start + len(unit)
        yield start, end
