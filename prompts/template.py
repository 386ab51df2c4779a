"""Templates: YAML files that say how a question is put to a teacher.

A template is known as name@version and checked as it is read. Pure, but for reading
the files.
"""

import json
import re
from collections.abc import Iterable, Set
from functools import cache, cached_property
from string import Template as Text
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cotbuild.prompts.versioned import load_builtin, load_by_ref, parse_yaml_record
from cotbuild.schemas.answers.line_heads import find_form_heads
from cotbuild.schemas.completion import Message
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.record import Record, short_repr

DEFAULTS = {kind: f"{kind.value}_few_shot@1" for kind in QuestionKind}
"""The template of each kind of question, unless the user names one."""
HINTED_DEFAULTS = {kind: f"{kind.value}_rationalize@1" for kind in QuestionKind}
"""The same for requests that show the target."""

ASK_JSON = 'Reply in JSON, as {"rationale": "…", "answer": "…"}.'
ASK_JSON_FIRST = 'Reply in JSON, as {"answer": "…", "rationale": "…"}.'
_JSON_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Exemplar(Record):
    """A worked example inside a prompt."""

    question: str = Field(min_length=1, description="Its question.")
    choices: tuple[str, ...] = Field(
        default=(), description="Its options; lettered A, B, … when shown."
    )
    answer: str = Field(
        min_length=1, description="Its answer: a letter, yes or no, a number, or text."
    )
    rationale: str = Field(min_length=1, description="Its reasoning.")

    @property
    def lettered_choices(self) -> tuple[Choice, ...]:
        """Its options, labelled A, B, …."""
        return tuple(
            Choice(label=chr(ord("A") + i), text=text)
            for i, text in enumerate(self.choices)
        )

    @property
    def choice_texts(self) -> dict[str, str]:
        """The text of each option, by its letter."""
        return {choice.label: choice.text for choice in self.lettered_choices}


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
        "$target shows the target, for choice its letter, and $target_text its text."
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
        """Whether the user turn tells the teacher the target."""
        return not {"target", "target_text"}.isdisjoint(self._user.get_identifiers())

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
            user = self.render_user_turn(
                exemplar.question, exemplar.lettered_choices, exemplar.answer
            )
            turns.append(Message(role="user", content=user))
            reply = self._render_reply(exemplar)
            turns.append(Message(role="assistant", content=reply))
        return tuple(turns)

    def render_user_turn(
        self, question: str, choices: Iterable[Choice], target: str | None = None
    ) -> str:
        """Return the user turn for one question.

        Values are substituted once: a `$` in them stays a `$`. `target` is needed if
        `shows_target`, else ignored.
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
        turn = self._user.substitute(values)
        if self.reply == "text":
            return turn
        return f"{turn}\n{ASK_JSON if self.answer == 'last' else ASK_JSON_FIRST}"

    def _render_reply(self, exemplar: Exemplar) -> str:
        if self.reply == "json":
            return self._render_json_reply(exemplar)
        values = {"rationale": exemplar.rationale, "answer": exemplar.answer}
        if self.kind is QuestionKind.CHOICE:
            values["answer_text"] = exemplar.choice_texts[exemplar.answer]
        return Text(self.assistant or "").substitute(values)

    def _render_json_reply(self, exemplar: Exemplar) -> str:
        answer: object = exemplar.answer
        is_number = self.kind is QuestionKind.NUMBER
        if is_number and _JSON_NUMBER.fullmatch(exemplar.answer):
            answer = json.loads(exemplar.answer)
        reply = {"rationale": exemplar.rationale, "answer": answer}
        if self.answer == "first":
            reply = {"answer": answer, "rationale": exemplar.rationale}
        # Without spaces, as servers write it under a response format.
        return json.dumps(reply, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def _user(self) -> Text:
        return Text(self.user)

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
        if self.assistant is not None:
            is_choice = self.kind is QuestionKind.CHOICE
            optional = {"answer_text"} if is_choice else set()
            _check_text("assistant", self.assistant, {"rationale", "answer"}, optional)
        return self

    @model_validator(mode="after")
    def _check_exemplars(self) -> Self:
        if bool(self.exemplars) != (self.assistant is not None):
            raise ValueError(
                "assistant and exemplars go together: give both or neither"
            )
        for exemplar in self.exemplars:
            if self.kind is not QuestionKind.CHOICE:
                if exemplar.choices:
                    raise ValueError(
                        f"exemplar {short_repr(exemplar.question)} has choices "
                        f"in a template of kind {self.kind.value}"
                    )
            elif exemplar.answer not in exemplar.choice_texts:
                raise ValueError(
                    f"exemplar {short_repr(exemplar.question)} has answer "
                    f"{short_repr(exemplar.answer)}, "
                    "which is not one of its letters"
                )
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
    if unknown := sorted(used - needed - optional):
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
    user = template.render_user_turn(question.text, question.choices, question.target)
    return (*template.opening, Message(role="user", content=user))


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


def load_templates(
    refs: Iterable[str], system: str | None = None, *, shows_target: bool = False
) -> dict[QuestionKind, Template]:
    """Load the template of each kind of question: those named, else the defaults.

    Of those named, only the ones that show the target are used, or only those that hide
    it. `system` replaces the system turn of all; an empty one removes it. Raises
    ConfigError if two are for the same kind.
    """
    templates: dict[QuestionKind, Template] = {}
    for template in map(load_template, refs):
        if template.shows_target != shows_target:
            continue
        if template.kind in templates:
            raise ConfigError(
                f"templates {templates[template.kind].ref} and {template.ref} "
                f"are both for kind {template.kind.value}. Pass one a kind."
            )
        templates[template.kind] = template
    for kind, ref in (HINTED_DEFAULTS if shows_target else DEFAULTS).items():
        templates.setdefault(kind, load_template(ref))
    if system is None:
        return templates
    return {kind: one.replace(system=system or None) for kind, one in templates.items()}
