"""Settings that change the body of a request: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.cli.args import build_config
from cotbuild.schemas.body_edits import OWNED_FIELDS, names_credential
from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError


def config(**values: Any) -> BuildConfig:
    return BuildConfig.parse(values, "build.yaml", ConfigError)


def test_a_configuration_without_them_is_written_as_before() -> None:
    """build.json and the digest of a build's inputs are those of older versions."""
    assert not config().teacher.body_settings
    written = config().model_dump(mode="json")["teacher"]
    assert not written.keys() & {"profile", "omit", "rename", "extra_body", "seed_bits"}


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"omit": ["foo"]}, "omit names 'foo', which no request has"),
        *(
            ({"omit": [name]}, f"omit names {name!r}, which cotbuild sets itself")
            for name in sorted(OWNED_FIELDS)
        ),
        ({"rename": {"model": "name"}}, "rename names 'model', which cotbuild"),
        ({"rename": {"top_k": "Messages"}}, "'Messages', which cotbuild sets itself"),
        ({"rename": {"top_k": "top_p"}}, "both be sent as 'top_p'"),
        ({"rename": {"top_k": "k", "min_p": "K"}}, "both be sent as 'K'"),
        ({"rename": {"top_k": "a b"}}, "cannot be sent as 'a b'"),
        ({"rename": {"top_k": ""}}, "cannot be sent as ''"),
        ({"rename": {"top_k": "k"}, "omit": ["top_k"]}, "'top_k' is in omit and in"),
        ({"extra_body": {"stream": True}}, "has 'stream', which cotbuild sets itself"),
        ({"extra_body": {"N": 4}}, "has 'N', which cotbuild sets itself"),
        ({"extra_body": {"top_k": 4}}, "top_k is sent under that name already"),
        ({"extra_body": {"": 4}}, "'' is no name of a field"),
        (
            {"rename": {"top_k": "k"}, "extra_body": {"k": 4}},
            "has 'k', but top_k is sent under that name",
        ),
        (
            {"profile": "openai-reasoning", "extra_body": {"max_completion_tokens": 4}},
            "but max_tokens is sent under that name",
        ),
        ({"extra_body": {"a": "x" * 20_000}}, "expected at most 16,384"),
        (
            {"extra_body": {f"a{number}": "x" * 200 for number in range(99)}},
            "bytes of JSON, expected at most 16,384",
        ),
        ({"extra_body": {"a": [[[[[[[[[1]]]]]]]]]}}, "more than 8 deep"),
        ({"extra_body": {"a": 2**63}}, "a is above 2^63 - 1"),
        ({"extra_body": {"a": float("nan")}}, "finite number"),
        ({"extra_body": {"a": {"\ud800": 1}}}, "lone surrogate"),
        ({"extra_body": {"a": "https://example.org"}}, "a holds an address"),
        ({"profile": "vlm"}, "there is no profile 'vlm'; choose from vllm, openai"),
        ({"profile": "openai@99"}, "there is no profile 'openai@99'"),
        ({"seed_bits": 0}, "seed_bits is 0"),
        ({"seed_bits": 54}, "seed_bits is 54"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_one_line(
    teacher: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        config(teacher=teacher)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_longer_request_needs_its_token_limit() -> None:
    with pytest.raises(ConfigError, match="max_tokens is not sent"):
        config(on_length="longer", sampling={"max_tokens": "off"})


SECRET_NAMES = [
    *("api_key", "apiKey", "APIKEY", "x-api-key", "openai_key", "Authorization"),
    *("auth", "token", "access_token", "HF_TOKEN", "password", "client_secret"),
    *("privateKey", "cookie", "bearer", "key", "accesstoken"),
]
PLAIN_NAMES = [
    *("max_tokens", "stop_token_ids", "prompt_cache_key", "min_tokens", "tokenizer"),
    *("thinking_token_budget", "reasoning_effort", "chat_template_kwargs", "monkey"),
    *("author", "guided_json", "include_stop_str_in_output"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_credential_is_refused_by_its_name_at_any_depth(name: str) -> None:
    for added in ({name: "Zx81q"}, {"options": [{name: {"value": "Zx81q"}}]}):
        with pytest.raises(ConfigError, match="looks like a credential") as raised:
            config(teacher={"extra_body": added})
        assert "Zx81q" not in str(raised.value)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_names_are_no_credentials(name: str) -> None:
    assert not names_credential(name)


@pytest.mark.parametrize(
    "value",
    [
        "Bearer abcdefgh12345678",
        "sk-abcdefghijklmnopqrst",
        "hf_abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl",
    ],
)
def test_a_credential_is_refused_by_its_form(value: str) -> None:
    with pytest.raises(ConfigError, match="looks like a credential") as raised:
        config(teacher={"extra_body": {"note": [value]}})
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "omitted"),
    [
        ([], ("top_k", "seed")),
        (["sampling.top_k=20"], ("seed",)),
        (["sampling.top_k=0", "seed=3"], ()),
        (["sampling.top_k=off"], ("seed", "top_k")),
        (["sampling.min_p=off"], ("top_k", "seed", "min_p")),
        (["teacher.omit=[stop]"], ("stop",)),
    ],
)
def test_a_setting_on_the_command_line_sends_a_field_of_the_file_again(
    tmp_path: Path, settings: list[str], omitted: tuple[str, ...]
) -> None:
    file = tmp_path / "build.yaml"
    file.write_text("sampling: {temperature: 1}\nteacher: {omit: [top_k, seed]}\n")
    assert build_config(file, {}, settings).teacher.omit == omitted


def test_yaml_reads_off_as_false() -> None:
    text = "{sampling: {top_k: off, stop: 'off', min_p: no}, seed: off}"
    settings = config(**yaml.safe_load(text))
    assert settings.teacher.omit == ("top_k", "min_p", "stop", "seed")
    assert settings.sampling == Sampling()


@pytest.mark.parametrize("value", [True, None])
@pytest.mark.parametrize("field", ["temperature", "top_k", "stop", "max_tokens"])
def test_other_words_are_no_values_of_a_sampling_field(
    field: str, value: object
) -> None:
    with pytest.raises(ConfigError) as raised:
        config(sampling={field: value})
    assert f"sampling.{field}: {value} is not a value; write one, or off" in str(
        raised.value
    )
