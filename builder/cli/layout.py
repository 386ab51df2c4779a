"""Text in lines of at most 80 columns."""

from collections.abc import Iterator, Mapping

from cotbuild.builder.wrap import wrap_paragraph

WIDTH = 80


def wrap_text(label: str, text: str) -> Iterator[str]:
    """Yield `text` wrapped behind `label`, which later lines are indented by."""
    indent = " " * len(label)
    lines: list[str] = []
    for paragraph in text.splitlines():
        lines += wrap_paragraph(paragraph, WIDTH - len(label))
    yield label + (lines[0] if lines else "")
    for line in lines[1:]:
        yield indent + line


def list_counts(counts: Mapping[str, int], separator: str = ", ") -> str:
    """Return counts by name, such as `3 cut, 2 run_on`."""
    return separator.join(f"{count} {name}" for name, count in counts.items())
