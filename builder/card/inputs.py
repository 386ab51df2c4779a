"""What questions are asked with besides their text, and a picture of them. Pure."""

from collections.abc import Iterator

from cotbuild.builder.card.markdown import code_span
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import MEDIA


def input_lines(manifest: Manifest) -> list[str]:
    """Return the inputs of the questions and their pictures; empty if there are none."""
    lines = [f"- {line}" for line in _input_points(manifest)]
    return [*lines, ""] if lines else []


def _input_points(manifest: Manifest) -> Iterator[str]:
    if manifest.inputs:
        counts = ", ".join(
            f"{code_span(name)} {count:,}" for name, count in manifest.inputs.items()
        )
        yield f"Questions by the inputs they are asked with besides their text: {counts}"
    if has_images(manifest) and manifest.media is not None:
        yield (
            f"Pictures: {manifest.media.num_files:,} different ones, "
            f"{manifest.media.num_bytes:,} bytes, in the column `images`"
        )


def has_images(manifest: Manifest) -> bool:
    """Whether a question of the build has a picture."""
    return manifest.media is not None and manifest.media.num_files > 0


def example_image_lines(manifest: Manifest) -> list[str]:
    """Return the first picture of the rows as Markdown; empty if there is none.

    Its path is relative to the card, in a build as in a release.
    """
    media = manifest.media
    if media is None or media.example is None:
        return []
    alt = "The picture of the first question that has one"
    return [f"![{alt}]({MEDIA}/{media.example.file_name})", ""]
