"""Whose a name is: who may read it, and who may write it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cotbuild.builder.service.folders import make_private_folder
from cotbuild.builder.service.ownership import TargetOwners
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.service.principal import Principal, Role

ALICE = Principal(name="alice", role=Role.RUNNER)
BOB = Principal(name="bob", role=Role.RUNNER)
VERA = Principal(name="vera", role=Role.VIEWER)
ADA = Principal(name="ada", role=Role.ADMIN)


@pytest.fixture
def owners(tmp_path: Path) -> TargetOwners:
    make_private_folder(tmp_path / ".service")
    return TargetOwners(tmp_path, tmp_path / ".service")


def test_a_name_belongs_to_who_claims_it_first(owners: TargetOwners) -> None:
    owners.claim(ALICE, "mine")
    owners.claim(ALICE, "mine")
    assert owners.owner("mine") == "alice"
    with pytest.raises(ProblemError, match="'mine' is taken") as caught:
        owners.claim(BOB, "mine")
    assert caught.value.status == 409


def test_runners_read_their_own_and_others_read_all(owners: TargetOwners) -> None:
    owners.claim(ALICE, "mine")
    may_read = [owners.may_read(one, "mine") for one in (ALICE, BOB, VERA, ADA)]
    assert may_read == [True, False, True, True]
    with pytest.raises(ProblemError) as caught:
        owners.check_read(BOB, "mine")
    with pytest.raises(ProblemError) as absent:
        owners.check_read(BOB, "absent")
    assert caught.value.status == absent.value.status == 404
    assert str(caught.value).replace("mine", "absent") == str(absent.value)


def test_what_the_command_line_made_is_no_runners(
    owners: TargetOwners, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ProblemError, match="'old' is taken"):
        owners.claim(ALICE, "old")
    owners.claim(ADA, "old")
    assert owners.owner("old") is None
    assert not owners.may_read(ALICE, "old")
    assert owners.may_read(VERA, "old")


def test_an_administrator_takes_no_name_away(owners: TargetOwners) -> None:
    owners.claim(ALICE, "mine")
    owners.claim(ADA, "mine")
    assert owners.owner("mine") == "alice"


def test_of_many_who_claim_at_once_one_wins(owners: TargetOwners) -> None:
    people = [Principal(name=f"p{number}", role=Role.RUNNER) for number in range(8)]

    def claim(principal: Principal) -> bool:
        try:
            owners.claim(principal, "wanted")
        except ProblemError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, people))
    assert won.count(True) == 1
    assert owners.owner("wanted") == f"p{won.index(True)}"
