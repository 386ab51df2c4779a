"""A study whose every free text is out to break the page, and a reader of pages that
tells if one did.
"""

from html.parser import HTMLParser
from typing import NamedTuple

from cotbuild.schemas.study.record import DeclarationChange, StudyRegistration
from cotbuild.schemas.study.results import StudyResults
from cotbuild.schemas.study.version_1 import StudyV1, need_version_1
from tests.support.studies.made import whole

TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}} {% raw %} {#",
    "javascript:alert(1)",
    "</title></style><iframe src=https://evil.example>",
    "a\0b\x1bc\u202ed\u2028e $x_1$ \\frac & &lt; -->",
    "=HYPERLINK(0)",
    "x" * 10_000,
)
VOID = {"meta", "img", "br"}


def hostile(text: str) -> tuple[StudyRegistration, StudyResults, StudyV1]:
    """A small study in which `text` stands wherever a schema takes any text."""
    line = " ".join(text.split())[:300] or "empty"
    record, results, study = whole(rows=(500, 1000))

    def student(value: object) -> object:
        """The same with `text` for every student."""
        if isinstance(value, dict):
            return {
                name: text if inner == "embedded" else student(inner)
                for name, inner in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [text if inner == "embedded" else student(inner) for inner in value]
        return value

    def told(one: StudyV1) -> StudyV1:
        plain: dict[str, object] = {
            **one.model_dump(mode="json"),
            "name": line,
            "source": text,
        }
        named = StudyV1.parse(student(plain), "study")  # type: ignore[arg-type]
        claims = tuple(
            claim.model_copy(update={"says": line}) for claim in named.comparisons
        )
        stages = tuple(
            stage.model_copy(update={"name": line}) for stage in named.stages
        )
        return named.model_copy(update={"comparisons": claims, "stages": stages})

    found = StudyResults.parse(student(results.model_dump(mode="json")), "results")  # type: ignore[arg-type]
    stages = tuple(stage.model_copy(update={"name": line}) for stage in found.stages)
    variants = tuple(one.model_copy(update={"about": text}) for one in found.variants)
    compared = tuple(
        one.model_copy(
            update={"planned": one.planned.model_copy(update={"says": line})}
        )
        for one in found.comparisons
    )
    assert record.test.majority is not None
    majority = record.test.majority.model_copy(update={"target": text})
    asked = record.test.model_copy(
        update={"targets": (text,) * len(record.test.ids), "majority": majority}
    )
    change = DeclarationChange(
        field=text, was={text: text}, now=[text, None], seen_at=text, cells=3
    )
    return (
        record.model_copy(
            update={
                "study": told(need_version_1(record.study)),
                "test": asked,
                "dev": asked,
                "changes": (change,),
                "at": text,
            }
        ),
        found.model_copy(
            update={
                "stages": stages,
                "variants": variants,
                "comparisons": compared,
                "touched_twice": (text,),
            }
        ),
        told(study),
    )


class Cell(NamedTuple):
    """A `td`, `th`, `dd` or the like: the tag and its text."""

    tag: str
    text: str


class Seen(HTMLParser):
    """The tags, attributes and texts of a page; raises AssertionError where a tag is
    not closed in order.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[Cell] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.append(Cell(self._open[-1], data))

    def of(self, tag: str) -> list[str]:
        """The texts straight inside such tags."""
        return [cell.text for cell in self.texts if cell.tag == tag]
