"""Reading pictures that somebody else named: bounded, and never outside of one root."""

from __future__ import annotations

import errno
import os
import posixpath
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from fsspec.implementations.local import LocalFileSystem

from adapters.batching import EXTENSIONS, refused
from adapters.records import BadRecord
from daemon.model import Candidate


class Pictures:
    """The pictures below one root; a manifest cannot name anything outside of it."""

    def __init__(self, files: Any, root: str, max_bytes: int) -> None:
        self._files = files  # an fsspec file system
        self._local = isinstance(files, LocalFileSystem)
        self._root = root.rstrip("/") or root[:1]  # "" in archives, whose paths have no leading slash
        self._inside = self._root if self._root in ("", "/") else f"{self._root}/"
        self._real_root = os.path.realpath(self._root) if self._local else ""
        self._max_bytes = max_bytes

    def locate(self, uri: str) -> str:
        """Return the path on the file system. Raises BadRecord when it lies outside of the root."""
        protocols = self._files.protocol
        protocols = (protocols,) if isinstance(protocols, str) else tuple(protocols)
        scheme, separator, _ = uri.partition("://")
        full = bool(separator) and scheme in protocols
        inner = str(self._files._strip_protocol(uri)) if full else uri
        # of a full address the whole path is given, on object stores without a slash in front of the bucket
        path = posixpath.normpath(inner if full else posixpath.join(self._root, inner))
        inside = path.startswith(self._inside) if self._inside else not path.startswith(("/", ".."))
        # a server may undo percent signs after this check
        hidden = unquote(uri) != uri and ".." in unquote(uri).split("/")
        if "\0" in uri or "::" in uri or hidden or not inside or ("://" in inner):
            raise BadRecord(f"uri {uri[:80]!r} lies outside of the root {self._root or '.'!r}; name another `root`")
        return path

    def read(self, candidate: Candidate) -> Candidate:
        """Return the candidate with its bytes, or with the problem that kept them away."""
        path = self.locate(candidate.uri)
        if not path.lower().endswith(EXTENSIONS):
            return refused(candidate, "format_not_allowed", f"{candidate.uri} is not {', '.join(EXTENSIONS)}")
        if self._local:
            real = os.path.realpath(path)
            if not real.startswith(f"{self._real_root.rstrip('/')}/"):
                return refused(candidate, "bad_record", f"{candidate.uri} is a link that leaves the root {self._root}")
            path = real
        try:
            about = self._files.info(path)
            if about["type"] != "file":
                return refused(candidate, "unreadable", f"{candidate.uri} is no plain file")
            if (about.get("size") or 0) > self._max_bytes:
                return refused(candidate, "too_many_bytes", f"{candidate.uri} has {about['size']:,} bytes")
            with self._files.open(path, "rb") as stream:
                content = stream.read(self._max_bytes + 1)
        except OSError as error:
            # a full descriptor table is this process's trouble, not the picture's
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            why = error.strerror or type(error).__name__
            return refused(candidate, "unreadable", f"{candidate.uri}: {why}")
        if len(content) > self._max_bytes:
            return refused(candidate, "too_many_bytes", f"{candidate.uri} has over {self._max_bytes:,} bytes")
        return replace(candidate, content=content)
