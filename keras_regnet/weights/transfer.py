"""One file over http, gone on with where an earlier attempt was cut off."""

import contextlib
import dataclasses
import http.client
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

import keras

from keras_regnet.files import write_text
from keras_regnet.version import __version__

_SECONDS = 30
_CHUNK = 2**20
_AGENT = {"User-Agent": f"keras-regnet/{__version__}"}
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_CUT = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    TimeoutError,
    http.client.HTTPException,
)


class Refused(Exception):
    """The server does not give the file, or gives another one."""


class Interrupted(Exception):
    """It may work if one tries again at once."""


class Unreachable(Exception):
    """There is no connection; another day it may go on."""


@dataclasses.dataclass
class Partial:
    """What has come of a file so far, and what is needed to go on with it.

    Attributes:
        file: Open for reading and writing; the bytes that have come.
        notes: Path of a small file beside it: which URL they are from, and the mark of
            their version (its ETag or date).
        checked: Whether a checksum will tell if the parts belong together; without it
            only a part with a mark is gone on with.
    """

    file: BinaryIO
    notes: Path
    checked: bool

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.file.seek(0, 2)

    def mark(self, url: str) -> str | None:
        """The mark of the version at `url` that the bytes are of.

        Returns:
            None where they must be discarded, `""` where the checksum has to tell.
        """
        try:
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
            if notes["url"] == url and self.size:
                return notes["mark"] or ("" if self.checked else None)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def begin(self, url: str, mark: str) -> None:
        """Discards the bytes and notes what the next ones are of."""
        self.file.seek(0)
        self.file.truncate()
        write_text(self.notes, json.dumps({"url": url, "mark": mark}))


def transfer(url: str, partial: Partial, progress: bool) -> bool:
    """Loads what is missing of the file at `url`.

    Args:
        url: http or https.
        partial: What is there already; it grows.
        progress: Whether to show a bar.

    Returns:
        Whether bytes of an earlier attempt are part of the file.

    Raises:
        Interrupted: The connection broke or the server is busy.
        Refused: The server does not have the file.
        Unreachable: There is no network.
    """
    headers = dict(_AGENT)
    mark = partial.mark(url)
    have = partial.size if mark is not None else 0
    if have:
        headers["Range"] = f"bytes={have}-"
        if mark:
            headers["If-Range"] = mark
    try:
        answer = _open(urllib.request.Request(url, headers=headers))
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            if _total(error.headers) == have:
                return True
            partial.begin(url, "")
            raise Interrupted("the server does not know that part") from error
        message = f"the server answered {error.code} {error.reason}"
        raise (Interrupted if error.code in _BUSY else Refused)(message) from error
    except (OSError, http.client.HTTPException) as error:
        raise _judged(error) from error
    with answer:
        resumed = answer.status == 206
        if resumed and _start(answer.headers) != have:
            partial.begin(url, "")
            raise Interrupted("the server sent another part than was asked for")
        if not resumed:
            have = 0
            partial.begin(url, _mark(answer.headers))
        total = _total(answer.headers) if resumed else _length(answer.headers)
        chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if total is None and not chunked and not partial.checked:
            raise Refused(
                "the server does not say how long the file is, and there is no "
                "checksum: whether all of it came could not be told"
            )
        _read(answer, partial.file, have, total, progress)
    return resumed


def etags(url: str) -> list[str]:
    """The marks of the file at `url` that the answers to a HEAD request state.

    Those of every server that sends one on, too. None where there is no answer.
    """
    found: list[str] = []

    def note(headers: Any) -> None:
        for name in ("X-Linked-ETag", "ETag"):
            found.extend(headers.get_all(name, ()))

    class Noting(_Redirects):
        def redirect_request(self, *arguments: Any) -> Any:
            note(arguments[4])
            return super().redirect_request(*arguments)

    request = urllib.request.Request(url, headers=_AGENT, method="HEAD")
    failures = (OSError, http.client.HTTPException, Refused)
    with contextlib.suppress(*failures), _open(request, Noting) as answer:
        note(answer.headers)
    return found


def _read(
    answer: Any, file: BinaryIO, have: int, total: int | None, progress: bool
) -> None:
    bar = None
    if progress and shown():
        target = None if total is None else max(1, total // _CHUNK)
        bar = keras.utils.Progbar(target, unit_name="MiB")
    file.seek(have)
    while True:
        try:
            chunk = answer.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            # The bytes before the cut are good.
            if isinstance(error, http.client.IncompleteRead):
                file.write(error.partial)
            raise _judged(error) from error
        if not chunk:
            break
        file.write(chunk)
        have += len(chunk)
        if bar:
            bar.update(have // _CHUNK, finalize=have == total)
    file.flush()
    if total is not None and have != total:
        raise Interrupted(f"the connection broke after {have:,} of {total:,} bytes")


def _judged(error: Exception) -> Exception:
    reason = getattr(error, "reason", error)
    if isinstance(reason, _CUT):
        return Interrupted(f"the connection broke: {reason!r}")
    return Unreachable(f"there is no connection: {reason}")


def shown() -> bool:
    """Whether somebody sees a progress bar."""
    return sys.stdout.isatty() or "ipykernel" in sys.modules


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but from https to nothing else than https."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in {"https", req.type}:
            raise Refused(f"the server sends one from {req.type} to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: urllib.request.Request, redirects: type = _Redirects) -> Any:
    return urllib.request.build_opener(redirects).open(request, timeout=_SECONDS)


def _mark(headers: Any) -> str:
    """What If-Range takes: a strong ETag, otherwise the date, otherwise nothing."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _length(headers: Any) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _start(headers: Any) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(headers: Any) -> int | None:
    match = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return int(match[1]) if match else None
