"""Targets of choice questions: labels, texts of choices, or positions.

One number can be the label of one choice, the text of another and the position of a
third, so how targets are read is decided over all rows of a split.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cotbuild.builder.sources.choices import LETTERED, has_marks
from cotbuild.builder.sources.make import ChoicePairs, clean_text
from cotbuild.builder.sources.targets import bad_target
from cotbuild.schemas.config import TargetForm

FIRST_POSITIONS: dict[TargetForm, int] = {"index0": 0, "index1": 1}
"""The position of the first choice, by the form that counts from it."""
MIN_FIT_FRAC = 0.9
"""A reading that at least so many targets allow is likely meant."""
NO_POSITION = -1
"""What published splits without targets hold in place of a position."""
FORM_WORDS: dict[TargetForm | None, str] = {
    "label": "label",
    "text": "text of an option",
    "index0": "position from 0",
    "index1": "position from 1",
    None: "label or text of an option",
}
_BRACKETED = re.compile(r"\(?([^\s().:]+)[).:]{0,2}")
_POSITION = re.compile(r"(-?\d{1,9})(?:\.0)?", re.ASCII)
_MAX_POSITION_CHARS = 40


class AmbiguousTargets(Exception):
    """The rows allow several readings of their targets; the message says which."""


def find_choice_label(
    value: object, pairs: ChoicePairs, form: TargetForm | None
) -> str:
    """Return the label of the choice that a raw target names.

    `form` is how targets are read; None reads a label or a text. A list of 0 and 1, as
    long as the choices, marks the right one; a list of one item is that item. Raises
    BadRow if the target names no choice or several.
    """
    value = _unwrap(value)
    marked = _find_marked(value, pairs)
    position = parse_position(value)
    if marked is not None:
        matching = marked
    elif form in FIRST_POSITIONS and position is not None:
        matching = _choice_at(position, pairs, form)
    else:
        with_label, with_text = find_named_choices(value, pairs)
        matching = [
            *(with_label if form != "text" else []),
            *(with_text if form != "label" else []),
        ]
    if not matching:
        labels = [label for label, _ in pairs]
        raise bad_target(value, f"one of the choices' labels {labels} or texts")
    num_different = len({text for _, text in matching})
    if num_different > 1:
        labels = [label for label, _ in matching]
        raise bad_target(
            value, f"one choice; it names {labels} (--target-is label or text decides)"
        )
    return matching[0][0]


def find_named_choices(
    value: object, pairs: ChoicePairs
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the choices whose label is `value`, and those whose text it is.

    Case is ignored only if nothing matches exactly.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return [], []
    text = clean_text(str(value))
    bracketed = _BRACKETED.fullmatch(text)
    label = bracketed[1] if bracketed else text
    with_label = [pair for pair in pairs if pair[0] == label]
    with_text = [pair for pair in pairs if pair[1] == text]
    if with_label or with_text:
        return with_label, with_text
    label, text = label.casefold(), text.casefold()
    with_label = [pair for pair in pairs if pair[0].casefold() == label]
    with_text = [pair for pair in pairs if pair[1].casefold() == text]
    if not with_label and not with_text:
        with_label = _find_lettered(text, pairs)
    return with_label, with_text


def _find_lettered(text: str, pairs: ChoicePairs) -> list[tuple[str, str]]:
    """Return the choice that a target such as "b) blue" names by label and text."""
    match = LETTERED.fullmatch(text)
    if match is None:
        return []
    return [
        (label, option)
        for label, option in pairs
        if label.casefold() == match[1] and option.casefold() == match[2]
    ]


def parse_position(value: object) -> int | None:
    """Return a whole number, also one in a text; None for any other value.

    A data frame turns whole numbers beside empty cells into 1.0.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        is_short = len(value) <= _MAX_POSITION_CHARS
        match = _POSITION.fullmatch(value.strip()) if is_short else None
        return int(match[1]) if match else None
    return value if isinstance(value, int) else None


def _choice_at(
    position: int, pairs: ChoicePairs, form: TargetForm
) -> list[tuple[str, str]]:
    """Return the choice at a position that counts as a form of FIRST_POSITIONS does."""
    index = position - FIRST_POSITIONS[form]
    return [pairs[index]] if 0 <= index < len(pairs) else []


def _unwrap(value: object) -> object:
    """Return the item of a list that has one, and any other value as it is."""
    if isinstance(value, list | tuple) and len(value) == 1:
        return value[0]
    return value


def _find_marked(value: object, pairs: ChoicePairs) -> list[tuple[str, str]] | None:
    """Return the choices that a list of 0 and 1 marks, None for any other value.

    An object whose keys are the choices marks them by its values.
    """
    if isinstance(value, dict) and has_marks(value):
        value = list(value.values())
    if not isinstance(value, list | tuple) or len(value) != len(pairs):
        return None
    if not all(mark in (0, 1) for mark in value):
        return None
    return [pair for mark, pair in zip(value, pairs, strict=True) if mark == 1]


