"""What every launcher must do, whatever starts its workers: `LauncherContract` is
inherited by one test class a launcher, which overrides `open`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.launchers.base import Launcher, WorkerCommand, WorkerExit
from tests.support.waiting import wait_until


def command(name: str, *words: str, **environment: str) -> WorkerCommand:
    """A command of a worker; `words` are the whole command of a test."""
    return WorkerCommand(name, words, environment)


SLEEP = ("sleep", "1000")
FAIL = (
    "sh",
    "-c",
    "echo begun; printf 'error: \\033[31mno such model\\n\\n' >&2; exit 2",
)


def wait_for_exits(launcher: Launcher, number: int) -> dict[str, WorkerExit]:
    """The exits of that many workers, by name."""
    found: dict[str, WorkerExit] = {}

    def poll() -> bool:
        found.update((ended.name, ended) for ended in launcher.poll())
        return len(found) >= number

    wait_until(poll, lambda: f"ended: {sorted(found)}")
    return found


class LauncherContract:
    """The tests; `open` gives a launcher whose commands are whole command lines."""

    @contextmanager
    def open(self, folder: Path) -> Iterator[Launcher]:  # noqa: ARG002
        """Override."""
        raise NotImplementedError
        yield

    def kill(self, launcher: Launcher, folder: Path, names: Sequence[str]) -> None:
        """Override: kill -9 the processes of these workers."""
        raise NotImplementedError

    def test_each_worker_ends_with_its_code_and_its_last_line(
        self, tmp_path: Path
    ) -> None:
        with self.open(tmp_path) as launcher:
            assert not launcher.running
            launcher.launch(command("good", "true"))
            launcher.launch(command("bad", *FAIL))
            exits = wait_for_exits(launcher, 2)
            assert exits["good"].exit_code == 0
            assert exits["bad"] == WorkerExit(
                "bad", 2, r"error: \u001b[31mno such model"
            )
            assert not launcher.running
            assert launcher.poll() == []

    def test_a_killed_worker_is_lost_and_the_others_go_on(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as launcher:
            launcher.launch(command("one", *SLEEP))
            launcher.launch(command("two", *SLEEP))
            self.kill(launcher, tmp_path, ["one"])
            exits = wait_for_exits(launcher, 1)
            assert exits["one"].exit_code is None
            assert exits["one"].message
            assert list(launcher.running) == ["two"]
            launcher.stop()
            assert not launcher.running

    def test_draining_lets_a_worker_finish_and_stopping_ends_what_does_not_listen(
        self, tmp_path: Path
    ) -> None:
        polite, deaf = tmp_path / "polite", tmp_path / "deaf"
        sleep = "while :; do sleep 0.1; done"
        drains = f"trap 'echo drained; exit 4' USR1; touch '{polite}'; {sleep}"
        ignores = f"trap '' USR1 INT; touch '{deaf}'; {sleep}"
        with self.open(tmp_path) as launcher:
            launcher.launch(command("polite", "sh", "-c", drains))
            launcher.launch(command("deaf", "sh", "-c", ignores))
            wait_until(lambda: polite.exists() and deaf.exists())
            launcher.drain()
            exits = wait_for_exits(launcher, 1)
            assert exits["polite"].exit_code == 4
            assert list(launcher.running) == ["deaf"]
            launcher.stop()
            assert not launcher.running

    def test_a_worker_gets_the_secrets_of_its_command_alone(
        self, tmp_path: Path
    ) -> None:
        out = tmp_path / "environment"
        with self.open(tmp_path) as launcher:
            launcher.launch(
                command("a", "sh", "-c", f"env > '{out}'", OPENAI_API_KEY="sk-mine")
            )
            assert wait_for_exits(launcher, 1)["a"].exit_code == 0
        lines = out.read_text().splitlines()
        assert "OPENAI_API_KEY=sk-mine" in lines
        assert not any(line.startswith("HF_TOKEN=") for line in lines)
