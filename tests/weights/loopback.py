"""A server on this machine that gives one file, and misbehaves as it is told."""

import contextlib
import dataclasses
import hashlib
import http.server
import re
import threading
import time

import numpy as np

CONTENT = np.random.default_rng(0).bytes(3 * 2**20 + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = 2**21 - 5


@dataclasses.dataclass
class Behaviour:
    """What the server gives, and how.

    Attributes:
        content: The file.
        ranges: Whether it knows ranges.
        etag: The mark of the version; None for a server that gives none.
        statuses: Answers of the next requests, before the file is given.
        cuts: How many bytes of the body the next answers have before the connection
            is closed.
        extra_length: How much longer than it is the file is said to be; None for a
            server that does not say.
        redirect: Where every request is sent.
        linked_etag: What the hub states of the file when it sends one on.
        pause: Seconds between blocks of 64 KiB.
        requests: Method and range of each request that came.
    """

    content: bytes
    ranges: bool = True
    etag: str | None = '"1"'
    statuses: list[int] = dataclasses.field(default_factory=list)
    cuts: list[int] = dataclasses.field(default_factory=list)
    extra_length: int | None = 0
    redirect: str | None = None
    linked_etag: str | None = None
    pause: float = 0.0
    requests: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        how = self.server.behaviour
        asked = self.headers.get("Range")
        how.requests.append((self.command, asked))
        if how.redirect:
            self.send_response(302)
            self.send_header("Location", how.redirect)
            if how.linked_etag:
                self.send_header("X-Linked-ETag", how.linked_etag)
            self.end_headers()
            return
        if how.statuses:
            self.send_error(how.statuses.pop(0))
            return
        start, total = 0, len(how.content)
        match = re.fullmatch(r"bytes=(\d+)-", asked or "")
        same = self.headers.get("If-Range") in (None, how.etag)
        if match and how.ranges and same:
            start = int(match[1])
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        body = how.content[start:]
        if how.extra_length is not None:
            self.send_header("Content-Length", str(len(body) + how.extra_length))
        if how.etag:
            self.send_header("ETag", how.etag)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if self.command == "HEAD":
            return
        if how.cuts:
            body = body[: how.cuts.pop(0)]
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(body), 2**16):
                self.wfile.write(body[at : at + 2**16])
                time.sleep(how.pause)


@contextlib.contextmanager
def serving(behaviour):
    """The address of a server that behaves so, for the time of the block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.behaviour = behaviour
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
