"""Rows of messages as a student reads them: as text, by its tokenizer's chat template.

A template writes something before each turn and after it. What it writes between the
prompt and the assistant's text is the `opening`, what it writes after that text the
`ending`. They are found by rendering, so any template will do whose parts stand in the
order of the turns.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import (
    ChatTurn,
    TrainingRow,
    VariantRow,
)
from cotbuild.student.tokenize_parts import find_automatic_start

_PROBE = (ChatTurn(role="user", content="question"),)
_PROBE_REPLY = "answer"


class ChatForm:
    """The text that a tokenizer's chat template makes of messages."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        """`name` is that of the student, for error messages.

        Raises ConfigError if the tokenizer has no chat template, or one that cannot be
        used.
        """
        self._tokenizer, self._name = tokenizer, name
        if not tokenizer.chat_template:
            raise ConfigError(
                f"student {name!r}: its tokenizer has no chat template, which rows of "
                "messages need. Use an instruct model, or a variant of format text."
            )
        self._start = find_automatic_start(tokenizer)
        after = self._render_after(_PROBE, _PROBE_REPLY)
        self.opening, _, self.ending = after.partition(_PROBE_REPLY)
        """What the template writes before and after the assistant's text."""
        self._check_tokens()

    def prompt(self, turns: Sequence[ChatTurn]) -> str:
        """Render the turns before the assistant's; raises ConfigError."""
        return self._render(turns, add_generation_prompt=True)

    def training_row(self, row: VariantRow) -> TrainingRow:
        """Render a row to train on: whatever follows the prompt is the completion.

        That is what TRL supervises: with the opening and the ending. Raises ConfigError
        if the template changes the assistant's text.
        """
        turns = _turns(row.prompt)
        text = row.completion_text
        completion = self._render_after(turns, text)
        if completion != f"{self.opening}{text}{self.ending}":
            raise ConfigError(
                f"student {self._name!r}: its chat template changes a completion of "
                f"question {row.question_id!r}, or what stands around it. Use a variant "
                "of format text, or another model."
            )
        return _make_text_row(
            row, self.prompt(turns), completion, offset=len(self.opening)
        )

    def evaluation_row(self, row: VariantRow) -> TrainingRow:
        """Render the row of an evaluation question, with the opening in its prompt."""
        prompt = self.prompt(_turns(row.prompt)) + self.opening
        return _make_text_row(row, prompt, row.completion_text, offset=0)

    def training_layout(self, layout: Layout) -> Layout:
        """Return the layout of the completions of rendered rows."""
        return layout.model_copy(update={"opening": self.opening + layout.opening})

    def evaluation_layout(self, layout: Layout) -> Layout:
        """Return the layout of completions whose opening is in the prompt."""
        return layout.model_copy(update={"ending": self.ending})

    def end_ids(self) -> frozenset[int]:
        """Return the token that begins the ending, if it is a special one."""
        ids = self._tokenizer.encode(self.ending, add_special_tokens=False)
        return frozenset(ids[:1]) & frozenset(self._tokenizer.all_special_ids)

    def _render_after(self, turns: Sequence[ChatTurn], reply: str) -> str:
        """Return what the template writes after the prompt, if the assistant replies."""
        prompt = self.prompt(turns)
        turn = ChatTurn.model_construct(role="assistant", content=reply)
        text = self._render((*turns, turn), add_generation_prompt=False)
        if not text.startswith(prompt):
            raise ConfigError(
                f"student {self._name!r}: its chat template renders a prompt in another "
                "way once it is answered. Use a variant of format text, or another model."
            )
        return text[len(prompt) :]

    def _render(self, turns: Sequence[ChatTurn], *, add_generation_prompt: bool) -> str:
        """Render turns, without what the tokenizer itself puts before a text."""
        text = self._apply_template(turns, add_generation_prompt=add_generation_prompt)
        return text.removeprefix(self._start)

    def _apply_template(
        self, turns: Sequence[ChatTurn], *, add_generation_prompt: bool
    ) -> str:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                )
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ConfigError(
                f"student {self._name!r}: its chat template fails: {error}. Use a variant "
                "of format text, or another model."
            ) from error

    def _check_tokens(self) -> None:
        """Check that a text gets the tokens that other trainers give it.

        They tokenize what the template writes and add nothing.
        """
        written = self._apply_template(_PROBE, add_generation_prompt=True)
        expected = self._tokenizer.encode(written, add_special_tokens=False)
        ids = self._tokenizer.encode(written.removeprefix(self._start))
        while len(ids) > len(expected) and ids[-1] == self._tokenizer.eos_token_id:
            ids = ids[:-1]
        if ids != expected:
            raise ConfigError(
                f"student {self._name!r}: its tokenizer adds tokens that its chat "
                "template does not write. Use a variant of format text, or another model."
            )


def _turns(prompt: str | Iterable[ChatTurn]) -> tuple[ChatTurn, ...]:
    """Return the turns of a prompt; a text is one turn of the user."""
    if isinstance(prompt, str):
        return (ChatTurn(role="user", content=prompt),)
    return tuple(prompt)


def _make_text_row(
    row: VariantRow, prompt: str, completion: str, *, offset: int
) -> TrainingRow:
    values: dict[str, Any] = {
        name: getattr(row, name) for name in type(row).model_fields
    }
    values |= {"prompt": prompt, "completion": completion}
    for name in ("label_start", "label_end", "rationale_start", "rationale_end"):
        if values[name] is not None:
            values[name] += offset
    names = TrainingRow.model_fields
    return TrainingRow.model_construct(**{name: values[name] for name in names})
