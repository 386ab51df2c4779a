"""Tokens: shown once, kept as digests, and current from the next request on."""

import json
import stat
from pathlib import Path

import pytest

from cotbuild.builder.service.folders import make_private_folder
from cotbuild.builder.service.tokens import TOKEN_PREFIX, TokenStore
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.service.principal import LOCAL, Principal, Role
from cotbuild.schemas.service.tokens import NewToken


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    make_private_folder(tmp_path / ".service")
    return TokenStore(tmp_path / ".service" / "tokens.json")


def test_a_token_is_found_and_never_stored(store: TokenStore) -> None:
    made = store.add(NewToken(name="alice", role=Role.RUNNER))
    assert made.token.startswith(TOKEN_PREFIX)
    assert store.find(made.token) == Principal(name="alice", role=Role.RUNNER)
    assert made.token not in store.path.read_text()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.path.parent.glob("*.json*")] == ["tokens.json"]


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "cot_", "x" * 43, "x" * 10_000, "cot_\udce4", "Bearer", "\x00"],
)
def test_another_text_is_nobody(store: TokenStore, wrong: str) -> None:
    made = store.add(NewToken(name="alice", role=Role.ADMIN))
    for text in (wrong, made.token + wrong, made.token[:-1], made.token.lower()):
        if text != made.token:
            assert store.find(text) is None


def test_another_process_sees_a_token_come_and_go(store: TokenStore) -> None:
    gone: list[str] = []
    running = TokenStore(store.path, gone.append)
    made = store.add(NewToken(name="bob", role=Role.VIEWER))
    assert running.find(made.token) == Principal(name="bob", role=Role.VIEWER)
    store.remove("bob")
    assert running.find(made.token) is None
    assert gone == ["bob"]


def test_a_token_made_again_is_another_one(store: TokenStore) -> None:
    gone: list[str] = []
    running = TokenStore(store.path, gone.append)
    first = store.add(NewToken(name="bob", role=Role.RUNNER))
    running.entries()
    store.remove("bob")
    second = store.add(NewToken(name="bob", role=Role.RUNNER))
    assert running.find(first.token) is None
    assert running.find(second.token) is not None
    assert gone == ["bob"]


def test_names_are_unique_and_local_is_reserved(store: TokenStore) -> None:
    store.add(NewToken(name="alice", role=Role.RUNNER))
    with pytest.raises(ConfigError, match="'alice' is there already"):
        store.add(NewToken(name="alice", role=Role.ADMIN))
    with pytest.raises(ConfigError, match="'local' is the name of sessions"):
        store.add(NewToken(name=LOCAL, role=Role.ADMIN))
    with pytest.raises(ConfigError, match="'bob': there is none"):
        store.remove("bob")
    assert [view.name for view in store.views()] == ["alice"]


@pytest.mark.parametrize("name", ["", "Alice", "../x", "a/b", "a b", "a\n", ".a", "é"])
def test_a_name_that_is_no_owner_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        NewToken.parse({"name": name, "role": "runner"}, "token", ConfigError)


def test_variables_of_hub_tokens_follow_the_file(store: TokenStore) -> None:
    variables = store.hub_variables
    assert dict(variables) == {}
    store.add(NewToken(name="alice", role=Role.RUNNER, hub_token_env="ALICE_HF"))
    store.add(NewToken(name="bob", role=Role.RUNNER))
    assert dict(variables) == {"alice": "ALICE_HF"}
    assert "bob" not in variables


def test_views_hold_no_digest(store: TokenStore) -> None:
    store.add(NewToken(name="alice", role=Role.RUNNER))
    (entry,) = store.entries()
    assert entry.sha256 not in json.dumps([view.model_dump() for view in store.views()])
    assert entry.sha256 not in repr(entry)


def test_a_damaged_file_lets_nobody_in(store: TokenStore) -> None:
    made = store.add(NewToken(name="alice", role=Role.RUNNER))
    store.path.write_text("{")
    with pytest.raises(StoreError, match=r"tokens\.json: not JSON"):
        store.find(made.token)
