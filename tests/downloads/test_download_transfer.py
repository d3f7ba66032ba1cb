"""Whatever a server does, the result is the file or an error that says why; never less."""

import hashlib
import json
import re
import socket
import ssl
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from download_server import Answer, Server, entry, no_bar, tree
from urllib3.connection import HTTPConnection, HTTPSConnection

from esrgan.downloads.install import install
from esrgan.downloads.table import Source
from esrgan.downloads.transfer import Bars

DATA = bytes(range(256)) * 40  # 10,240 bytes
OTHER = bytes(reversed(DATA))
GOOD = Answer(data=DATA)


def fetch(
    server: Server,
    folder: Path,
    *,
    known: bool = True,
    bars: Bars = no_bar,
    **source: object,
) -> None:
    digest = {"size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()} if known else {}
    wanted = Source(**{"file": "a.pth", "addresses": (server.address(),), **digest, **source})
    install(entry(wanted, target="a.pth"), folder, bars=bars)


def refusal(server: Server, folder: Path, **source: object) -> str:
    with pytest.raises(ValueError) as caught:
        fetch(server, folder, **source)
    assert "a.pth" not in tree(folder)
    return str(caught.value)


def leave_part(folder: Path, data: bytes, **origin: object) -> None:
    (folder / "a.pth.part").write_bytes(data)
    (folder / "a.pth.part.json").write_text(json.dumps(origin))


def test_a_plain_answer_is_the_file_and_nothing_else_is_left(server, tmp_path):
    server.answers = [GOOD]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


SURVIVED = {
    "the connection drops twice": [replace(GOOD, cut=1000), replace(GOOD, cut=5000), GOOD],
    "nothing more comes": [replace(GOOD, stall=1000), GOOD],
    "no answer comes": [replace(GOOD, mute=True), GOOD],
    "the server is overloaded": [replace(GOOD, status=500), replace(GOOD, status=503), GOOD],
    "ranges are ignored": [replace(GOOD, cut=1000), replace(GOOD, ranges=False)],
    "the file has changed": [Answer(data=OTHER, etag='"0"', cut=1000), GOOD],
    "another part comes": [
        replace(GOOD, cut=1000),
        replace(GOOD, content_range="bytes 0-10239/10240"),
        GOOD,
    ],
    "a part of another whole comes": [
        replace(GOOD, cut=1000),
        replace(GOOD, content_range="bytes 1000-10239/10241"),
        GOOD,
    ],
    "a part without a place comes": [
        replace(GOOD, cut=1000),
        replace(GOOD, content_range="here it is"),
        GOOD,
    ],
    "a part comes unasked": [replace(GOOD, status=206), GOOD],
    "the version has no name": [replace(GOOD, etag=None, cut=1000), replace(GOOD, etag=None)],
    "the name is a weak one": [replace(GOOD, etag='W/"1"', cut=1000), GOOD],
    "the length is not told": [replace(GOOD, length="")],
    "it comes in chunks": [replace(GOOD, chunked=True, cut=500), replace(GOOD, chunked=True)],
}


@pytest.mark.parametrize("trick", SURVIVED)
def test_the_file_is_complete_although(trick, server, tmp_path):
    server.answers = [*SURVIVED[trick]]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert len(server.requests) == len(SURVIVED[trick])


def test_a_broken_transfer_goes_on_where_it_was(server, tmp_path):
    server.answers = [*SURVIVED["the connection drops twice"]]
    fetch(server, tmp_path)
    assert server.ranges() == [None, "bytes=1000-", "bytes=6000-"]
    assert [headers["If-Range"] for _, headers in server.requests] == [None, '"1"', '"1"']


def test_without_a_name_for_its_version_a_file_begins_again(server, tmp_path):
    server.answers = [*SURVIVED["the name is a weak one"]]
    fetch(server, tmp_path)
    assert server.ranges() == [None, None]


def test_a_length_that_was_told_once_need_not_be_told_again(server, tmp_path):
    server.answers = [replace(GOOD, cut=1000), replace(GOOD, content_range="bytes 1000-10239/*")]
    fetch(server, tmp_path, known=False)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == [None, "bytes=1000-"]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_date_names_a_version_too(etag, server, tmp_path):
    dated = Answer(data=DATA, etag=etag, date="Tue, 14 Feb 2017 14:27:11 GMT")
    server.answers = [replace(dated, cut=1000), dated]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == [None, "bytes=1000-"]
    assert server.requests[1][1]["If-Range"] == "Tue, 14 Feb 2017 14:27:11 GMT"


def test_a_length_that_was_too_great_is_found_out_by_asking_for_more(server, tmp_path):
    server.answers = [replace(GOOD, length="20000"), GOOD]
    fetch(server, tmp_path, size=None)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == [None, "bytes=10240-"]


REFUSED = {
    "it does not exist": ([replace(GOOD, status=404)], "answers 404 Not Found"),
    "it is forbidden": ([replace(GOOD, status=403)], "answers 403"),
    "a page comes instead": ([replace(GOOD, kind="text/html; charset=utf-8")], "web page"),
    "a page comes as a file": ([Answer(data=b"\n<!DOCTYPE html><html>")], "web page"),
    "the server is always overloaded": ([replace(GOOD, status=500)], r"500 .*\(3 tries\)"),
    "nothing ever comes": ([replace(GOOD, stall=0)], r"nothing more came after 0 .*\(3 tries\)"),
    "it redirects without end": (
        [*[Answer(data=b"", location=f"/{n}") for n in range(9)], GOOD],
        "answers 302",
    ),
    "it ends too soon, again and again": ([replace(GOOD, cut=0)], "ended at 0 of 10240"),
    "the length is not that of the file": ([replace(GOOD, length="9")], "file of 9 bytes, not"),
    "it redirects in a circle": ([replace(GOOD, location="/a")], "answers 302"),
    "it redirects to a local file": (
        [replace(GOOD, location="file:///etc/passwd")],
        "302",
    ),
}


@pytest.mark.parametrize("trick", REFUSED)
def test_nothing_is_installed_where(trick, server, tmp_path):
    server.answers, reason = [*REFUSED[trick][0]], REFUSED[trick][1]
    known = {} if "page" not in trick else {"known": False}
    message = refusal(server, tmp_path, **known)
    assert re.search(reason, message)
    assert server.address() in message
    assert "a.pth by hand" in message and "--from" in message
    assert tree(tmp_path) == {}


def test_redirects_are_followed_with_the_part_that_is_wanted(server, tmp_path):
    server.answers = [
        replace(GOOD, location="/b"),
        replace(GOOD, cut=1000),
        replace(GOOD, status=307, location="/c"),
        GOOD,
    ]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert [path for path, _ in server.requests] == ["/set.zip", "/b", "/set.zip", "/c"]
    assert server.ranges() == [None, None, "bytes=1000-", "bytes=1000-"]


def test_what_a_redirect_says_beside_the_address_is_not_waited_for(server, tmp_path):
    server.answers = [replace(GOOD, location="/b", length="1000000", stall=0), GOOD]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert [path for path, _ in server.requests] == ["/set.zip", "/b"]


def test_a_redirect_to_no_address_is_refused(server, tmp_path):
    server.answers = [replace(GOOD, location="http://[a/b")]
    assert "leads to none" in refusal(server, tmp_path)
    assert len(server.requests) == 1


@pytest.fixture
def https(server, monkeypatch) -> str:
    """An address of the server; it counts as protected, and is not."""
    monkeypatch.setattr(HTTPSConnection, "connect", HTTPConnection.connect)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 says so, too
        yield server.address().replace("http:", "https:")


def test_a_protected_address_never_leads_to_an_unprotected_one(https, server, tmp_path):
    server.answers = [replace(GOOD, location=server.address("b")), GOOD]
    reason = re.escape(f"redirects to {server.address('b')}, which is not protected as https is")
    assert re.search(reason, refusal(server, tmp_path, addresses=(https,)))
    assert [path for path, _ in server.requests] == ["/set.zip"]


@pytest.mark.parametrize("start", ["http", "https"])
def test_an_address_may_lead_to_a_protected_one(start, https, server, tmp_path):
    server.answers = [replace(GOOD, location=https.replace("set.zip", "b")), GOOD]
    fetch(server, tmp_path, addresses=(https.replace("https", start),))
    assert tree(tmp_path) == {"a.pth": DATA}
    assert [path for path, _ in server.requests] == ["/set.zip", "/b"]


def test_an_invalid_certificate_is_not_asked_again(server, tmp_path, monkeypatch):
    asked = []

    def fail(connection):
        asked.append(connection.timeout)
        raise ssl.SSLCertVerificationError("self-signed")

    monkeypatch.setattr(HTTPConnection, "connect", fail)
    assert "no valid certificate: ('self-signed',)" in refusal(server, tmp_path)
    assert asked == [0.2]


def test_a_name_of_no_server_is_not_asked_again(server, tmp_path, monkeypatch):
    asked = []

    def look_up(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    message = refusal(server, tmp_path, addresses=("https://nowhere.invalid/a.pth",))
    assert "https://nowhere.invalid/a.pth is on no known server, or there is no network" in message
    assert asked == ["nowhere.invalid"]


def test_a_server_that_is_not_there_is_named(server, tmp_path):
    server.server_close()
    assert "no connection" in refusal(server, tmp_path)


def test_bytes_beyond_the_end_are_refused(server, tmp_path):
    server.answers = [Answer(data=DATA + b"!", length="")]
    assert "sends more than the 10240 bytes" in refusal(server, tmp_path)
    assert tree(tmp_path) == {}


def test_nothing_is_kept_of_what_goes_on_beyond_the_end(server, tmp_path):
    much = DATA * 60  # more than is read at once
    server.answers = [Answer(data=much + b"!", length="")]
    assert "sends more than" in refusal(server, tmp_path, size=len(much), sha256=None)
    assert tree(tmp_path) == {}


def test_a_file_of_unknown_length_needs_a_server_that_tells_it(server, tmp_path):
    server.answers = [replace(GOOD, length="")]
    assert "does not say how long" in refusal(server, tmp_path, known=False)


def test_a_file_of_another_digest_is_not_kept(server, tmp_path):
    server.answers = [Answer(data=OTHER)]
    found = hashlib.sha256(OTHER).hexdigest()
    assert f"has the sha256 {found}" in refusal(server, tmp_path)
    assert tree(tmp_path) == {}
    assert len(server.requests) == 1


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_a_digest_may_be_of_either_kind_or_the_beginning_of_one(digest, server, tmp_path):
    server.answers = [GOOD]
    beginning = hashlib.new(digest, DATA).hexdigest()
    other = {"md5": "sha256", "sha256": "md5"}[digest]
    fetch(server, tmp_path, **{digest: beginning[:8], other: None})
    assert tree(tmp_path) == {"a.pth": DATA}
    wrong = f"{int(beginning[:8], 16) ^ 1:08x}"
    assert digest in refusal(server, tmp_path / "b", **{digest: wrong, other: None})


def test_progress_that_is_worth_it_is_no_failure(server, tmp_path, monkeypatch):
    monkeypatch.setattr("esrgan.downloads.transfer._WORTH", 1000)
    server.answers = [*[replace(GOOD, cut=1000)] * 8, GOOD]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}


def test_coming_and_going_is_not_taken_for_progress(server, tmp_path, monkeypatch):
    monkeypatch.setattr("esrgan.downloads.transfer._WORTH", 5000)
    lost = replace(GOOD, content_range="bytes 0-1/2")
    server.answers = [*[replace(GOOD, cut=5000), lost] * 20, GOOD]
    with pytest.raises(ValueError, match="3 tries"):
        fetch(server, tmp_path)


# What an earlier command left


def test_an_interrupted_command_is_continued_by_the_next(server, tmp_path):
    server.answers = [replace(GOOD, cut=4000), replace(GOOD, status=500)]
    message = refusal(server, tmp_path)
    assert "the same command goes on" in message
    assert tree(tmp_path)["a.pth.part"] == DATA[:4000]
    server.answers, server.requests = [GOOD], []
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == ["bytes=4000-"]


def test_ctrl_c_leaves_what_can_be_continued(server, tmp_path):
    def press(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    server.answers = [replace(GOOD, stall=4000), GOOD]
    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path, bars=lambda label, unit: nullcontext(press))
    assert tree(tmp_path)["a.pth.part"] == DATA[:4000]
    fetch(server, tmp_path)
    assert server.ranges() == [None, "bytes=4000-"]
    assert tree(tmp_path) == {"a.pth": DATA}


def test_a_part_that_is_complete_is_not_asked_for_again(server, tmp_path):
    leave_part(tmp_path, DATA, address=server.address(), validator='"1"', size=len(DATA))
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.requests == []


@pytest.mark.parametrize(
    "origin", [{}, {"address": "http://b.org/", "validator": '"1"', "size": None}, {"x": 1}]
)
def test_a_part_from_elsewhere_begins_again(origin, server, tmp_path):
    leave_part(tmp_path, b"elsewhere", **origin)
    server.answers = [GOOD]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == [None]


def test_a_part_that_was_pieced_together_wrongly_is_fetched_as_a_whole(server, tmp_path):
    leave_part(tmp_path, OTHER[:1000], address=server.address(), validator='"1"', size=len(DATA))
    server.answers = [GOOD]
    fetch(server, tmp_path)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == ["bytes=1000-", None]


@pytest.mark.parametrize("known", [True, False])
def test_a_part_longer_than_the_file_begins_again(known, server, tmp_path):
    leave_part(tmp_path, DATA + DATA, address=server.address(), validator='"1"', size=None)
    server.answers = [GOOD]
    fetch(server, tmp_path, known=known)
    assert tree(tmp_path) == {"a.pth": DATA}
    assert server.ranges() == ["bytes=20480-", None]


def test_two_commands_do_not_write_the_same_part(server, tmp_path):
    def begin_another(done: int, total: int | None) -> None:
        assert "another command is fetching" in refusal(server, tmp_path)

    server.answers = [GOOD]
    fetch(server, tmp_path, bars=lambda label, unit: nullcontext(begin_another))
    assert tree(tmp_path) == {"a.pth": DATA}
    assert len(server.requests) == 1
