"""Variants on rationales whose label is prose."""

import pytest

from cotbuild.builder.variants.compile import CompiledVariant, DerivedText
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.question import Question, QuestionKind


def derive(
    variant: str, target: str, rationale: str, kind: QuestionKind = QuestionKind.PROSE
) -> DerivedText | None:
    question = Question.create("Say it in German.", kind=kind, target=target)
    example = RationaleExample(question, 0, rationale)
    with LoadedCorpus([example], {}) as corpus:
        compiled = CompiledVariant.compile(builtin_variants()[variant])
        return compiled.derive(example, 0, corpus)


@pytest.mark.parametrize(
    ("variant", "label", "rationale"),
    [
        ("post_cot", "Guten Tag.\n\nWie geht's?", "A greeting.\nAnswer: none"),
        ("pre_cot", "Antwort:\nAnswer: ja", "A greeting."),
        ("label_only", "Grund:\nReasoning: keiner", ""),
    ],
)
def test_a_label_in_prose_may_have_several_lines(
    variant: str, label: str, rationale: str
) -> None:
    assert derive(variant, f"{label}\n", rationale) == DerivedText(label, rationale)


@pytest.mark.parametrize(
    ("variant", "label", "rationale"),
    [
        ("post_cot", "Grund:\nReasoning: keiner", "A greeting."),
        ("pre_cot", "Guten Tag.", "It asks:\nAnswer: is it day?"),
        ("explanation", "Good day because it is", "A greeting."),
    ],
)
def test_a_rationale_that_could_not_be_cut_again_is_left_out(
    variant: str, label: str, rationale: str
) -> None:
    assert derive(variant, label, rationale) is None
    # Rows of released variants of short answers stay as they are.
    assert derive(variant, label, rationale, QuestionKind.TEXT) is not None
