"""The client of a service."""

from cotbuild.builder.client.client import Client
from cotbuild.builder.client.remote_build import RemoteBuild
from cotbuild.builder.client.remote_job import RemoteJob

__all__ = ["Client", "RemoteBuild", "RemoteJob"]
