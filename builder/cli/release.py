"""`cotbuild publish`, `cotbuild pull` and `cotbuild verify`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.cli.places import local_build
from cotbuild.builder.cli.remote import (
    detach_option,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.console import print_line
from cotbuild.builder.visible import shell_quote

if TYPE_CHECKING:
    from cotbuild.builder.release.check import VerifyOptions
    from cotbuild.builder.release.publish import PublishResult
    from cotbuild.schemas.manifest import Manifest

PUBLISH_EXAMPLES = examples(
    "cotbuild publish builds/mine alice/mine --tag v1.0.0 --dry-run",
    "cotbuild publish builds/mine alice/mine --tag v1.0.0",
    "cotbuild publish builds/mine file:/data/releases/mine",
    "cotbuild publish builds/mine s3://bucket/releases/mine --tag v1.0.0",
)
PULL_EXAMPLES = examples("cotbuild pull alice/mine@v1.0.0 builds/theirs")
VERIFY_EXAMPLES = examples(
    "cotbuild verify builds/mine", "cotbuild verify alice/mine@v1.0.0 --all"
)

Text = str | None
Many = list[str] | None
Files = Annotated[
    Many,
    typer.Option(
        metavar="NAME=PATH",
        help="File that a variant was derived with; repeatable.",
        show_default=False,
    ),
]
Source = Annotated[
    Text,
    typer.Option(
        help="Source of the questions, if exemplars were drawn from a split of it."
    ),
]
All = Annotated[
    bool,
    typer.Option("--all", help="Derive every variant row again, not a sample."),
]


def publish(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of a build.", show_default=False),
    ],
    target: Annotated[
        str,
        typer.Argument(
            help="ORG/NAME on the Hub, file:PATH, s3://BUCKET/PATH or az://CONTAINER/PATH.",
            show_default=False,
        ),
    ],
    tag: Annotated[
        Text, typer.Option(help="Tag of this release, such as v1.0.0.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show the plan; send nothing.")
    ] = False,
    configs: Annotated[
        Text,
        typer.Option(
            help="Publish only these variants, such as a,b; rationales and "
            "questions are always published."
        ),
    ] = None,
    license: Annotated[
        Text,
        typer.Option(
            "--license",
            "--licence",
            help="Licence identifier of the Hub; the default is what the sources allow.",
        ),
    ] = None,
    language: Annotated[
        Text,
        typer.Option(help="ISO 639 codes, such as en,de."),
    ] = None,
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial",
            help="Publish although some requests failed; the card says so.",
        ),
    ] = False,
    move_tag: Annotated[
        bool,
        typer.Option("--move-tag", help="Move an existing tag to this release."),
    ] = False,
    message: Annotated[Text, typer.Option(help="Commit message.")] = None,
    file: Files = None,
    source: Source = None,
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Check a build and publish it as a dataset.

    Sends what differs in one commit, tags it, reads all of it back and compares.
    Incomplete builds are rejected.
    """
    with errors():
        from cotbuild.builder.hub.names import parse_tag
        from cotbuild.builder.release.check import VerifyOptions
        from cotbuild.builder.release.compose import ReleaseSpec
        from cotbuild.builder.release.open import open_target
        from cotbuild.builder.release.publish import PublishOptions
        from cotbuild.builder.release.publish import publish as run
        from cotbuild.builder.variants.registry import parse_file_arguments

        if server is not None:
            from cotbuild.builder.cli.remote_requests import publish_request

            make_request = partial(
                publish_request,
                directory=directory,
                repo=target,
                tag=tag,
                private=private,
                configs=configs.split(",") if configs else [],
                license=license,
                languages=language.split(",") if language else [],
                allow_partial=allow_partial,
                move_tag=move_tag,
                message=message,
                files=file or [],
                source=source,
                dry_run=dry_run,
            )
            run_on_server(server, make_request, detach=detach)
            return
        ui = open_ui()
        place = open_target(target, ui.say)
        spec = ReleaseSpec(
            tag=None if tag is None else parse_tag(tag),
            configs=tuple(configs.split(",")) if configs else None,
            licence=license,
            languages=tuple(language.split(",")) if language else None,
        )
        options = PublishOptions(
            private=private,
            dry_run=dry_run,
            allow_partial=allow_partial,
            move_tag=move_tag,
            message=message,
            verify=VerifyOptions(files=parse_file_arguments(file or []), source=source),
        )
        with local_build(directory, "read") as folder:
            done = run(folder, place, spec, options, ui, print_line)
        for line in _closing_lines(done, place.name, tag):
            print_line(line)


