"""Object stores on this machine for tests: real servers in processes of their own.

moto is an S3 that honours every condition; localbucket is an adversary, which ignores
If-Match, keeps no metadata and cannot delete in bulk; Azurite is an Azure.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from cotbuild.builder.cloud.client import Limits
from tests.support.http_teacher import free_port
from tests.support.waiting import HANG_S, wait_until

BUCKET = "bucket"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYSECRETKEY"
"""A secret key that must show nowhere."""
QUICK = Limits(connect_s=5.0, read_s=20.0, request_s=60.0, tries=4, pause_s=0.01)
"""Short pauses, for tests with faults."""
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The account and key that Azurite documents; they open nothing else."""

AZURITE = os.environ.get("COTBUILD_AZURITE") or shutil.which("azurite-blob")
"""Its program, from npm; tests of Azure run where there is one."""


class ObjectServer(NamedTuple):
    """A running server with one bucket."""

    name: str
    scheme: str
    port: int
    environment: Mapping[str, str]
    """The variables with which obstore finds it."""

    def through(self, port: int) -> dict[str, str]:
        """Return the variables with which it is reached through a proxy on a port."""
        old, new = f"127.0.0.1:{self.port}", f"127.0.0.1:{port}"
        return {
            name: value.replace(old, new) for name, value in self.environment.items()
        }


@contextlib.contextmanager
def run_moto() -> Iterator[ObjectServer]:
    """Run moto's server."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with _run(words, port):
        _create_s3_bucket(port)
        yield ObjectServer("moto", "s3", port, _s3_environment(port))


@contextlib.contextmanager
def run_localbucket() -> Iterator[ObjectServer]:
    """Run localbucket's server on a temporary folder."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "localbucket", folder, "--port", str(port)]
        with _run(words, port):
            _create_s3_bucket(port)
            yield ObjectServer("localbucket", "s3", port, _s3_environment(port))


@contextlib.contextmanager
def run_azurite() -> Iterator[ObjectServer]:
    """Run Azurite's blob server."""
    assert AZURITE is not None
    port = free_port()
    words = [AZURITE, "--inMemoryPersistence", "--disableTelemetry"]
    words += ["--skipApiVersionCheck", "--blobPort", str(port)]
    with _run(words, port):
        _create_azure_container(port)
        environment = {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }
        yield ObjectServer("azurite", "az", port, environment)


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[ObjectServer]]] = {
    "moto": run_moto,
    "localbucket": run_localbucket,
    **({"azurite": run_azurite} if AZURITE else {}),
}


def _s3_environment(port: int) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }


@contextlib.contextmanager
def _run(words: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(port),
            f"{words[:3]} does not answer",
        )
        assert process.poll() is None, f"{words} ended with {process.returncode}"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(HANG_S)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=HANG_S).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _create_s3_bucket(port: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request, timeout=HANG_S).close()


def _create_azure_container(port: int) -> None:
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    version = "2021-08-06"
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    text = f"PUT{12 * chr(10)}x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    mac = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256)
    signature = base64.b64encode(mac.digest()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}/{BUCKET}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
        },
    )
    urllib.request.urlopen(request, timeout=HANG_S).close()
