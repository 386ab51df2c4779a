"""Templates: YAML files that say how a question is put to a teacher.

A template is known as name@version and checked as it is read. Pure, but for reading
the files.
"""

from collections.abc import Iterable, Sequence, Set
from functools import cache, cached_property
from string import Template as Text
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cotbuild.prompts.exemplar import Exemplar
from cotbuild.prompts.inputs import (
    input_block,
    input_heading,
    input_pieces,
    join_pieces,
    without_empty_lines,
)
from cotbuild.prompts.versioned import load_builtin, load_by_ref, parse_yaml_record
from cotbuild.schemas.answers.line_heads import find_form_heads
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.completion import Content, Message
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import (
    RESERVED_INPUT_NAMES,
    Choice,
    Input,
    Question,
    QuestionKind,
    is_input_name,
)
from cotbuild.schemas.rationale import Purpose
from cotbuild.schemas.record import Record, short_repr

ALL_INPUTS = "inputs"
"""The variable that stands for all inputs a template does not name."""

ASK_JSON = 'Reply in JSON, as {"rationale": "…", "answer": "…"}.'
ASK_JSON_FIRST = 'Reply in JSON, as {"answer": "…", "rationale": "…"}.'


class Template(Record):
    """One version of one way to prompt a teacher.

    It is never edited once a build has used it: a change is a new version.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="What it is called.")
    version: int = Field(ge=1, description="Counts up with every change.")
    kind: QuestionKind = Field(description="The kind of question it is for.")
    about: str = Field(
        min_length=1, description="One line for people; not part of the fingerprint."
    )
    answer: Literal["first", "last"] = Field(
        description="Where the teacher is to put the answer."
    )
    system: str | None = Field(
        default=None, description="System turn; None: none is sent."
    )
    user: str = Field(
        description="User turn, of the exemplars too. $question, for choice $choices; "
        "the name of an input, or $inputs for all that have no variable of their own; "
        "$target shows the target, for choice its letter, and $target_text its text."
    )
    optional: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda names: not names,
        description="Inputs that a question may lack; a line of the user turn with no "
        "other variable is then left out. Empty: it needs all that are named.",
    )
    reply_start: str | None = Field(
        default=None,
        min_length=1,
        exclude_if=lambda text: text is None,
        description="Beginning of the reply, which the teacher continues; $target is the "
        "target. None: the teacher begins the reply itself.",
    )
    answer_head: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        exclude_if=lambda head: head is None,
        description="Line head behind which the teacher is to put an answer in prose, "
        "such as Translation. None: any common one.",
    )
    choice_line: str = Field(
        default="($label) $text", description="One line of $choices."
    )
    assistant: str | None = Field(
        default=None,
        description="Exemplars' reply: $rationale, $answer, for choice $answer_text.",
    )
    exemplars: tuple[Exemplar, ...] = Field(
        default=(), description="Worked examples, shown in order."
    )
    reply: Literal["text", "json"] = Field(
        default="text",
        description="json: the user turn asks for JSON, and the exemplars reply in it.",
    )
    follow_up: str | None = Field(
        default=None,
        min_length=1,
        exclude_if=lambda text: text is None,
        description="User turn that follows an attempt, which is shown as the reply to the "
        "question, and asks to evaluate it. None: the question is the last turn.",
    )

    @property
    def ref(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that a teacher is sent and of what extraction has to know."""
        left_out = {"about"}
        if self.reply == "text":
            # Templates that are older than this field keep their fingerprint.
            left_out.add("reply")
        return digest("template/1", self.model_dump(mode="json", exclude=left_out))

    @cached_property
    def shows_target(self) -> bool:
        """Whether the prompt holds the target."""
        used = {*self._user.get_identifiers(), *self._reply_start.get_identifiers()}
        return not {"target", "target_text"}.isdisjoint(used)

    @property
    def purpose(self) -> Purpose:
        """What its requests are for."""
        if self.follow_up is not None:
            return Purpose.EVALUATE
        return Purpose.RATIONALIZE if self.shows_target else Purpose.ELICIT

    @property
    def gives_target(self) -> bool:
        """Whether the reply begins with the target, so that it is no answer of its own."""
        return "target" in self._reply_start.get_identifiers()

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The inputs that the user turn names, in order."""
        used = self._user.get_identifiers()
        return tuple(name for name in used if name not in RESERVED_INPUT_NAMES)

    @cached_property
    def needed_inputs(self) -> tuple[str, ...]:
        """The inputs that every question needs."""
        return tuple(name for name in self.input_names if name not in self.optional)

    @cached_property
    def shows_all_inputs(self) -> bool:
        """Whether inputs that the user turn does not name are shown too."""
        return ALL_INPUTS in self._user.get_identifiers()

    def line_heads_of(self, question: Question) -> tuple[str, ...]:
        """Return `line_heads`, and those of the inputs of a question that are shown."""
        if not (question.inputs and self.shows_all_inputs):
            return self.line_heads
        form = "\n".join(
            f"{input_heading(one.name)}: $x"
            for one in question.inputs
            if one.name not in self.input_names
        )
        return (*self.line_heads, *find_form_heads(form))

    @cached_property
    def line_heads(self) -> tuple[str, ...]:
        """What opens lines of the user turn before a value, in lower case: "text".

        What the exemplars' replies open lines with is left out.
        """
        of_replies = find_form_heads(self.assistant or "")
        heads = find_form_heads(self.user)
        return tuple(head for head in heads if head not in of_replies)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced; raises ValueError if one is invalid.

        Unlike `model_copy` it validates the fields, and leaves cached values behind.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **changes})

    @cached_property
    def opening(self) -> tuple[Message, ...]:
        """The messages that every prompt starts with: system turn and exemplars."""
        turns = []
        if self.system is not None:
            turns.append(Message(role="system", content=self.system))
        for exemplar in self.exemplars:
            inputs = [
                Input(name=name, text=text) for name, text in exemplar.inputs.items()
            ]
            user = self.render_user_turn(
                exemplar.question, exemplar.lettered_choices, exemplar.answer, inputs
            )
            turns.append(Message(role="user", content=user))
            reply = self._render_reply(exemplar)
            turns.append(Message(role="assistant", content=reply))
        return tuple(turns)

    def render_user_turn(
        self,
        question: str,
        choices: Iterable[Choice],
        target: str | None = None,
        inputs: Sequence[Input] = (),
    ) -> Content:
        """Return the user turn for one question: a text, or parts if it has pictures.

        Values are substituted once: a `$` in them stays a `$`. `target` is needed if
        `shows_target`, else ignored. Lines about inputs that are not given are left out.
        """
        choices = tuple(choices)
        values = {"question": question}
        if self.kind is QuestionKind.CHOICE:
            line = self._choice_line
            values["choices"] = "\n".join(
                line.substitute(label=choice.label, text=choice.text)
                for choice in choices
            )
        if self.shows_target:
            if target is None:
                raise ValueError(f"template {self.ref} shows the target: none is given")
            texts = {choice.label: choice.text for choice in choices}
            values["target"] = target
            values["target_text"] = texts.get(target, target)
        ask_json = ASK_JSON if self.answer == "last" else ASK_JSON_FIRST
        ending = "" if self.reply == "text" else f"\n{ask_json}"
        if not (self.input_names or self.shows_all_inputs):
            return self._user.substitute(values) + ending
        if self.follow_up is not None:
            # An attempt has a turn of its own.
            inputs = [one for one in inputs if one.name != ATTEMPT]
        pieces = input_pieces(inputs, self.input_names)
        if self.shows_all_inputs:
            rest = [one for one in inputs if one.name not in pieces]
            pieces[ALL_INPUTS] = input_block(rest)
        empty = {name for name, of_input in pieces.items() if not of_input}
        form = without_empty_lines(self.user, empty) if empty else self.user
        return join_pieces(form, values, pieces, ending)

    def render_reply_start(self, target: str | None) -> str:
        """Return the beginning of the reply; empty if the teacher begins it itself."""
        return self._reply_start.substitute(target=target or "")

    def _render_reply(self, exemplar: Exemplar) -> str:
        if self.reply == "json":
            return exemplar.json_reply(self.kind, answer_first=self.answer == "first")
        values = {"rationale": exemplar.rationale, "answer": exemplar.answer}
        if self.kind is QuestionKind.CHOICE:
            values["answer_text"] = exemplar.choice_texts[exemplar.answer]
        return Text(self.assistant or "").substitute(values)

    @cached_property
    def _user(self) -> Text:
        return Text(self.user)

    @cached_property
    def _reply_start(self) -> Text:
        return Text(self.reply_start or "")

    @cached_property
    def _choice_line(self) -> Text:
        return Text(self.choice_line)

    @model_validator(mode="after")
    def _check_variables(self) -> Self:
        if self.kind is QuestionKind.CHOICE:
            _check_text(
                "user", self.user, {"question", "choices"}, {"target", "target_text"}
            )
            _check_text("choice_line", self.choice_line, {"label", "text"})
        else:
            _check_text("user", self.user, {"question"}, {"target"})
        if self.follow_up is not None:
            _check_text("follow_up", self.follow_up, set())
            if self.exemplars or self.reply_start is not None or self.shows_target:
                raise ValueError(
                    "follow_up is given with exemplars, reply_start or $target, which do "
                    "not go with it; leave them out"
                )
        if self.reply_start is not None:
            _check_text("reply_start", self.reply_start, set(), {"target"})
            if self.reply_start != self.reply_start.rstrip():
                raise ValueError(
                    "reply_start ends in white space, which servers cut off"
                )
        if self.assistant is not None:
            is_choice = self.kind is QuestionKind.CHOICE
            optional = {"answer_text"} if is_choice else set()
            _check_text("assistant", self.assistant, {"rationale", "answer"}, optional)
        return self

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        for name in self.input_names:
            if not is_input_name(name):
                raise ValueError(f"user uses ${name}, which no question has")
        if unknown := sorted(set(self.optional) - set(self.input_names)):
            raise ValueError(f"optional has {unknown}, which user does not use")
        return self

    @model_validator(mode="after")
    def _check_exemplars(self) -> Self:
        if bool(self.exemplars) != (self.assistant is not None):
            raise ValueError(
                "assistant and exemplars go together: give both or neither"
            )
        for exemplar in self.exemplars:
            exemplar.check_kind(self.kind)
        return self


def _check_text(
    field: str, text: str, needed: set[str], optional: Set[str] = frozenset()
) -> None:
    """Raise ValueError unless `text` uses every variable of `needed` and no unknown one."""
    if not Text(text).is_valid():
        raise ValueError(f"{field} has a lone $; write $name, or $$ for a dollar sign")
    used = set(Text(text).get_identifiers())
    if missing := sorted(needed - used):
        names = ", ".join(f"${name}" for name in missing)
        raise ValueError(f"{field} does not use {names}")
    # Any other name in the user turn is that of an input.
    known = needed | optional | ({ALL_INPUTS} if field == "user" else set())
    reserved = RESERVED_INPUT_NAMES if field == "user" else used
    if unknown := sorted((used & reserved) - known):
        names = ", ".join(f"${name}" for name in unknown)
        raise ValueError(f"{field} uses {names}, which no question has")


def render_messages(template: Template, question: Question) -> tuple[Message, ...]:
    """Return the chat for one question: system turn, exemplars, the question.

    Raises DataError if the template shows the target and the question has none.
    """
    if template.shows_target and question.target is None:
        raise DataError(
            f"question {short_repr(question.id)} has no target, and template {template.ref} "
            "shows it. Use a split with targets, or --mode elicit."
        )
    given = {one.name for one in question.inputs}
    for name in template.needed_inputs:
        if name not in given:
            raise DataError(
                f"question {short_repr(question.id)} has no input {name!r}, and template "
                f"{template.ref} shows it. Map a column to it (--map {name}=COLUMN), or "
                "use another --template."
            )
    user = template.render_user_turn(
        question.text, question.choices, question.target, question.inputs
    )
    turns = (*template.opening, Message(role="user", content=user))
    if template.follow_up is not None:
        return (*turns, *_attempt_turns(template.follow_up, template, question))
    if template.reply_start is None:
        return turns
    start = template.render_reply_start(question.target)
    return (*turns, Message(role="assistant", content=start))


def _attempt_turns(
    follow_up: str, template: Template, question: Question
) -> tuple[Message, Message]:
    """Return the attempt at a question as a reply, and what follows it."""
    attempt = question.input_texts.get(ATTEMPT)
    if attempt is None:
        raise DataError(
            f"question {short_repr(question.id)} has no attempt, and template "
            f"{template.ref} asks to evaluate one. Pass --attempts."
        )
    return (
        Message(role="assistant", content=attempt.strip()),
        Message(role="user", content=Text(follow_up).substitute()),
    )


def parse_template(text: str, where: str) -> Template:
    """Parse a template from YAML text.

    An empty system turn is none: some models refuse one, and it says nothing. Raises
    ConfigError, which starts with `where`, if it is invalid.
    """
    template = parse_yaml_record(text, where, Template, "template")
    return template.replace(system=None) if template.system == "" else template


@cache
def builtin_templates() -> dict[str, Template]:
    """Return the templates that ship with cotbuild by name@version, sorted by name."""
    return load_builtin("cotbuild.prompts", "templates", parse_template)


def load_template(ref: str) -> Template:
    """Load a template by name@version, by name (its newest version), or from a file.

    Raises ConfigError if there is none, or a .yaml file is invalid.
    """
    return load_by_ref(ref, builtin_templates(), parse_template, "template")
