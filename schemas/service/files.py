"""Uploaded files, and files of builds to download."""

from pydantic import Field

from cotbuild.schemas.record import Record

SHA256 = r"^[0-9a-f]{64}$"


class FileView(Record):
    """An uploaded file."""

    sha256: str = Field(pattern=SHA256, description="SHA-256 of its bytes.")
    num_bytes: int = Field(ge=0, description="Its size.")
    uploaded_at: str = Field(description="Time in UTC, RFC 3339.")


class FilePage(Record):
    """Some uploaded files."""

    files: tuple[FileView, ...] = Field(description="Files of this token, by digest.")
    next: str | None = Field(
        default=None, description="`after` of the next page; None at the end."
    )


class BuildFile(Record):
    """A file of a build."""

    path: str = Field(description="Path in the build, with /.")
    num_bytes: int = Field(ge=0, description="Its size.")
    sha256: str | None = Field(
        default=None,
        description="SHA-256 of its bytes; None: computed when it is read.",
    )
    num_rows: int | None = Field(
        default=None, description="Rows of a parquet file; None for others."
    )
    link: str = Field(description="Path of its address.")
