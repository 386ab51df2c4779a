"""Messages as a chat template renders them: the tokens of training are those that TRL
makes, and an evaluation continues the same text.
"""

import pytest
from transformers import PreTrainedTokenizerFast

from cotbuild.prompts.student import StudentPrompt, layout_of
from cotbuild.prompts.student_rows import training_rows
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    VariantRow,
)
from cotbuild.student.chat import ChatForm
from cotbuild.student.tokenize_parts import TokenPart
from cotbuild.student.training.examples import RowTokenizer
from tests.support.tiny import CHAT, tiny_tokenizer

CHATML = (
    CHAT + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)  # as SmolLM2's and Qwen's
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}<eos>\n{% endfor %}"
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)  # Qwen3 writes an empty block of thoughts into the last turn
BEGINS = "<bos>" + PLAIN  # Gemma's template writes what its tokenizer also writes
TRIMS = CHATML.replace("m.content", "m.content | trim")
TEMPLATES = [
    ("qwen2", CHATML),
    ("llama", CHAT),
    ("gpt2", PLAIN),
    ("gemma", BEGINS),
    ("qwen2", THINKS),
    ("qwen2", TRIMS),
]
QUESTION = Question.create("Which floats?", choices=["a stone", "a cork"], target="B")
PLACEMENTS = ("label_only", "pre_cot", "post_cot", "both_sides", "given_rationale")


def tokenizer_of(family: str, template: str | None) -> PreTrainedTokenizerFast:
    tokenizer = tiny_tokenizer(family)
    tokenizer.chat_template = template
    return tokenizer


def spec_of(placement: str, train_on: str = "last") -> VariantSpec:
    values = {"name": "v", "about": "a", "placement": placement}
    return VariantSpec.parse(
        {**values, "format": "messages", "train_on": train_on}, "test"
    )


def rows_of(spec: VariantSpec) -> list[VariantRow]:
    return training_rows(spec, StudentPrompt(QUESTION), 0, "a cork", "Cork is\nlight.")


def trl_tokens(
    tokenizer: PreTrainedTokenizerFast, row: MessagesRow
) -> tuple[list[int], int]:
    """The tokens of a row, and how many of them are the prompt: as TRL takes them."""

    def tokens(turns: list[dict[str, str]], *, begins_reply: bool) -> list[int]:
        text = tokenizer.apply_chat_template(
            turns, add_generation_prompt=begins_reply, tokenize=False
        )
        return list(tokenizer.encode(str(text), add_special_tokens=False))

    prompt = [turn.model_dump() for turn in row.prompt]
    completion = [turn.model_dump() for turn in row.completion]
    before = tokens(prompt, begins_reply=True)
    whole = tokens([*prompt, *completion], begins_reply=False)
    same = [a == b for a, b in zip(before, whole, strict=False)]
    return whole, same.index(False) if False in same else len(same)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("family", "template"), TEMPLATES)
def test_what_is_supervised_is_what_trl_supervises(
    family: str, template: str, placement: str
) -> None:
    tokenizer, spec = tokenizer_of(family, template), spec_of(placement)
    [row] = rows_of(spec)
    assert isinstance(row, MessagesRow)
    ids, num_prompt = trl_tokens(tokenizer, row)
    made = RowTokenizer(tokenizer, spec, "tiny")(row)
    assert made.input_ids_T == ids
    assert made.parts_T[:num_prompt] == [TokenPart.PROMPT] * num_prompt
    assert TokenPart.PROMPT not in made.parts_T[num_prompt:]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("family", "template"), TEMPLATES)
def test_the_label_is_found_in_the_rendered_text(
    family: str, template: str, placement: str
) -> None:
    tokenizer, spec = tokenizer_of(family, template), spec_of(placement)
    [row] = rows_of(spec)
    made = RowTokenizer(tokenizer, spec, "tiny")(row)
    labels = [
        token
        for token, part in zip(made.input_ids_T, made.parts_T, strict=True)
        if part == TokenPart.LABEL
    ]
    text = str(tokenizer.decode(labels))
    assert text.count("a cork") == (2 if placement == "both_sides" else 1)
    assert "Cork is" not in text


def test_every_turn_of_the_assistant_is_supervised_once_and_no_turn_of_the_user() -> (
    None
):
    tokenizer = tokenizer_of("qwen2", CHATML)
    spec = spec_of("given_rationale", train_on="all")
    supervised = []
    for row in rows_of(spec):
        made = RowTokenizer(tokenizer, spec, "tiny")(row)
        ids = [
            token
            for token, part in zip(made.input_ids_T, made.parts_T, strict=True)
            if part != TokenPart.PROMPT
        ]
        supervised.append(str(tokenizer.decode(ids)))
    assert supervised == ["Cork is\nlight.<|im_end|>\n", "a cork<|im_end|>\n"]


@pytest.mark.parametrize(("family", "template"), TEMPLATES)
def test_an_evaluation_continues_the_text_of_training(
    family: str, template: str
) -> None:
    chat = ChatForm(tokenizer_of(family, template), "tiny")
    [row] = rows_of(spec_of("label_only"))
    trained, evaluated = chat.training_row(row), chat.evaluation_row(row)
    layout = chat.evaluation_layout(layout_of(spec_of("label_only")))
    assert f"{trained.prompt}{trained.completion}" == (
        f"{evaluated.prompt}{evaluated.completion}{layout.text_after_label}"
    )


@pytest.mark.parametrize(
    ("family", "template", "message"),
    [
        ("qwen2", None, "no chat template"),
        ("qwen2", "{{ raise_exception('No turns, please.') }}", "No turns, please"),
        ("qwen2", "{% for m in messages %}", "chat template fails"),
        ("gemma", PLAIN, "adds tokens"),
        (
            "qwen2",
            "{{ messages | length }}" + CHATML,
            "renders a prompt in another way",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_in_one_line(
    family: str, template: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ChatForm(tokenizer_of(family, template), "tiny")
    assert len(str(caught.value).splitlines()) == 1


def test_a_template_that_changes_completions_is_refused() -> None:
    template = CHATML.replace("m.content", "m.content | replace('light', 'heavy')")
    chat = ChatForm(tokenizer_of("qwen2", template), "tiny")
    [row] = rows_of(spec_of("pre_cot"))
    with pytest.raises(
        ConfigError, match="changes a completion of question 'question'"
    ):
        chat.training_row(row)
