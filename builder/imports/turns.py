"""Find the question and the reply in conversations: lists of turns with a role."""

from collections.abc import Mapping
from typing import Any

from cotbuild.builder.imports.shapes import Shape, is_object, is_text
from cotbuild.builder.imports.values import USER_ROLES

REPLY_ROLES = ("assistant", "gpt", "model", "chatgpt", "bot", "bing", "bard")
REASONING_NAMES = ("reasoning_content", "reasoning", "thinking")
MAX_TURNS = 1000
"""Turns of a conversation that are looked at for their roles."""


def find_conversation(
    shape: Shape, *, role: str, content: str
) -> dict[str, str] | None:
    """Return the paths of the question and the reply in the turns of a column.

    The question is the last turn of the user, and the reply the last turn of all, so
    that a conversation without a reply has no text. None where no column holds turns
    with the fields `role` and `content`, or more than one does.
    """
    roles = {name: _roles(shape, name, role, content) for name in shape.columns}
    with_user = [name for name, found in roles.items() if found & set(USER_ROLES)]
    with_reply = [name for name, found in roles.items() if found & set(REPLY_ROLES)]
    if len(with_reply) != 1 or len(with_user) != 1:
        return None
    user_column, reply_column = with_user[0], with_reply[0]
    users = _alternatives(USER_ROLES, roles[user_column])
    repliers = _alternatives(REPLY_ROLES, roles[reply_column])
    reply = f"{reply_column}.-1[{role}={repliers}]"
    columns = {
        "question": f"{user_column}[{role}={users}].-1.{content}",
        "text": f"{reply}.{content}",
    }
    if not shape.has(reply, is_object):
        return None  # few conversations end with a reply
    reasoning = _find_reasoning(shape, reply, content)
    return {**columns, "reasoning": reasoning} if reasoning else columns


def _roles(shape: Shape, column: str, role: str, content: str) -> set[str]:
    """Return the roles of the turns in a column; empty if most rows hold none."""
    if not shape.has(column, lambda value: _is_turns(value, role, content)):
        return set()
    return {
        str(turn.get(role))
        for turns in shape.values(column)
        if isinstance(turns, list | tuple)
        for turn in turns[:MAX_TURNS]
        if isinstance(turn, Mapping)
    }


def _is_turns(value: Any, role: str, content: str) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(
        isinstance(turn, Mapping) and isinstance(turn.get(role), str)
        for turn in value[:MAX_TURNS]
    ) and any(content in turn for turn in value[:MAX_TURNS])


def _alternatives(names: tuple[str, ...], found: set[str]) -> str:
    return "|".join(name for name in names if name in found)


def _find_reasoning(shape: Shape, reply: str, content: str) -> str:
    """Return the path of the reasoning of a reply; "" if there is none."""
    for name in REASONING_NAMES:
        if shape.has_any(f"{reply}.{name}", is_text):
            return f"{reply}.{name}"
    for name in ("thinking", "reasoning"):
        parts = f"{reply}.{content}[type={name}]"
        if shape.has_any(f"{parts}.0", is_object):
            return f"{parts}.*.{name}"
    return ""


def count_earlier_turns(shape: Shape, question: str) -> int:
    """Return how many of the first rows hold more turns of the user than the last."""
    turns, last, _ = question.rpartition("].-1.")
    if not last:
        return 0
    return sum(
        isinstance(value, list | tuple) and len(value) > 1
        for value in shape.values(f"{turns}]")
    )
