"""Templates: files that say how a question is put to a teacher, as name@version,
checked when they are read.
"""

import json
import re
from collections.abc import Iterable
from functools import cache, cached_property
from string import Template as Text
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cotbuild.prompts.versioned import find_declared, parse_declared, shipped
from cotbuild.schemas.completion import Message
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Choice, QuestionKind
from cotbuild.schemas.record import Record

DEFAULTS = {kind: f"{kind.value}_few_shot@1" for kind in QuestionKind}
"""The template of each kind where the user names none."""
HINTED_DEFAULTS = {kind: f"{kind.value}_rationalize@1" for kind in QuestionKind}
"""The same, of those that show the target."""

ASK_JSON = 'Reply in JSON, as {"rationale": "…", "answer": "…"}.'
ASK_JSON_FIRST = 'Reply in JSON, as {"answer": "…", "rationale": "…"}.'


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
    def lettered(self) -> tuple[Choice, ...]:
        return tuple(
            Choice(label=chr(ord("A") + i), text=text)
            for i, text in enumerate(self.choices)
        )


class Template(Record):
    """One version of one way of asking.

    Never edited once something was built with it: a change is a new version.
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
        description="User turn, of the exemplars too. $question, for choice $choices; $target shows the target, for "
        "choice its letter, and $target_text its text."
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
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that reaches a teacher, and of what extraction is told."""
        # Left out at its default, so that templates of before the field keep their
        # fingerprint.
        unsaid = {"about", "reply"} if self.reply == "text" else {"about"}
        return digest("template/1", self.model_dump(mode="json", exclude=unsaid))

    @cached_property
    def shows_target(self) -> bool:
        """Whether the user turn tells the teacher the target."""
        return not {"target", "target_text"}.isdisjoint(self._user.get_identifiers())

    def changed(self, **changes: Any) -> Self:
        """The same template but for some fields, checked anew. Raises ValueError."""
        # Not model_copy: it would carry the cached opening and fingerprint of the old
        # fields along.
        return type(self)(
            **{
                **{name: getattr(self, name) for name in type(self).model_fields},
                **changes,
            }
        )

    @cached_property
    def opening(self) -> tuple[Message, ...]:
        """System turn and exemplars: the messages every question of this template
        starts with.
        """
        turns = (
            [] if self.system is None else [Message(role="system", content=self.system)]
        )
        for exemplar in self.exemplars:
            asked = self.ask(exemplar.question, exemplar.lettered, exemplar.answer)
            turns.append(Message(role="user", content=asked))
            turns.append(Message(role="assistant", content=self._reply(exemplar)))
        return tuple(turns)

    def ask(
        self, question: str, choices: Iterable[Choice], target: str | None = None
    ) -> str:
        """The user turn for one question. Values are put in once: a `$` in them stays a
        `$`.

        `target` is needed where `shows_target`, and looked at nowhere else.
        """
        values = {"question": question}
        if self.kind is QuestionKind.CHOICE:
            choices = tuple(choices)
            line = self._choice_line
            values["choices"] = "\n".join(
                line.substitute(label=choice.label, text=choice.text)
                for choice in choices
            )
        if self.shows_target:
            assert target is not None
            values |= {
                "target": target,
                "target_text": {c.label: c.text for c in choices}.get(target, target),
            }
        asked = self._user.substitute(values)
        if self.reply == "text":
            return asked
        return f"{asked}\n{ASK_JSON if self.answer == 'last' else ASK_JSON_FIRST}"

    def _reply(self, exemplar: Exemplar) -> str:
        values = {"rationale": exemplar.rationale, "answer": exemplar.answer}
        if self.reply == "json":
            names = (
                ("rationale", "answer")
                if self.answer == "last"
                else ("answer", "rationale")
            )
            shown: dict[str, object] = {name: values[name] for name in names}
            if self.kind is QuestionKind.NUMBER and re.fullmatch(
                r"-?\d+(\.\d+)?", exemplar.answer
            ):
                shown["answer"] = json.loads(exemplar.answer)
            # Without spaces, as a server writes it that is told to waste no tokens on
            # them.
            return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        if self.kind is QuestionKind.CHOICE:
            values["answer_text"] = {c.label: c.text for c in exemplar.lettered}[
                exemplar.answer
            ]
        return Text(self.assistant or "").substitute(values)

    @cached_property
    def _user(self) -> Text:
        return Text(self.user)

    @cached_property
    def _choice_line(self) -> Text:
        return Text(self.choice_line)

    @model_validator(mode="after")
    def _variables_fit(self) -> Self:
        is_choice = self.kind is QuestionKind.CHOICE
        shown = {"target", "target_text"} if is_choice else {"target"}
        _need(
            "user",
            self.user,
            {"question", "choices"} if is_choice else {"question"},
            shown,
        )
        if is_choice:
            _need("choice_line", self.choice_line, {"label", "text"})
        if self.assistant is not None:
            _need(
                "assistant",
                self.assistant,
                {"rationale", "answer"},
                {"answer_text"} if is_choice else set(),
            )
        if bool(self.exemplars) != (self.assistant is not None):
            raise ValueError(
                "assistant and exemplars go together: expected both or neither"
            )
        for exemplar in self.exemplars:
            if is_choice and exemplar.answer not in {
                c.label for c in exemplar.lettered
            }:
                raise ValueError(
                    f"exemplar {exemplar.question!r} has answer {exemplar.answer!r}, not one of its letters"
                )
            if not is_choice and exemplar.choices:
                raise ValueError(
                    f"exemplar {exemplar.question!r} has choices in a template of kind {self.kind.value}"
                )
        return self


