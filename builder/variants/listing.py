"""What the command line says of variants: each in a line with an example, and what a
set came to.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.registry import builtin_variants, variant_sets
from cotbuild.prompts.student import StudentPrompt, training_rows
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.variant import VariantSpec

WIDTH = 100


def _example(
    number: int, text: str, options: tuple[str, str], target: str, rationale: str
) -> RationaleExample:
    choices = tuple(
        Choice(label=label, text=text)
        for label, text in zip("AB", options, strict=True)
    )
    source = SourceRef(
        dataset="examples", config_name=None, split="train", revision=None, row=number
    )
    question = Question(
        id=f"example-{number}",
        kind=QuestionKind.CHOICE,
        text=text,
        choices=choices,
        target=target,
        other_targets=(),
        source=source,
    )
    return RationaleExample(question, 0, rationale, target)


EXAMPLES = (
    _example(
        0,
        "What floats on water?",
        ("a cork", "a stone"),
        "A",
        "Light things stay on top. A cork is lighter than water, so a cork floats. A stone sinks.",
    ),
    _example(
        1,
        "What melts in the sun?",
        ("ice", "iron"),
        "A",
        "The sun warms things. Ice turns to water when warm.",
    ),
    _example(
        2,
        "Which plant has thorns?",
        ("a rose", "a fern"),
        "A",
        "Thorns keep animals off. A rose has them.",
    ),
)


PROMPT = StudentPrompt(EXAMPLES[0].question)


def listing(specs: Sequence[VariantSpec] | None) -> Iterator[str]:
    """Each variant, what it is, and what it makes of one example; None: all that ship."""
    shown = list(builtin_variants().values()) if specs is None else list(specs)
    first = EXAMPLES[0]
    yield f"{first.question.text}  {' / '.join(choice.text for choice in first.question.choices)}"
    yield f'rationale: "{first.rationale}"'
    with LoadedCorpus(EXAMPLES, {}) as corpus:
        for spec in shown:
            yield f"{spec.name}: {spec.about}"
            for text in _derived_lines(spec, corpus):
                yield from textwrap.wrap(
                    text, WIDTH, initial_indent="    ", subsequent_indent="        "
                )
    if specs is None:
        for name, names in variant_sets().items():
            yield f"set {name}: {', '.join(names)}"


def _derived_lines(spec: VariantSpec, corpus: LoadedCorpus) -> Iterator[str]:
    try:
        made = CompiledVariant.compile(spec).derive(EXAMPLES[0], 0, corpus)
    except (
        ConfigError
    ) as error:  # no scores or word list is given, or no tokenizer is at hand
        yield f"(needs a file: {error})"
        return
    if made is None:
        yield "(not for this one)"
        return
    for row in training_rows(spec, PROMPT, 0, made.label, made.rationale):
        yield " ⏎ ".join(
            [
                row.prompt.splitlines()[-1] + row.completion.splitlines()[0],
                *row.completion.splitlines()[1:],
            ]
        )


def closing_lines(manifest: Manifest, build_dir: Path) -> Iterator[str]:
    """What a run came to: rows that add up, a line a variant, where it is, the next
    command.
    """
    entry = manifest.variants
    assert entry is not None
    kept = entry.num_in - sum(entry.dropped.values())
    left_out = "".join(
        f" + {count} {reason}" for reason, count in entry.dropped.items()
    )
    yield f"{entry.num_in} rationales = {kept} kept{left_out}"
    for found in entry.variants:
        lost = f"; cannot have {found.dropped}" if found.dropped else ""
        empty = f"; {found.num_empty} empty" if found.num_empty and found.words else ""
        yield (
            f"{found.name:<32} {found.num_rows:>7} rows {found.words:>6.1f} words  target {found.names_target:>6.1%}"
            f"  other {found.names_other:>6.1%}{lost}{empty}"
        )
    yield f"{build_dir}  fingerprint {manifest.fingerprint[:16]}"
    yield f"next: cotbuild diff {build_dir} {' '.join(_two(entry.made.specs))}"


def _two(specs: Sequence[VariantSpec]) -> tuple[str, str]:
    names: Mapping[str, VariantSpec] = {spec.name: spec for spec in specs}
    if {"post_cot", "post_cot_shuffled_words"} <= names.keys():
        return "post_cot", "post_cot_shuffled_words"
    return specs[0].name, specs[-1].name
