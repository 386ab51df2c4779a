"""What to do about a request that a server rejected, read from the server's words.

Pure. Every advice names options of `cotbuild generate` that change the request.
"""

import re

from cotbuild.schemas.completion import Sampling

PROFILES_HINT = (
    "or name the server with --profile, which knows what each kind of server accepts"
)

_TOO_LONG = re.compile(
    r"context (?:length|window|size)|maximum context|n_ctx"
    r"|(?:prompt|input|request)\b.{0,40}(?:too long|too large|exceeds)"
    r"|too many tokens|maximum.{0,20}\btokens\b|reduce the length"
    r"|max_(?:completion_|new_)?tokens\b.{0,60}"
    r"(?:too large|too big|at most|exceed|valid range|less than or equal)",
    re.IGNORECASE,
)
_REFUSED = (
    r"(?:(?:not|n't|un) ?(?:be )?(?:support|allow|permit|enabl|accept|recogni)"
    r"|not one of|invalid|unknown|unexpected)"
)
_SYSTEM_TURN = (
    r"(?:['\"`]system['\"`]|\bsystem (?:role|message|prompt|instruction|turn)"
    r"|\brole:? system\b)"
)
_NO_SYSTEM_TURN = re.compile(
    rf"{_SYSTEM_TURN}.{{0,60}}{_REFUSED}|{_REFUSED}.{{0,60}}{_SYSTEM_TURN}"
    r"|only (?:the )?user\b.{0,40}\broles?\b|roles must alternate"
    r"|should be 'user' or 'assistant'|developer instruction is not enabled",
    re.IGNORECASE,
)
_TAKES_SYSTEM_TURN = re.compile(r"optional system (?:message|prompt)", re.IGNORECASE)
_NO_CONTINUATION = re.compile(r"continue_final_message|add_generation_prompt")
_REFUSAL = re.compile(
    r"unrecogni[sz]ed|unknown|unsupported|unexpected|invalid|forbidden|deprecated"
    r"|(?:not|n't) (?:be )?(?:support|permit|allow|accept|recogni)|no longer"
    r"|must|should|ensure|too (?:short|long|large|small|big)|out of range|at most"
    r"|(?:greater|less|more|fewer) than|cannot|can't|incompatible|range",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    r"expected one of|did you mean|\b(?:supported|allowed|valid|accepted|available) "
    r"(?:param|field|argument|propert|key)",
    re.IGNORECASE,
)
"""Where a list begins of the fields that the server would accept."""
_OTHER_NAME = re.compile(
    r"(?:use|did you mean)\s+['\"`]?([A-Za-z][A-Za-z0-9_]{1,63})['\"`]?", re.IGNORECASE
)
_OUT_OF_RANGE = re.compile(
    r"2147483647|4294967295|int32|32.bit|range|too (?:large|big)|(?:less|greater) than"
    r"|at most|maximum|overflow|2\*\*|2\^",
    re.IGNORECASE,
)
_OPTIONS_FOR_OTHERS = {
    "response_format": "--set teacher.omit=[response_format]",
    "max_completion_tokens": "--set teacher.rename.max_tokens=max_tokens",
    "repeat_penalty": "--set sampling.repetition_penalty=off",
}
"""Options for fields, also for names under which a profile sends one."""
_FIELD = re.compile(
    rf"(?<![A-Za-z0-9_])({'|'.join([*Sampling.model_fields, 'seed', *_OPTIONS_FOR_OTHERS])})"
    r"(?![A-Za-z0-9_])"
)


def advise_on_rejection(message: str) -> str | None:
    """Return what to do about a rejected request; None if its words do not tell.

    Args:
        message: The server's words on one line, as a Failure keeps them.
    """
    if _TOO_LONG.search(message):
        return (
            "Lower --max-tokens, raise the server's context length (vLLM: "
            "--max-model-len), or leave the longest questions out."
        )
    if _NO_SYSTEM_TURN.search(message) and not _TAKES_SYSTEM_TURN.search(message):
        return "The model takes no system turn. Add --no-system to send none."
    if _NO_CONTINUATION.search(message):
        return (
            "The server does not continue a reply that it is given the beginning of. Use "
            "vLLM or SGLang, or a --template without reply_start."
        )
    if _REFUSAL.search(message):
        return _advise_on_fields(message)
    return None


def _advise_on_fields(message: str) -> str | None:
    """Return the options that change the fields which the message names, if any."""
    refused = _ALTERNATIVES.split(message, maxsplit=1)[0]
    refused = _OTHER_NAME.split(refused, maxsplit=1)[0]
    fields = list(dict.fromkeys(_FIELD.findall(refused)))
    if not fields:
        return None
    options = [_option_for(field, message) for field in fields]
    return f"Add {' '.join(options)} to change what is sent, {PROFILES_HINT}."


def _option_for(field: str, message: str) -> str:
    """Return the option that leaves a field out, renames it or narrows its range."""
    other = _OTHER_NAME.search(message)
    if other is not None and other[1] != field and field in Sampling.model_fields:
        return f"--set teacher.rename.{field}={other[1]}"
    if field == "seed":
        is_too_large = _OUT_OF_RANGE.search(message) is not None
        return "--set teacher.seed_bits=31" if is_too_large else "--set seed=off"
    return _OPTIONS_FOR_OTHERS.get(field) or f"--set sampling.{field}=off"
