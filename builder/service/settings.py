"""Settings of `cotbuild serve`, and the folders of a service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cotbuild.schemas.errors import ConfigError

SERVICE_FOLDER = ".service"
"""Folder under the root that holds what is not a build: jobs, tokens, uploads."""
DEFAULT_PORT = 8787


@dataclass(frozen=True)
class ServiceSettings:
    """Where a service keeps its data, what it listens on, and what it allows."""

    root: Path
    """Folder of builds, runs, evaluations and studies; an absolute path."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 lets the system choose one."""
    database: str | None = None
    """URL of the job table: `postgresql://…`; None for SQLite under the root."""
    max_jobs: int = 2
    """Jobs that run at once on this machine."""
    allow_endpoints: tuple[str, ...] = ()
    """Patterns of teachers' URLs that requests may name, such as https://llm.lan/*."""
    allow_sources: tuple[Path, ...] = ()
    """Folders whose files requests may name as sources; absolute paths."""
    allow_repos: tuple[str, ...] = ()
    """Patterns of ORG/NAME that jobs may publish to."""
    secret_variables: tuple[str, ...] = ()
    """Environment variables whose values requests may use, by name alone."""
    hub_tokens: Mapping[str, str] = field(default_factory=dict)
    """Owner of jobs to the environment variable with the Hub token for publishing."""
    fetch_images: bool = False
    """Whether jobs may fetch the pictures that questions name by their addresses."""
    keep_teacher_s: float = 600.0
    """Seconds that a managed teacher stays up after its last job."""
    behind_proxy: bool = False
    """Whether a proxy in front ends TLS and sets X-Forwarded-Proto."""
    public_hosts: tuple[str, ...] = ()
    """Host names that requests may name besides the address listened on."""

    @property
    def folder(self) -> Path:
        """The folder of the service itself, readable by its user alone."""
        return self.root / SERVICE_FOLDER

    @property
    def files_folder(self) -> Path:
        """Uploaded files, each named by its SHA-256."""
        return self.folder / "files"

    @property
    def jobs_folder(self) -> Path:
        """One folder a job, named by its id."""
        return self.folder / "jobs"

    @property
    def tokens_file(self) -> Path:
        """Names, roles and digests of tokens."""
        return self.folder / "tokens.json"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    def target(self, name: str) -> Path:
        """Return the folder of a build, run, evaluation or study by its name."""
        return self.root / name


def is_loopback(host: str) -> bool:
    """Whether an address or `localhost` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_bind(text: str) -> tuple[str, int]:
    """Parse HOST:PORT, `[::1]:8787`, or a host alone; raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(
            f"--bind {text!r} is not HOST:PORT, such as 127.0.0.1:{DEFAULT_PORT}."
        )
    return host, int(port)
