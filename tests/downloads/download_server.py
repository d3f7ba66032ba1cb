"""A server on this machine that plays tricks, and what the tests of downloads share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from esrgan.downloads.table import Entry, Source

QUICK = {"_STALL": 0.2, "_TRIES": 3, "_PAUSE": 0, "_WORTH": 10**6}
"""Of `esrgan.downloads.transfer`, for the server fixture."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A file over HTTP, right in all respects that are not given."""

    data: bytes
    etag: str | None = '"1"'
    date: str | None = None  # of the last change
    ranges: bool = True
    content_range: str | None = None
    length: str | None = None  # "" is none at all
    cut: int | None = None  # bytes after which the connection ends
    stall: int | None = None  # bytes after which nothing more comes
    status: int | None = None
    kind: str = "application/octet-stream"
    location: str | None = None
    chunked: bool = False
    mute: bool = False


class Server(ThreadingHTTPServer):
    """Each request gets the next answer, and the last one all that follow."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, Message]] = []
        self.end = threading.Event()

    def address(self, path: str = "set.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def ranges(self) -> list[str | None]:
        return [headers["Range"] for _, headers in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.requests.append((self.path, self.headers))
        answers = self.server.answers
        self._send(answers.pop(0) if len(answers) > 1 else answers[0])

    def _send(self, answer: Answer) -> None:
        if answer.mute:
            self.server.end.wait(5)
        elif answer.location:
            length = answer.length or "0"
            self._head(
                answer.status or 302, {"Location": answer.location, "Content-Length": length}
            )
            if answer.stall is not None:
                self.server.end.wait(5)
        else:
            self._send_file(answer)

    def _send_file(self, answer: Answer) -> None:
        start, size = 0, len(answer.data)
        wanted = self.headers["Range"]
        if wanted and answer.ranges and self.headers["If-Range"] in (answer.etag, answer.date):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= size:
            self._head(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        headers = {
            "Content-Type": answer.kind,
            "ETag": answer.etag,
            "Last-Modified": answer.date,
        }
        if start:
            right = f"bytes {start}-{size - 1}/{size}"
            headers["Content-Range"] = answer.content_range or right
        body = answer.data[start:]
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif answer.length != "":
            headers["Content-Length"] = answer.length or str(len(body))
        self._head(answer.status or (206 if start else 200), headers)
        self.wfile.write(body[: answer.cut if answer.stall is None else answer.stall])
        if answer.stall is not None:
            self.server.end.wait(5)

    def _head(self, status: int, headers: dict[str, str | None]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def entry(*sources: Source, target: str) -> Entry:
    return Entry(name="wanted", about="", terms="", target=target, use="", sources=sources)


@contextmanager
def no_bar(label: str, unit: str) -> Iterator:
    yield lambda done, total: None


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
