"""The command line: arguments → config; progress; exit codes (errors.py)."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.attribute import attribute
from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.evaluate import evaluate
from cotbuild.builder.cli.import_ import import_rationales
from cotbuild.builder.cli.release import publish, pull, verify
from cotbuild.builder.cli.study import app as study_app
from cotbuild.builder.cli.train import train
from cotbuild.builder.cli.variants import diff, variants
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError

app = typer.Typer(
    help="Build teacher-rationale datasets: ask a teacher for a chain of thought on each question, keep every answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DEFAULT = BuildConfig()
"""Its values are named in the help; the flags themselves default to None, for `not
given`.
"""

Text = str | None
Number = int | None
Many = list[str] | None
Dir = Annotated[Path, typer.Argument(help="Folder of a build.", show_default=False)]


@app.command()
def generate(
    out: Annotated[
        Path, typer.Option(help="Folder of the build; it holds the answers too.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with any of these settings; flags win."),
    ] = None,
    source: Annotated[
        Text,
        typer.Option(
            help="bundled (default), a known dataset, a file, a folder, a Hub id."
        ),
    ] = None,
    config_name: Annotated[
        Text, typer.Option(help="The Hub's config, with a Hub id.")
    ] = None,
    source_revision: Annotated[
        Text, typer.Option(help="Branch, tag or commit, with a Hub id.")
    ] = None,
    split: Annotated[Text, typer.Option(help="Split to ask about.")] = None,
    rows: Annotated[
        Text, typer.Option(metavar="START:END", help="Only these rows, from 0.")
    ] = None,
    sample: Annotated[
        Number,
        typer.Option(help="Only so many questions, drawn by source.sample_seed."),
    ] = None,
    limit: Annotated[
        Number, typer.Option(help="Only the first so many of those.")
    ] = None,
    eval_splits: Annotated[
        Text, typer.Option(help="Splits that enter without a request: dev,test.")
    ] = None,
    drop_overlap: Annotated[
        bool | None,
        typer.Option(
            "--drop-overlap", help="Leave out what also stands in --eval-splits."
        ),
    ] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN", help="For a file of unknown shape; repeatable."
        ),
    ] = None,
    kind: Annotated[
        Text,
        typer.Option(help="choice, yes_no, number or text, if the file does not tell."),
    ] = None,
    on_bad_row: Annotated[
        Text, typer.Option(help="stop (default), or drop and count.")
    ] = None,
    teacher: Annotated[
        Text,
        typer.Option(
            help="embedded (default), scripted, a folder, a Hub id, a served name."
        ),
    ] = None,
    endpoint: Annotated[
        Many,
        typer.Option(
            metavar="URL",
            help="A running OpenAI-compatible server, up to /v1; repeatable.",
        ),
    ] = None,
    revision: Annotated[
        Text, typer.Option(help="Commit of a Hub id, or of what the endpoint serves.")
    ] = None,
    window: Annotated[
        Number, typer.Option(help="Most requests in flight at one server.")
    ] = None,
    mode: Annotated[
        Text,
        typer.Option(
            help="elicit (default): target hidden; rationalize: shown; elicit-then-rationalize."
        ),
    ] = None,
    decode: Annotated[
        Text,
        typer.Option(
            help="free (default); json: rationale and answer; choice: free, then a constrained answer."
        ),
    ] = None,
    on_length: Annotated[
        Text,
        typer.Option(
            help="A text cut by --max-tokens: keep (default), or ask once more for a longer one."
        ),
    ] = None,
    exemplars: Annotated[
        Text,
        typer.Option(
            metavar="SPLIT[:COUNT]",
            help="Draw the worked examples from a split that has rationales.",
        ),
    ] = None,
    template: Annotated[
        Many,
        typer.Option(metavar="NAME@V", help="Or a .yaml file; one a kind, repeatable."),
    ] = None,
    system: Annotated[
        Text, typer.Option(help="System prompt in place of the template's.")
    ] = None,
    samples: Annotated[
        Number, typer.Option(help=f"Requests per question ({DEFAULT.samples}).")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help=f"0 is greedy ({DEFAULT.sampling.temperature})."),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help=f"Nucleus, 1 is off ({DEFAULT.sampling.top_p})."),
    ] = None,
    max_tokens: Annotated[
        Number, typer.Option(help=f"Most generated ({DEFAULT.sampling.max_tokens}).")
    ] = None,
    seed: Annotated[
        Number,
        typer.Option(
            help=f"Build seed, of which requests get theirs ({DEFAULT.seed})."
        ),
    ] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any other, as sampling.top_k=20."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask anew; old answers stay until clean.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again what was refused.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan; ask and write nothing.")
    ] = False,
) -> None:
    """Ask a teacher about every question and build the dataset.

    Run it again to go on, or after an edit.
    """
    from cotbuild.builder.cli.args import build_config, columns, exemplar_settings

    flags: dict[str, object] = {
        "source.name": source,
        "source.config_name": config_name,
        "source.revision": source_revision,
        "source.split": split,
        "source.rows": rows,
        "source.sample": sample,
        "source.limit": limit,
        "source.eval_splits": eval_splits.split(",") if eval_splits else None,
        "source.kind": kind,
        "source.on_bad_row": on_bad_row,
        "source.drop_overlap": drop_overlap,
        "teacher.model": teacher,
        "teacher.endpoints": endpoint,
        "teacher.revision": revision,
        "teacher.window": window,
        "mode": mode,
        "decode": decode,
        "on_length": on_length,
        "templates": template,
        "system": system,
        "samples": samples,
        "sampling.temperature": temperature,
        "sampling.top_p": top_p,
        "sampling.max_tokens": max_tokens,
        "seed": seed,
    }
    with errors(resume=True):
        flags |= {"source.columns": columns(map or []), **exemplar_settings(exemplars)}
        resolved = build_config(config, flags, setting or [])
        if dry_run:
            from cotbuild.builder.generate.dry_run import dry_run as lines

            for line in lines(resolved, out, fresh=fresh, retry_failed=retry_failed):
                print(line)
            return
        from cotbuild.builder.cli.output import closing_lines
        from cotbuild.builder.generate.run import generate as run
        from cotbuild.builder.terminal import Terminal

        outcome = run(resolved, out, Terminal(), fresh=fresh, retry_failed=retry_failed)
        for line in closing_lines(outcome, out):
            print(line)


app.command("import")(import_rationales)
app.command("variants")(variants)
app.command("diff")(diff)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("attribute")(attribute)
app.add_typer(study_app, name="study")


@app.command()
def inspect(
    directory: Dir,
    id: Annotated[
        Text, typer.Option(help="Only the rationales of this question.")
    ] = None,
    verdict: Annotated[
        Text, typer.Option(help="Only rationales with this verdict.")
    ] = None,
    flag: Annotated[Text, typer.Option(help="Only rationales with this flag.")] = None,
    limit: Annotated[int, typer.Option(help="How many records to show.")] = 3,
) -> None:
    """Show what a build holds: counts by verdict, lengths, some records."""
    with errors():
        from cotbuild.builder.build.build import Build
        from cotbuild.builder.build.inspect import inspect_build

        build = Build.open(directory)
        for line in inspect_build(
            build, question_id=id, verdict=verdict, flag=flag, limit=limit
        ):
            print(line)


app.command("verify")(verify)
app.command("publish")(publish)
app.command("pull")(pull)


@app.command()
def prompts(
    template: Annotated[
        Text, typer.Argument(help="NAME@VERSION or a .yaml file.", show_default=False)
    ] = None,
) -> None:
    """List the templates, or show one rendered."""
    with errors():
        from cotbuild.builder.cli.output import prompt_list, prompt_shown

        for line in prompt_shown(template) if template else prompt_list():
            print(line)


@app.command()
def sources(
    name: Annotated[
        Text,
        typer.Argument(
            help="A known dataset, a file, a folder, a Hub id.", show_default=False
        ),
    ] = None,
    config_name: Annotated[
        Text, typer.Option(help="The Hub's config, with a Hub id.")
    ] = None,
    split: Annotated[Text, typer.Option(help="Split whose first row is shown.")] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN", help="For a file of unknown shape; repeatable."
        ),
    ] = None,
) -> None:
    """List the datasets that are known by name, or show one: a row, its fields, licence
    and size.
    """
    with errors():
        from cotbuild.builder.cli.args import build_config, columns
        from cotbuild.builder.sources import list_sources, source_shown

        if name is None:
            for info in list_sources():
                print("\n".join(info.lines()))
            return
        flags = {
            "name": name,
            "config_name": config_name,
            "split": split,
            "columns": columns(map or []),
        }
        resolved = build_config(
            None, {f"source.{field}": value for field, value in flags.items()}
        )
        for line in source_shown(resolved.source):
            print(line)


@app.command()
def clean(directory: Dir) -> None:
    """Remove the answers that a --fresh run left behind."""
    with errors():
        from cotbuild.builder.storage.answer_store import AnswerStore

        if not directory.is_dir():
            raise DataError(f"{directory}: no such folder. Expected a build.")
        store = AnswerStore(directory)
        with store.hold():
            gone = store.clean()
        print(
            f"{directory}: removed {', '.join(gone) or 'nothing; every answer is current'}"
        )


def main() -> None:
    """Entry point of `cotbuild`."""
    signal.signal(signal.SIGTERM, _end)
    app()


def _end(number: int, frame: object) -> None:  # noqa: ARG001
    """SIGTERM ends a run as Ctrl-C does: journal sealed, server gone, exit 130.

    A shell has what it starts in the background ignore Ctrl-C; the signal that is
    raised here must not be.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