def _closing_lines(done: "PublishResult", target: str, tag: str | None) -> list[str]:
    manifest = done.manifest
    at = f"{target}@{tag}" if tag else target
    if done.commit is None:
        return ["dry run: nothing was sent"]
    if not done.sent and not done.tagged:
        first = f"nothing to publish: {at} is this release already"
    else:
        what = [f"{len(done.plan.uploads)} files"] * done.sent + [
            f"tag {tag}"
        ] * done.tagged
        first = f"published {' and '.join(what)}; read back and compared"
    if "://" in target:
        pull = f"next: cotbuild pull {shell_quote(at)} DIR"
        return [first, _commit_line(at, done.commit, manifest), pull]
    where = target.removeprefix("file:")
    revision = f', revision="{tag}"' if tag and where == target else ""
    config = next(
        (name for name in ("post_cot", *manifest.digests) if name in manifest.digests),
        "rationales",
    )
    return [
        first,
        _commit_line(at, done.commit, manifest),
        f'next: load_dataset("{where}", "{config}"{revision})',
    ]


def _commit_line(at: str, commit: str, manifest: "Manifest") -> str:
    return f"{at}  commit {commit[:12]}  fingerprint {manifest.fingerprint[:16]}"


def pull(
    release: Annotated[
        str,
        typer.Argument(
            help="ORG/NAME[@TAG], file:PATH[@TAG] or s3://BUCKET/PATH[@TAG].",
            show_default=False,
        ),
    ],
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="New folder for the build.", show_default=False
        ),
    ],
) -> None:
    """Download a release as a build with its answers.

    Generating it again sends no request.
    """
    with errors():
        from cotbuild.builder.release.open import open_release
        from cotbuild.builder.release.pull import pull as run

        ui = open_ui()
        target, revision = open_release(release, ui.say)
        manifest, brought = run(target, revision, directory, ui)
        rows = sum(entry.num_rows for entry in manifest.files)
        state = "downloaded and verified" if brought else "already downloaded"
        print_line(
            f"{state}: {len(manifest.files)} files, {rows} rows in {len(manifest.digests)} configs"
        )
        print_line(f"{directory}  fingerprint {manifest.fingerprint[:16]}")
        if manifest.imported is None:
            out = shell_quote(directory)
            print_line(
                f"next: cotbuild generate --config {out}/build.json --source QUESTIONS --out {out}"
            )
        else:
            print_line(f"next: cotbuild inspect {shell_quote(directory)}")


def verify(
    directory: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Folder of a build, or a release: ORG/NAME@TAG, file:PATH, "
            "s3://BUCKET/PATH.",
            show_default=False,
        ),
    ],
    all: All = False,
    file: Files = None,
    source: Source = None,
) -> None:
    """Check that a build or release is what its manifest says.

    Compares columns, checksums, digests, order, every figure, build.json and the card;
    derives request keys, rationales and variants again. Lists what it cannot check.
    Exits with 1 and the exact fault, or with 5 if all else is right but the rows need
    the rules of another version of cotbuild.
    """
    with errors():
        from cotbuild.builder.release.check import VerifyOptions, verify_folder
        from cotbuild.builder.release.open import is_release_name
        from cotbuild.builder.variants.registry import parse_file_arguments

        options = VerifyOptions(
            files=parse_file_arguments(file or []), all_rows=all, source=source
        )
        if is_release_name(directory):
            manifest, lines = _verify_elsewhere(directory, options)
        else:
            manifest, lines = verify_folder(Path(directory), options)
        for line in lines:
            print_line(f"{directory}: {line}")
        rows = sum(entry.num_rows for entry in manifest.files)
        print_line(
            f"{directory}: verified. {len(manifest.files)} files, {rows} rows, "
            f"fingerprint {manifest.fingerprint[:16]}"
        )


def _verify_elsewhere(
    name: str, options: "VerifyOptions"
) -> "tuple[Manifest, list[str]]":
    from cotbuild.builder.release.check import verify_release
    from cotbuild.builder.release.open import open_release

    ui = open_ui()
    target, revision = open_release(name, ui.say)
    with ui.counting("bytes") as progress:
        return verify_release(target, revision, options, progress, ui.say)
