"""Children get no secrets, and libraries are told to send no telemetry."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cotbuild.builder.environment import (
    HUB_TOKENS,
    TELEMETRY_OFF,
    child_environment,
    hub_is_offline,
    is_secret,
)

ROOT = Path(__file__).parents[2]
SECRETS = {
    **dict.fromkeys(sorted(HUB_TOKENS), "hf_abc"),
    "OPENAI_API_KEY": "sk-abc",
    "ANTHROPIC_API_KEY": "x",
    "OPENAI_APIKEY": "x",
    "vllm_api_key": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_PROFILE": "work",
    "AZURE_CLIENT_SECRET": "x",
    "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json",
    "GH_TOKEN": "x",
    "GITHUBTOKEN": "x",
    "WANDB_API_KEY": "x",
    "PGPASSWORD": "12345",
    "MYSQL_PWD": "12345",
    "DB_PASS": "1234567",
    "CI_JOB_JWT": "x",
    "SSH_AUTH_SOCK": "/tmp/ssh/agent",
    "XAUTHORITY": "/home/me/.Xauthority",
    "SENTRY_DSN": "https://key@host/1",
    "SLACK_WEBHOOK_URL": "https://hooks.example/T0/B0/x",
    # By their values.
    "DATABASE_URL": "postgres://me:secret@host/db",
    "https_proxy": "http://me:secret@proxy:3128",
    "EXTRA_HEADERS": "Authorization: Bearer abcdefghijklmnop",
    "MY_VARIABLE": "sk-proj-abcdefghijklmnop",
    "OTHER": '{"token": "ghp_abcdefghijklmnop"}',
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nabc",
}
NEEDED = {
    "PATH": "/opt/hf_transformers_environment/bin:/usr/bin",
    "PWD": "/work",
    "OLDPWD": "/",
    "HOME": "/home/me",
    "PYTHONPATH": "/work",
    "HF_HOME": "/data/hf",
    "HF_ENDPOINT": "https://hub.example",
    "CUDA_VISIBLE_DEVICES": "0,1",
    "OMP_NUM_THREADS": "2",
    "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_MAX_BAD_WORDS_TOTAL_TOKENS": "1000",
    "VLLM_SHARED_EXPERTS_STREAM_TOKEN_THRESHOLD": "256",
    "VLLM_ATTENTION_BACKEND": "TORCH_SDPA",
    "NCCL_SOCKET_IFNAME": "eth0",
    "http_proxy": "http://proxy:3128",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    "LC_ALL": "C.UTF-8",
}


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_a_secret_is_known_by_its_name_or_value(name: str, value: str) -> None:
    assert is_secret(name, value)


@pytest.mark.parametrize(("name", "value"), NEEDED.items())
def test_what_a_server_needs_is_no_secret(name: str, value: str) -> None:
    assert not is_secret(name, value)


def test_a_child_gets_the_hubs_token_only_for_a_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in (SECRETS | NEEDED).items():
        monkeypatch.setenv(name, value)
    assert child_environment() == TELEMETRY_OFF | NEEDED
    downloading = child_environment(downloads=True)
    assert downloading.keys() - child_environment() == {*HUB_TOKENS, "https_proxy"}


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)]
)
def test_offline_is_what_the_hubs_libraries_take_for_it(
    value: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert hub_is_offline() is offline


IMPORTS = """
import sys
{before}
import cotbuild
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY)
"""


@pytest.mark.parametrize(
    ("before", "users", "disabled"),
    [
        ("", None, "True"),
        ("import huggingface_hub.constants", None, "True"),
        ("import huggingface_hub.constants", "0", "False"),
    ],
    ids=["first", "late", "chosen by the user"],
)
def test_importing_cotbuild_switches_telemetry_off(
    before: str, users: str | None, disabled: str
) -> None:
    unset = {*TELEMETRY_OFF, "DISABLE_TELEMETRY"}
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    if users is not None:
        environment |= {"HF_HUB_DISABLE_TELEMETRY": users, "DO_NOT_TRACK": users}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(before=before)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.strip() == disabled


STARTS_CHILDREN = {
    "builder/gpus.py",
    "builder/math_metric.py",
    "builder/processes.py",
    "builder/service/teachers/host_process.py",
    "builder/service/jobs/children.py",  # the environment is that of commands.py
    "builder/service/plans.py",  # the same
    "builder/guard.py",  # passes on what it was given
    "builder/launchers/local.py",
    "builder/launchers/ray.py",  # with the token of the cluster, which it is for
    "builder/launchers/ray_node.py",
    "builder/teachers/vllm/process.py",
}


MODULES = {"subprocess", "multiprocessing", "pty"}
CALLS = {
    *("create_subprocess_exec", "create_subprocess_shell", "ProcessPoolExecutor"),
    *("popen", "fork", "forkpty", "posix_spawn", "execv", "execve", "execvp"),
}


def starts_children(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used = {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                used = {module.partition(".")[0], *(alias.name for alias in names)}
            case ast.Attribute(value=ast.Name(id="os"), attr="system"):
                return True
            case ast.Attribute(attr=attribute):
                used = {attribute}
            case _:
                continue
        if used & (MODULES | CALLS):
            return True
    return False


def test_children_are_started_at_known_places() -> None:
    packages = (ROOT / name for name in ("schemas", "prompts", "builder", "student"))
    found = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in package.rglob("*.py")
        if starts_children(ast.parse(path.read_text()))
    }
    assert found == STARTS_CHILDREN