@dataclass
class ChoiceEvidence:
    """How the targets of all rows can be read; its size does not depend on them."""

    num_targets: int = 0
    num_whole: int = 0
    """Targets that are whole numbers, also as text."""
    named: Counter[str] = field(default_factory=Counter)
    """Targets that name choices, as label, text, either (the same choice) or both (two
    choices)."""
    whole: Counter[str] = field(default_factory=Counter)
    """Whole numbers that fit as label, value (label or text), index0 and index1; those
    that are zero, and those that are the count of the choices."""
    num_marked: int = 0
    num_minus_one: int = 0
    differs: Counter[str] = field(default_factory=Counter)
    """Whole numbers that as index0 or index1 are another choice than as value."""

    def add(self, value: object, pairs: ChoicePairs) -> None:
        """Count the readings of one target."""
        value = _unwrap(value)
        self.num_targets += 1
        if isinstance(value, list | tuple | dict):
            marked = _find_marked(value, pairs)
            self.num_marked += marked is not None and len(marked) == 1
            return
        with_label, with_text = find_named_choices(value, pairs)
        named_as = _named_as(with_label, with_text)
        if named_as:
            self.named[named_as] += 1
        position = parse_position(value)
        if position is None:
            return
        if position == NO_POSITION and not named_as:
            self.num_targets -= 1
            self.num_minus_one += 1
            return
        self._add_whole(position, pairs, with_label, with_text)

    def _add_whole(
        self,
        position: int,
        pairs: ChoicePairs,
        with_label: Sequence[tuple[str, str]],
        with_text: Sequence[tuple[str, str]],
    ) -> None:
        self.num_whole += 1
        self.whole["label"] += bool(with_label)
        self.whole["value"] += bool(with_label or with_text)
        self.whole["zero"] += position == 0
        self.whole["count"] += position == len(pairs)
        named = [*with_label, *with_text]
        for form in FIRST_POSITIONS:
            found = _choice_at(position, pairs, form)
            self.whole[form] += bool(found)
            if found and named and found[0][1] != named[0][1]:
                self.differs[form] += 1

    def decide(self) -> TargetForm | None:
        """Return how the targets are read; None for labels and texts as they come.

        Raises AmbiguousTargets if several readings fit and name different choices.
        """
        if self.num_whole and self.whole["label"] < self.num_whole:
            form = self._decide_whole()
            if form is not None:
                return form
        return self._decide_named()

    def count_telling(self, form: TargetForm | None) -> int:
        """Return how many targets name a choice under a form."""
        num_named = sum(self.named.values())
        if form in FIRST_POSITIONS:
            num_words = num_named - self.whole["value"]
            return self.whole[form] + num_words + self.num_marked
        other = {"label": "text", "text": "label"}.get(form or "", "both")
        return num_named - self.named[other] + self.num_marked

    def fit(self) -> float:
        """Return the fraction of targets that name a choice under the best form."""
        forms: list[TargetForm | None] = [None, "label", "text", "index0", "index1"]
        best = max(self.count_telling(form) for form in forms)
        return best / self.num_targets if self.num_targets else 0.0

    def _decide_whole(self) -> TargetForm | None:
        """Return the form of whole numbers that are positions, None if they are texts."""
        forms: list[TargetForm] = ["index0", "index1"]
        fitting = [form for form in forms if self.whole[form] == self.num_whole]
        if self.whole["value"] == self.num_whole:
            rivals = [form for form in fitting if self.differs[form]]
            if rivals:
                raise AmbiguousTargets(self._describe(["text", *rivals]))
            return None
        if len(fitting) == 1:
            return fitting[0]
        counts: dict[TargetForm, int] = {
            "text": self.whole["value"],
            **{f: self.whole[f] for f in forms},
        }
        if not fitting:
            return self._decide_misfits(counts)
        raise AmbiguousTargets(
            self._describe([form for form in counts if counts[form]])
        )

    def _decide_misfits(self, counts: Mapping[TargetForm, int]) -> TargetForm | None:
        """Return the form of whole numbers of which some fit no form: bad rows.

        Without texts, a 0 or the number of choices decides; else nearly all of them do.
        """
        has_zero, has_count = bool(self.whole["zero"]), bool(self.whole["count"])
        if not counts["text"] and has_zero != has_count:
            return "index0" if has_zero else "index1"
        likely = [
            form
            for form, count in counts.items()
            if count >= MIN_FIT_FRAC * self.num_whole
        ]
        if len(likely) == 1:
            return None if likely == ["text"] else likely[0]
        raise AmbiguousTargets(
            self._describe([form for form in counts if counts[form]])
        )

    def _decide_named(self) -> TargetForm | None:
        num_label, num_text = self.named["label"], self.named["text"]
        if num_label and num_text:
            return None
        if num_label:
            return "label"
        if num_text:
            return "text"
        if self.named["both"]:
            raise AmbiguousTargets(
                f"each of {self.named['both']:,} targets is the label of one option and "
                "the text of another. Pass --target-is label or --target-is text."
            )
        return "label" if self.named["either"] else None

    def _describe(self, forms: Sequence[str]) -> str:
        counts = {
            "text": f"{self.whole['value']:,} are texts of options (text)",
            "index0": f"{self.whole['index0']:,} positions that count from 0 (index0)",
            "index1": f"{self.whole['index1']:,} positions that count from 1 (index1)",
        }
        known = ", ".join(counts[form] for form in forms)
        flags = " or ".join(f"--target-is {form}" for form in forms)
        return (
            f"it is ambiguous what {self.num_whole:,} whole numbers as targets mean: "
            f"{known or 'they are neither texts nor positions of options'}. Pass "
            f"{flags or '--kind number'}."
        )


def _named_as(
    with_label: Sequence[tuple[str, str]], with_text: Sequence[tuple[str, str]]
) -> str:
    """Return label, text, either or both; "" if a target names no choice."""
    if with_label and with_text:
        texts = {text for _, text in [*with_label, *with_text]}
        return "either" if len(texts) == 1 else "both"
    if with_label:
        return "label"
    return "text" if with_text else ""
