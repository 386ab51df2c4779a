"""What `cotbuild variants` prints: the list of variants with an example of each, and
the summary of a set that was derived.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cotbuild.builder.attribution_bounds import (
    LOOSE_BOUNDS,
    describe_errors,
    describe_limits,
)
from cotbuild.builder.card.statistics import describe_unspaced
from cotbuild.builder.ui import pluralize
from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.registry import builtin_variants, variant_sets
from cotbuild.builder.visible import shell_quote
from cotbuild.prompts.student import REASONING_CUE, StudentPrompt
from cotbuild.prompts.student_rows import training_rows
from cotbuild.schemas.attribution import SCORES_VERSION
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    ChatTurn,
    VariantRow,
)
from cotbuild.schemas.variant_set import (
    ScoresEntry,
    VariantEntry,
    VariantsEntry,
)

WIDTH = 100


def _make_example(
    number: int, text: str, options: tuple[str, str], rationale: str
) -> RationaleExample:
    """Return a rationale for the first of two options."""
    first, second = options
    source = SourceRef(
        dataset="examples", config_name=None, split="train", revision=None, row=number
    )
    question = Question(
        id=f"example-{number}",
        kind=QuestionKind.CHOICE,
        text=text,
        choices=(Choice(label="A", text=first), Choice(label="B", text=second)),
        target="A",
        other_targets=(),
        source=source,
    )
    return RationaleExample(question, sample_index=0, rationale=rationale, answer="A")


EXAMPLES = (
    _make_example(
        0,
        "What floats on water?",
        ("a cork", "a stone"),
        "Light things stay on top. A cork is lighter than water, so a cork floats. "
        "A stone sinks.",
    ),
    _make_example(
        1,
        "What melts in the sun?",
        ("ice", "iron"),
        "The sun warms things. Ice turns to water when warm.",
    ),
    _make_example(
        2,
        "Which plant has thorns?",
        ("a rose", "a fern"),
        "Thorns keep animals off. A rose has them.",
    ),
)
"""The corpus of the list; its first rationale is the one shown."""


def list_variants(specs: Sequence[VariantSpec] | None) -> Iterator[str]:
    """Yield the lines that explain each variant and show its rows of one rationale.

    `specs` None lists all variants that ship, and the named sets.
    """
    shown = list(builtin_variants().values()) if specs is None else list(specs)
    question = EXAMPLES[0].question
    options = " / ".join(choice.text for choice in question.choices)
    yield f"{question.text}  {options}"
    yield f'rationale: "{EXAMPLES[0].rationale}"'
    with LoadedCorpus(EXAMPLES, {}) as corpus:
        for spec in shown:
            yield f"{spec.name}: {spec.about}"
            for text in _derive_example(spec, corpus):
                yield from textwrap.wrap(
                    text, WIDTH, initial_indent="    ", subsequent_indent="        "
                )
    if specs is None:
        for name, names in variant_sets().items():
            yield f"set {name}: {', '.join(names)}"


def _derive_example(spec: VariantSpec, corpus: LoadedCorpus) -> Iterator[str]:
    if spec.mix:
        shares = [f"{part.share:.0%} {part.spec.name}" for part in spec.mix]
        yield f"(each rationale in one form: {', '.join(shares)})"
        return
    example = EXAMPLES[0]
    try:
        derived = CompiledVariant.compile(spec).derive(example, 0, corpus)
    except ConfigError as error:  # it needs a scores file, a word list or a tokenizer
        yield f"(no example: {error})"
        return
    if derived is None:
        yield "(does not apply to this rationale)"
        return
    prompt = StudentPrompt(example.question)
    try:
        rows = training_rows(spec, prompt, 0, derived.label, derived.rationale)
    except DataError as error:  # its prompt shows an input, and the example has none
        yield f"(no example: {error})"
        return
    yield from map(_in_one_line, rows)


def _in_one_line(row: VariantRow) -> str:
    """Return the end of the prompt and the completion; of messages, every turn.

    The end of a prompt is its last line, or what follows the question if the prompt
    holds the rationale.
    """
    if isinstance(row.prompt, str):
        lines = row.prompt.splitlines()
        given = [line for line in lines if line.startswith(f"{REASONING_CUE} ")]
        first, *others = row.completion_text.splitlines()
        return " ⏎ ".join([*given, lines[-1] + first, *others])
    first_turn, *later_turns = row.prompt
    cue = first_turn.content.splitlines()[-1]
    completion = ChatTurn(role="assistant", content=row.completion_text)
    shown = [f"user: … {cue}"]
    for turn in (*later_turns, completion):
        shown.append(f"{turn.role}: {' ⏎ '.join(turn.content.splitlines())}")
    return " | ".join(shown)


def summarize_variants(manifest: Manifest, build_dir: Path | str) -> Iterator[str]:
    """Yield the closing lines of `cotbuild variants`.

    They are the selected rationales and the dropped ones, each variant's counts, the
    fingerprint and the next command.
    """
    summary = manifest.variants
    if summary is None:
        return
    yield _selection_line(summary)
    if manifest.num_failed:
        failed = pluralize(manifest.num_failed, "rationale")
        yield f"{failed} left out: unscored, because a request failed"
    for name, scores in summary.scores.items():
        yield f"file {name}: {describe_bounds(scores)}"
    if summary.has_mostly_unspaced:
        yield f"WARNING: {describe_unspaced(summary)}"
    for variant in summary.variants:
        yield _variant_line(variant, has_shares=summary.num_looked_at > 0)
    yield f"{build_dir}  fingerprint {manifest.fingerprint[:16]}"
    first, second = _pair_to_compare(summary.made.specs)
    yield f"next: cotbuild diff {shell_quote(build_dir)} {first} {second}"


def _selection_line(summary: VariantsEntry) -> str:
    parts = [f"{summary.num_selected} selected"]
    parts += [f"{count} {reason}" for reason, count in summary.dropped.items()]
    return f"{summary.num_in} rationales = {' + '.join(parts)}"


def describe_bounds(scores: ScoresEntry) -> str:
    """Return how scores were checked, and which rationales were refused for it."""
    info = scores.info
    if info.format_version < SCORES_VERSION:
        return (
            "scores of version 1, which were checked against no bound: scores that did "
            f"not converge are used too ({describe_errors(info)}). Attribute again to "
            "check each rationale."
        )
    parts = [f"{info.method} of {info.student}"]
    if info.num_scored is not None:
        parts.append(f"{pluralize(info.num_scored, 'rationale')} scored")
    if info.num_refused:
        bounds = ", ".join(f"{count} {name}" for name, count in info.refused.items())
        named = ", ".join(scores.refused)
        more = ", …" if info.num_refused > len(scores.refused) else ""
        parts.append(
            f"{info.num_refused} refused ({bounds}): no aligned variant has them "
            f"({named}{more})"
        )
    elif info.bounds is not None:
        parts.append("none refused")
    if info.bounds is not None:
        parts += [describe_limits(info.bounds), describe_errors(info)]
        if info.bounds.is_loose:
            parts.append(f"WARNING: {LOOSE_BOUNDS}")
    return "; ".join(parts)


def _variant_line(variant: VariantEntry, *, has_shares: bool) -> str:
    """Return the counts of a variant, with the shares that name an answer if known."""
    line = f"{variant.name:<32} {variant.num_rows:>7} rows {variant.words:>6.1f} words"
    if has_shares:
        line += (
            f"  target {variant.names_target:>6.1%}  other {variant.names_other:>6.1%}"
        )
    if variant.dropped:
        line += f"; {variant.dropped} not applicable"
    if variant.num_empty and variant.words:
        line += f"; {variant.num_empty} empty"
    return line


def _pair_to_compare(specs: Sequence[VariantSpec]) -> tuple[str, str]:
    names: Mapping[str, VariantSpec] = {spec.name: spec for spec in specs}
    if {"post_cot", "post_cot_shuffled_words"} <= names.keys():
        return "post_cot", "post_cot_shuffled_words"
    return specs[0].name, specs[-1].name
