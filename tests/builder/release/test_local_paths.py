"""No path of the publisher's machine gets into a release, whatever field it is in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.release.local_paths import without_local_paths
from cotbuild.builder.release.sanitize import public_config, public_manifest
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import CotbuildError, PublishError
from cotbuild.schemas.manifest import Manifest

Place = tuple[str | int, ...]
SECRET = "bob-secret"
LOCAL = [
    f"/home/{SECRET}/tok",
    f"/data/{SECRET}/my files/tok",
    f"~/{SECRET}/tok",
    f"~{SECRET}/tok",
    f"C:\\{SECRET}\\tok",
    f"d:/{SECRET}/tok",
    f"\\\\{SECRET}\\share\\tok",
    f"file:///srv/{SECRET}/tok",
    f"file:{SECRET}/tok",
]


def text_places(value: Any, place: Place = ()) -> Iterator[Place]:
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from text_places(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from text_places(part, (*place, number))


def planted(value: Any, place: Place, text: str) -> Any:
    new = json.loads(json.dumps(value))
    holder = new
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = text
    return new


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_path_planted_anywhere_does_not_come_out(finished: Path, data: Any) -> None:
    build = StoredBuild.open(finished)
    record = data.draw(st.sampled_from([Manifest, BuildConfig]))
    original = build.manifest if record is Manifest else build.config
    value = original.model_dump(mode="json")
    place = data.draw(st.sampled_from(list(text_places(value))))
    path = data.draw(st.sampled_from(LOCAL))
    try:
        altered = record.parse(planted(value, place, path), "altered")
        if isinstance(altered, Manifest):
            published = public_manifest(altered, None).model_dump_json()
        else:
            published = public_config(altered, build.manifest).model_dump_json()
    except CotbuildError:
        return  # refused, in place of being published
    assert SECRET not in published


def test_a_build_without_paths_is_published_as_it_is(finished: Path) -> None:
    build = StoredBuild.open(finished)
    public = public_manifest(build.manifest, None)
    assert public.model_copy(update={"run": build.manifest.run}) == build.manifest
    config = public_config(build.config, build.manifest)
    assert without_local_paths(config, "build.json") is config


@pytest.mark.parametrize(
    "text",
    [
        "/no_think",
        "Answer yes/no, in km/h and $/kg.",
        "See https://example.org/a/b and /etc/hosts of the question.",
        "and/or ~ 5",
        "ratio 3:/4",
    ],
)
def test_prose_is_no_path(finished: Path, text: str) -> None:
    build = StoredBuild.open(finished)
    config = build.config.model_copy(update={"system": text})
    assert public_config(config, build.manifest).system == text


def test_a_description_loses_the_path_and_keeps_the_rest(finished: Path) -> None:
    manifest = StoredBuild.open(finished).manifest
    title = f"words of /home/{SECRET}/words.txt, =C:\\{SECRET}\\b.txt"
    changed = without_local_paths(
        manifest.model_copy(update={"title": title}), "manifest.json"
    )
    assert changed.title == "words of words.txt, =b.txt"


def test_a_tokenizer_by_path_is_refused_with_its_place(finished: Path) -> None:
    manifest = StoredBuild.open(finished).manifest
    value = manifest.model_dump(mode="json")
    spec = value["variants"]["made"]["specs"][0]
    spec |= {
        "placement": "post_cot",
        "transforms": [{"do": "shuffle", "unit": "piece"}],
        "tokenizer": f"/home/{SECRET}/tok",
    }
    altered = Manifest.parse(value, "manifest.json")
    with pytest.raises(PublishError) as caught:
        public_manifest(altered, None)
    assert str(caught.value).startswith(
        f"manifest.json: variants.made.specs.tokenizer has '/home/{SECRET}/tok', a path"
    )
