"""How the inputs of a question are written in a prompt. Pure.

A text input is a line `Name: text` where no variable of a template says otherwise, and
a picture is a part of its own between the texts of a turn.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from string import Template as Text

from cotbuild.schemas.completion import Content, ImagePart, TextPart
from cotbuild.schemas.question import ImageRef, Input

Piece = str | ImageRef
"""A text or a picture of a turn."""


def input_heading(name: str) -> str:
    """Return what a line about an input begins with: `Source lang` for source_lang."""
    return name.replace("_", " ").strip().capitalize()


def input_lines(inputs: Iterable[Input]) -> list[str]:
    """Return a line `Name: text` for each input that is a text."""
    return [
        f"{input_heading(one.name)}: {one.text.strip()}"
        for one in inputs
        if one.text is not None
    ]


def input_block(inputs: Sequence[Input]) -> tuple[Piece, ...]:
    """Return all inputs: the pictures, then the texts, a line each."""
    images = [one.image for one in inputs if one.image is not None]
    lines = input_lines(inputs)
    return (*images, "\n".join(lines)) if lines else tuple(images)


def input_pieces(
    inputs: Iterable[Input], names: Iterable[str]
) -> dict[str, tuple[Piece, ...]]:
    """Return the text or the picture of each named input; none if it is not given."""
    pieces: dict[str, tuple[Piece, ...]] = dict.fromkeys(names, ())
    for one in inputs:
        piece = one.image if one.text is None else one.text
        if one.name in pieces and piece is not None:
            pieces[one.name] = (piece,)
    return pieces


def without_empty_lines(form: str, empty: Collection[str]) -> str:
    """Return a form without the lines whose variables are all in `empty`.

    Lines without a variable stay; in others an empty variable is left out.
    """
    kept = []
    for line in form.split("\n"):
        names = Text(line).get_identifiers()
        if not names or not set(names) <= set(empty):
            kept.append(line)
    return "\n".join(kept)


def join_pieces(
    form: str,
    values: Mapping[str, str],
    pieces: Mapping[str, Sequence[Piece]],
    ending: str = "",
) -> Content:
    """Fill a form: a text, or parts if a picture is among the pieces.

    Values are substituted once. White space next to a picture is left out.
    """
    parts: list[Piece] = [""]
    for piece in (*_fill(form, values, pieces), ending):
        if isinstance(piece, str) and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    return tuple(_as_parts(parts))


def _fill(
    form: str, values: Mapping[str, str], pieces: Mapping[str, Sequence[Piece]]
) -> Iterator[Piece]:
    """Yield the texts between the variables of a form, and what replaces them."""
    end = 0
    for found in Text.pattern.finditer(form):
        yield form[end : found.start()]
        end = found.end()
        name = found["named"] or found["braced"]
        if name is None:
            yield "$"  # an escaped one; the form was checked for lone ones
        elif name in values:
            yield values[name]
        else:
            yield from pieces.get(name, ())
    yield form[end:]


def _as_parts(pieces: Iterable[Piece]) -> Iterator[TextPart | ImagePart]:
    for piece in pieces:
        if isinstance(piece, ImageRef):
            yield ImagePart(image=piece)
        elif text := piece.strip():
            yield TextPart(text=text)