def _need(
    field: str, text: str, needed: set[str], allowed: set[str] | None = None
) -> None:
    """Raise ValueError unless `text` is a valid template that uses each variable it is
    given, and no other.
    """
    if not Text(text).is_valid():
        raise ValueError(
            f"{field} has a lone $; expected $name, or $$ for a dollar sign"
        )
    used = set(Text(text).get_identifiers())
    if missing := sorted(needed - used):
        raise ValueError(
            f"{field} does not use {', '.join('$' + name for name in missing)}"
        )
    if unknown := sorted(used - needed - (allowed or set())):
        raise ValueError(
            f"{field} uses {', '.join('$' + name for name in unknown)}, which no question has"
        )


def parse_template(text: str, where: str) -> Template:
    """A template from YAML text.

    Raises ConfigError, with `where` in it, on any fault.
    """
    return parse_declared(text, where, Template, "template")


@cache
def builtin_templates() -> dict[str, Template]:
    """Every template that ships with cotbuild, by name@version, in the order of their
    names.
    """
    return shipped("cotbuild.prompts", "templates", parse_template)


def load_template(ref: str) -> Template:
    """A built-in template by name@version or name, or one from a .yaml file; see
    `find_declared`.
    """
    return find_declared(ref, builtin_templates(), parse_template, "template")


def load_templates(
    refs: Iterable[str], system: str | None = None, *, shows_target: bool = False
) -> dict[QuestionKind, Template]:
    """The template of each kind: those named, defaults for the rest, under `system`
    where it is given.

    Of those named only the ones that show the target count, or only those that hide it.
    Raises ConfigError where two are for one kind.
    """
    chosen: dict[QuestionKind, Template] = {}
    for template in map(load_template, refs):
        if template.shows_target != shows_target:
            continue
        if template.kind in chosen:
            both = f"{chosen[template.kind].ref} and {template.ref}"
            raise ConfigError(
                f"templates {both} are both for kind {template.kind.value}. Expected one a kind."
            )
        chosen[template.kind] = template
    for kind, ref in (HINTED_DEFAULTS if shows_target else DEFAULTS).items():
        chosen.setdefault(kind, load_template(ref))
    if system is None:
        return chosen
    return {kind: template.changed(system=system) for kind, template in chosen.items()}
