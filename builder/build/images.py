"""The pictures that the rows of a build hold: counted, and checked against their names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.build.compare import check_equal
from cotbuild.builder.media import BadImage, MediaStore, media_folder
from cotbuild.builder.media.check import identify_image, read_image_facts
from cotbuild.builder.storage.images import StoredImage
from cotbuild.builder.storage.places import safe_place
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import MediaEntry
from cotbuild.schemas.names import MEDIA
from cotbuild.schemas.question import ImageRef


def image_path(image: ImageRef) -> str:
    """Return the path of a picture in a build or a release."""
    return f"{MEDIA}/{image.file_name}"


def named_images(build: StoredBuild) -> Iterator[ImageRef]:
    """Yield the pictures that the rationales and questions of a build name, repeated ones
    too; raises DataError.
    """
    for config_name in (RATIONALES, QUESTIONS):
        for row in build.read(config_name, columns=["inputs"]):
            for one in row["inputs"]:
                if one["image"] is not None:
                    where = f"{build.folder}/{config_name}"
                    yield ImageRef.parse(one["image"], where)


def has_media_files(build: StoredBuild) -> bool:
    """Whether the folder of pictures has a file for each picture of the rows.

    True if the build has no pictures, False if its rows cannot be read.
    """
    if build.manifest.media is None:
        return True
    store = MediaStore(media_folder(build.folder))
    try:
        return all(map(store.has, named_images(build)))
    except DataError:
        return False


class ImageCounts:
    """The different pictures of rows, as the rows pass by; about 200 bytes each."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._first: ImageRef | None = None

    def __contains__(self, image: ImageRef) -> bool:
        return image.file_name in self._sizes

    def add(self, image: ImageRef, num_bytes: int) -> None:
        """Count a picture of a row, unless an earlier row has it."""
        if self._first is None:
            self._first = image
        self._sizes[image.file_name] = num_bytes

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of each picture by the name of its file, sorted."""
        return dict(sorted(self._sizes.items()))

    def entry(self) -> MediaEntry:
        """Return the counts as a manifest records them."""
        return MediaEntry(
            num_files=len(self._sizes),
            num_bytes=sum(self._sizes.values()),
            digest=digest("media/1", sorted(self._sizes)),
            example=self._first,
        )


class ImageCheck:
    """Checks the pictures in the rows of a build, each different one once.

    Anybody may have written them.
    """

    def __init__(self) -> None:
        self._counts = ImageCounts()

    def check_row(
        self, images: Sequence[ImageRef], stored: Sequence[StoredImage], where: str
    ) -> None:
        """Compare the pictures that a row names with the bytes that it holds.

        `where` names the row. Raises DataError if there are others, or bytes that are
        not the picture described.
        """
        names = [one.path for one in stored]
        expected = [image.file_name for image in images]
        if names != expected:
            raise DataError(
                f"{where}: its pictures are {names!r:.200}, but its inputs name "
                f"{expected!r:.200}. The file was changed; build or download it again."
            )
        for image, found in zip(images, stored, strict=True):
            self._check_image(image, found.data, where)

    def _check_image(self, image: ImageRef, data: bytes, where: str) -> None:
        is_known = image in self._counts
        try:
            found = read_image_facts(data) if is_known else identify_image(data)
        except BadImage as fault:
            raise DataError(
                f"{where}: {image.file_name!r}: {fault}. The file was changed; build or "
                "download it again."
            ) from fault
        check_equal(where, f"picture {image.file_name!r}", found, image)
        self._counts.add(image, len(data))

    def check_entry(self, folder: Path, stated: MediaEntry) -> None:
        """Compare the counts with the manifest; raises DataError if they differ."""
        check_equal(folder, "media", self._counts.entry(), stated)

    def check_files(self, folder: Path) -> None:
        """Check that the folder of pictures of a build has each of them.

        Raises DataError if one is missing or was changed. Others may be there: pictures
        of questions that are not in the build, which a later run may use.
        """
        for name, num_bytes in self._counts.sizes.items():
            check_image_file(folder, name, num_bytes)


def check_image_file(folder: Path, name: str, num_bytes: int | None = None) -> None:
    """Check a file of the folder of pictures by its name, which is its digest.

    Raises DataError if it is missing, or has other bytes or another size.
    """
    path = safe_place(folder, f"{MEDIA}/{name}")
    sha256, _, _ = name.partition(".")
    try:
        is_same = (
            num_bytes in (None, path.stat().st_size) and file_sha256(path) == sha256
        )
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}, but a row has this picture. Delete manifest.json "
            "and run the command that wrote the build again; download a release again."
        ) from error
    if not is_same:
        raise DataError(
            f"{path}: its bytes are not those that its name says. Delete it and "
            "manifest.json, and run the command that wrote the build again; download a "
            "release again."
        )
