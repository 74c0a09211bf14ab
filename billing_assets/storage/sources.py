"""Event files, wherever they are: a local directory and an object store are listed, hashed and read by the same code.

A file's name is its path relative to the root, with `/`; its arrival is its time of modification. Files that are hidden
or speak of the directory (a name or folder that begins with `.` or `_`, README, LICENSE) are passed over; any other one
whose format is unknown is named in the listing, never skipped in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from obstore.exceptions import BaseError, UnknownConfigurationKeyError
from obstore.store import LocalStore, ObjectStore, from_url

from billing_assets.errors import BillingError, UsageError

READ_BYTES = 8 * 1024 * 1024
HASH = "sha256"


class Fingerprint:
    """The content hash of a file, made while it is read for another purpose."""

    def __init__(self) -> None:
        self._digest = hashlib.new(HASH)

    def update(self, piece: bytes) -> None:
        self._digest.update(piece)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class SourceError(BillingError):
    """The event files cannot be listed or read; the message names the place."""


class Format(StrEnum):
    """How the rows of a file are written, whatever its compression."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class Compression(StrEnum):
    """How a text file is compressed; Parquet compresses inside."""

    NONE = ""
    GZIP = "gz"
    ZSTD = "zst"


_FORMATS = {"jsonl": Format.JSON_LINES, "ndjson": Format.JSON_LINES, "csv": Format.CSV, "parquet": Format.PARQUET}
_COMPRESSIONS = {"gz": Compression.GZIP, "zst": Compression.ZSTD}


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """One event file. `size_bytes` is its size as stored; `etag` the store's tag of its content, where it has one."""

    name: str
    size_bytes: int
    modified: datetime
    format: Format
    compression: Compression
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory holds, in order of name: event files, names that are none by their extension, and links that
    lead to nothing."""

    files: tuple[SourceFile, ...]
    unrecognised: tuple[str, ...]
    broken: tuple[str, ...] = ()


class EventSource:
    """The event files under a directory or an object-store URL (`s3://bucket/events`, `gs://`, `az://`, `file://`).

    `storage_options` are those of Polars and Delta (`AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, ...). Raises SourceError, and
    UsageError where there is no such directory.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root)
        self._store = _open_store(self.root, storage_options or {})

    def listing(self) -> Listing:
        """All files under the root, folders included."""
        try:
            objects = [entry for batch in self._store.list() for entry in batch]
        except BaseError as error:
            raise SourceError(f"{self.root}: cannot list the event files: {_first_line(error)}") from error
        # An empty object without an extension is how some tools write a folder to an object store.
        files = [entry for entry in objects if entry["size"] or "." in PurePosixPath(entry["path"]).name]
        seen = {entry["path"]: entry for entry in files if not is_ignored(entry["path"])}
        formats = {name: format_of(name) for name in sorted(seen)}
        return Listing(
            tuple(_source_file(seen[name], *found) for name, found in formats.items() if found is not None),
            tuple(name for name, found in formats.items() if found is None),
            self._broken_links(),
        )

    def list_files(self) -> tuple[SourceFile, ...]:
        return self.listing().files

    def content_hash(self, name: str) -> str:
        """SHA-256 of the file's bytes as stored, in hexadecimal; never more than a piece of it in memory."""
        fingerprint = Fingerprint()
        for _ in self.read(name, fingerprint):
            pass
        return fingerprint.hexdigest()

    def read(self, name: str, fingerprint: Fingerprint | None = None) -> Iterator[bytes]:
        """The file's bytes as stored, in pieces, which `fingerprint` sees as well."""
        try:
            local = isinstance(self._store, LocalStore)
            for piece in _read_local(self._local(name)) if local else self._read_remote(name):
                if fingerprint is not None:
                    fingerprint.update(piece)
                yield piece
        except (BaseError, OSError) as error:
            raise SourceError(f"{self.root}: cannot read {name}: {_first_line(error)}") from error

    @contextmanager
    def local_copy(self, name: str, fingerprint: Fingerprint | None = None) -> Iterator[Path]:
        """A temporary copy of the file, for formats that are not read from the start to the end."""
        with TemporaryDirectory(prefix="billing-events-") as directory:
            copy = Path(directory) / "file"
            with copy.open("wb") as target:
                target.writelines(self.read(name, fingerprint))
            yield copy

    def _broken_links(self) -> tuple[str, ...]:
        """Names under a local root that a store passes over in silence."""
        if not isinstance(self._store, LocalStore):
            return ()
        root = self._local("")
        linked = (path for path in root.rglob("*") if path.is_symlink() and not path.exists())
        return tuple(sorted(name for path in linked if not is_ignored(name := path.relative_to(root).as_posix())))

    def _read_remote(self, name: str) -> Iterator[bytes]:
        return map(bytes, self._store.get(name).stream(min_chunk_size=READ_BYTES))

    def _local(self, name: str) -> Path:
        return Path(self.root.removeprefix("file://")) / name


def format_of(name: str) -> tuple[Format, Compression] | None:
    """Format and compression by the name's extensions, in any case; None where they are not those of event files."""
    parts = PurePosixPath(name).name.lower().split(".")[1:]
    compression = _COMPRESSIONS.get(parts[-1], Compression.NONE) if parts else Compression.NONE
    inner = parts[:-1] if compression else parts
    found = _FORMATS.get(inner[-1]) if inner else None
    if found is None or (found is Format.PARQUET and compression):
        return None
    return found, compression


def is_ignored(name: str) -> bool:
    """Whether a file is none of the sender's data: hidden, a marker such as `_SUCCESS`, or a README."""
    parts = PurePosixPath(name).parts
    return any(part.startswith((".", "_")) for part in parts) or parts[-1].upper().startswith(("README", "LICENSE"))


def _open_store(root: str, options: Mapping[str, str]) -> ObjectStore:
    if "://" not in root or root.startswith("file://"):
        path = Path(root.removeprefix("file://"))
        if not path.is_dir():
            raise UsageError(f"{root}: no such directory of event files; --events or billing.toml names another")
        return LocalStore(path)
    lowered = {key.lower(): value for key, value in options.items()}
    allow_http = lowered.pop("aws_allow_http", lowered.pop("allow_http", "false")).lower() == "true"
    try:
        return _from_url(root, {key: lowered[key] for key in lowered if _is_understood(root, key)}, allow_http)
    except (BaseError, ValueError) as error:
        raise SourceError(f"{root}: cannot open the event files: {_first_line(error)}") from error


def _is_understood(root: str, key: str) -> bool:
    """Whether the store knows an option; others stand in the same environment for other programs."""
    try:
        _from_url(root, {key: ""}, False)
    except UnknownConfigurationKeyError:
        return False
    except (BaseError, ValueError):
        return True
    return True


def _from_url(root: str, options: dict[str, str], allow_http: bool) -> ObjectStore:
    config: Any = options
    return from_url(root, config=config, client_options={"allow_http": allow_http})


def _source_file(entry: Mapping[str, Any], found: Format, compression: Compression) -> SourceFile:
    return SourceFile(entry["path"], entry["size"], entry["last_modified"], found, compression, entry.get("e_tag"))


def _read_local(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield piece


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
