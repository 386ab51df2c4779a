"""Profiles: what servers of a kind refuse, ignore or call by another name.

Pure data, and the rules that a build's settings and a profile make together. A profile
that a build has used is never edited, since request keys cover what it changes: a
change is a new version, and build.json names the version.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from pydantic import JsonValue

from cotbuild.schemas.body_edits import check_body_names
from cotbuild.schemas.completion import MAX_SEED, BodyEdits, Sampling

OFF: Mapping[str, object] = MappingProxyType(
    {
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "stop": (),
    }
)
"""The value at which a sampling field changes nothing."""
_DEFAULTS = Sampling()


@dataclass(frozen=True)
class ServerProfile:
    """How requests to servers of one kind differ from those to vLLM."""

    name: str
    version: int
    about: str
    """One line for people."""
    sources: tuple[str, ...]
    """The server's documentation or source that says so."""
    omitted: tuple[str, ...] = ()
    """Fields that are refused, or accepted and ignored."""
    omitted_when_off: tuple[str, ...] = ()
    """Fields that are refused, or do harm, at the value that means off."""
    off_values: Mapping[str, JsonValue] = field(default_factory=dict)
    """Field to the value by which the server knows it as off, if that is another."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Field to the name by which the server knows it."""
    seed_bits: int | None = None
    """Bits of the longest seed that is read whole; None for all that are sent."""

    @property
    def ref(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"


_NOT_OPENAI = ("top_k", "min_p", "repetition_penalty")
"""Fields that OpenAI's API has not."""

PROFILES = (
    ServerProfile(
        name="vllm",
        version=1,
        about="vLLM: every field is sent, as without a profile.",
        sources=(
            "https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html",
        ),
    ),
    ServerProfile(
        name="openai",
        version=1,
        about="OpenAI's API, for models that do not reason.",
        sources=(
            # The fields there are; others are "Unrecognized request argument supplied".
            "https://platform.openai.com/docs/api-reference/chat/create",
            "https://github.com/NVIDIA/garak/issues/748",
            # "[] is too short - 'stop'"
            "https://github.com/sbintuitions/flexeval/pull/188",
        ),
        omitted=_NOT_OPENAI,
        omitted_when_off=("stop",),
        # The API reads 64 bits; some services behind the same API read 31.
        seed_bits=31,
    ),
    ServerProfile(
        name="openai-reasoning",
        version=1,
        about="OpenAI's API, for models that reason (o-series, gpt-5).",
        sources=(
            "https://platform.openai.com/docs/guides/reasoning",
            # temperature, top_p, the penalties and max_tokens are not supported.
            "https://learn.microsoft.com/en-us/azure/ai-services/openai/how-to/reasoning",
            "https://github.com/BerriAI/litellm/blob/main/litellm/llms/openai/chat/"
            "gpt_5_transformation.py",
        ),
        omitted=(
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "stop",
            *_NOT_OPENAI,
        ),
        renamed={"max_tokens": "max_completion_tokens"},
        seed_bits=31,
    ),
    ServerProfile(
        name="litellm",
        version=1,
        about="A LiteLLM proxy: fields that OpenAI's API has.",
        sources=(
            # Other fields are passed on to the provider, which may refuse them.
            "https://docs.litellm.ai/docs/completion/provider_specific_params",
            "https://docs.litellm.ai/docs/completion/input",
        ),
        omitted=_NOT_OPENAI,
        omitted_when_off=("stop",),
        # Gemini, one of the providers, reads 32 bits with a sign.
        seed_bits=31,
    ),
    ServerProfile(
        name="llama.cpp",
        version=1,
        about="llama-server of llama.cpp.",
        sources=(
            "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        ),
        renamed={"repetition_penalty": "repeat_penalty"},
        # A seed has 32 bits, of which 2^32 - 1 means a random one.
        seed_bits=31,
    ),
    ServerProfile(
        name="ollama",
        version=1,
        about="Ollama's OpenAI-compatible API.",
        sources=(
            # ChatCompletionRequest has none of the omitted fields, so they are ignored.
            "https://github.com/ollama/ollama/blob/main/openai/openai.go",
            "https://docs.ollama.com/api/openai-compatibility",
        ),
        omitted=_NOT_OPENAI,
        # An empty list replaces the stop strings that the model comes with.
        omitted_when_off=("stop",),
        seed_bits=31,
    ),
    ServerProfile(
        name="sglang",
        version=1,
        about="SGLang.",
        sources=(
            # "top_k must be -1 (disable) or at least 1, got 0."
            "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/sampling/"
            "sampling_params.py",
            "https://docs.sglang.ai/basic_usage/sampling_params.html",
        ),
        off_values={"top_k": -1},
    ),
    ServerProfile(
        name="tgi",
        version=1,
        about="Text Generation Inference.",
        sources=(
            # top_p must be below 1, top_k at least 1; max_stop_sequences.
            "https://github.com/huggingface/text-generation-inference/blob/main/router/"
            "src/validation.rs",
            # presence_penalty + 2 becomes the repetition penalty.
            "https://github.com/huggingface/text-generation-inference/blob/main/router/"
            "src/lib.rs",
        ),
        omitted=_NOT_OPENAI,
        omitted_when_off=("top_p", "presence_penalty", "stop"),
    ),
)
PROFILE_NAMES = tuple(dict.fromkeys(profile.name for profile in PROFILES))


def find_profile(ref: str) -> ServerProfile:
    """Return a profile by name@version, or the newest one of a name.

    Raises ValueError if there is none.
    """
    matches = [profile for profile in PROFILES if ref in (profile.name, profile.ref)]
    if not matches:
        raise ValueError(
            f"there is no profile {ref!r}; choose from {', '.join(PROFILE_NAMES)}"
        )
    return max(matches, key=lambda profile: profile.version)


# -- the rules of a build --------------------------------------------------------------


@dataclass(frozen=True)
class BodyRules:
    """What a build leaves out of, renames in and adds to the bodies of its requests."""

    omitted: Set[str] = frozenset()
    omitted_when_off: Set[str] = frozenset()
    off_values: Mapping[str, JsonValue] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, JsonValue] = field(default_factory=dict)
    seed_bits: int | None = None
    _known: dict[tuple[Sampling, bool, bool], BodyEdits | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def max_seed(self) -> int:
        """The highest seed that is sent."""
        return MAX_SEED if self.seed_bits is None else 2**self.seed_bits - 1

    @property
    def is_empty(self) -> bool:
        """Whether every request is sent as it is, but for long seeds."""
        return not (
            self.omitted
            or self.omitted_when_off
            or self.off_values
            or self.renamed
            or self.added
        )

    def edits_for(
        self, sampling: Sampling, *, has_seed: bool, has_response_format: bool
    ) -> BodyEdits | None:
        """Return the edits of a request; None if all of it is sent as it is."""
        if self.is_empty:
            return None
        fields = {*Sampling.model_fields}
        if has_seed:
            fields.add("seed")
        if has_response_format:
            fields.add("response_format")
        # A build has few kinds of request, and up to a million of each.
        key = (sampling, has_seed, has_response_format)
        if key not in self._known:
            self._known[key] = self._make_edits(sampling, fields)
        return self._known[key]

    def _make_edits(self, sampling: Sampling, fields: Set[str]) -> BodyEdits | None:
        off = {name for name in OFF if getattr(sampling, name) == OFF[name]}
        replaced = {
            name: value for name, value in self.off_values.items() if name in off
        }
        omitted = {*(fields & self.omitted), *(off & self.omitted_when_off), *replaced}
        edits = BodyEdits(
            omitted=tuple(sorted(omitted)),
            renamed={
                name: self.renamed[name]
                for name in sorted(fields & self.renamed.keys())
                if name not in omitted
            },
            added={**replaced, **self.added},
        )
        return None if edits.is_empty else edits


def resolve_body_rules(
    *,
    profile: str | None,
    omit: tuple[str, ...],
    rename: Mapping[str, str],
    extra_body: Mapping[str, JsonValue],
    seed_bits: int | None,
    sampling: Sampling,
) -> BodyRules:
    """Return the rules of a profile and of explicit settings, which win.

    A field of `sampling` that has not its default was set on purpose, and one renamed to
    itself is meant to be sent: a profile leaves out neither. Raises ValueError where two
    fields would have the same name.
    """
    base = find_profile("vllm" if profile is None else profile)
    own = {*omit, *rename}
    chosen = own | {
        name
        for name in Sampling.model_fields
        if getattr(sampling, name) != getattr(_DEFAULTS, name)
    }
    rules = BodyRules(
        omitted={*omit, *(name for name in base.omitted if name not in chosen)},
        omitted_when_off=frozenset(base.omitted_when_off) - own,
        off_values={
            name: value for name, value in base.off_values.items() if name not in own
        },
        renamed={
            **{name: to for name, to in base.renamed.items() if name not in own},
            **{name: to for name, to in rename.items() if name != to},
        },
        added=dict(extra_body),
        seed_bits=base.seed_bits if seed_bits is None else seed_bits,
    )
    check_body_names(rules.omitted, rules.renamed, rules.added)
    return rules
