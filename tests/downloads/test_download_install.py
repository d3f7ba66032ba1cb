"""From the first source that works to the target, which is complete or not there."""

import errno
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest
from download_server import Answer, entry, no_bar, tree

from esrgan.downloads.install import install
from esrgan.downloads.table import Source, read_table

IMAGES = {"Set/HR/a.png": b"an image", "Set/HR/b.png": b"another"}
INSTALLED = {f"{name}": data for name, data in IMAGES.items()}


@pytest.fixture
def packed(tmp_path) -> bytes:
    file = tmp_path / "packed.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in IMAGES.items():
            archive.writestr(name, data)
    data = file.read_bytes()
    file.unlink()
    return data


def source(*addresses: str, file: str = "set.zip", **known: object) -> Source:
    return Source(file=file, addresses=addresses, folders={"HR": "HR"}, **known)


def get(*sources: Source, output: Path, **options: object) -> Path:
    wanted = entry(*sources, target="Set")
    return install(wanted, output, bars=no_bar, **options)


def test_an_archive_is_fetched_unpacked_and_removed(server, packed, tmp_path):
    server.answers = [replace(Answer(data=packed), cut=50), Answer(data=packed)]
    assert get(source(server.address()), output=tmp_path) == tmp_path / "Set"
    assert tree(tmp_path) == INSTALLED


def test_an_archive_may_be_kept(server, packed, tmp_path):
    server.answers = [Answer(data=packed)]
    get(source(server.address()), output=tmp_path, keep_archive=True)
    assert tree(tmp_path) == INSTALLED | {"set.zip": packed}


def test_an_archive_that_is_there_is_used_and_stays(server, packed, tmp_path):
    (tmp_path / "set.zip").write_bytes(packed)
    get(source(server.address(), size=len(packed)), output=tmp_path)
    assert server.requests == []
    assert tree(tmp_path) == INSTALLED | {"set.zip": packed}


def test_mirrors_and_further_sources_are_tried_in_order(server, packed, tmp_path, caplog):
    gone, good = Answer(data=b"", status=404), Answer(data=packed)
    server.answers = [gone, gone, good]
    first = source(server.address("1"), server.address("2"), file="other.zip")
    get(first, source(server.address("3")), output=tmp_path)
    assert [path for path, _ in server.requests] == ["/1", "/2", "/3"]
    assert tree(tmp_path) == INSTALLED
    assert "/1 answers 404" in caplog.text and "/2 answers 404" in caplog.text


def test_a_hostile_archive_is_not_installed_and_the_next_source_is(server, packed, tmp_path):
    file = tmp_path / "hostile.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Set/HR/../../../a.png", b"")
    hostile = file.read_bytes()
    file.unlink()
    server.answers = [Answer(data=hostile), Answer(data=packed)]
    get(source(server.address(), file="hostile.zip"), source(server.address()), output=tmp_path)
    assert tree(tmp_path) == INSTALLED | {"hostile.zip": hostile}


def test_what_is_there_is_never_replaced(server, tmp_path):
    (tmp_path / "Set").mkdir()
    (tmp_path / "Set/mine.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match="exists and is left as it is"):
        get(source(server.address()), output=tmp_path)
    assert tree(tmp_path) == {"Set/mine.png": b"mine"}
    assert server.requests == []


def test_a_disk_that_is_too_small_is_found_before_the_transfer(server, packed, tmp_path):
    server.answers = [Answer(data=packed)]
    with pytest.raises(ValueError, match=r"free, and 2000000\.0 GB are needed"):
        get(source(server.address(), size=10**15), output=tmp_path)
    assert server.requests == []
    assert tree(tmp_path) == {}


@dataclass
class Watched:
    """A file that tells before it is written to."""

    file: IO[bytes]
    tell_write: Callable[[], None]

    def write(self, data: bytes) -> int:
        self.tell_write()
        return self.file.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def watch(monkeypatch, tell_write: Callable[[], None]) -> None:
    """Calls before each write to a part of a file and to an image."""
    opened = Path.open

    def open_watched(path: Path, mode: str = "r", **options: object) -> object:
        file = opened(path, mode, **options)
        is_ours = mode != "rb" and path.suffix in (".part", ".png")
        return Watched(file, tell_write) if is_ours else file

    monkeypatch.setattr(Path, "open", open_watched)


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_disk_that_is_full_leaves_nothing_half_installed(
    writes, server, packed, tmp_path, monkeypatch
):
    """At the transfer's write, and at that of either image."""
    server.answers, left = [Answer(data=packed)], [writes]

    def full() -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")

    watch(monkeypatch, full)
    with pytest.raises(OSError, match=f"No space left.*{re.escape(str(tmp_path))}"):
        get(source(server.address()), output=tmp_path)
    assert left == [0]
    assert not (tmp_path / "Set").exists()
    assert set(tree(tmp_path)) <= {"set.zip"}
    get(source(server.address()), output=tmp_path)
    assert INSTALLED.items() <= tree(tmp_path).items()


def test_control_c_while_unpacking_leaves_the_archive_only(server, packed, tmp_path, monkeypatch):
    def press() -> None:
        if (tmp_path / "Set.unpacking").exists():
            raise KeyboardInterrupt

    server.answers = [Answer(data=packed)]
    watch(monkeypatch, press)
    with pytest.raises(KeyboardInterrupt):
        get(source(server.address()), output=tmp_path)
    assert tree(tmp_path) == {"set.zip": packed}


def test_a_file_fetched_by_hand_is_verified_and_left(packed, tmp_path):
    hand = tmp_path / "hand"
    hand.mkdir()
    (hand / "set.zip").write_bytes(packed)
    get(source(size=len(packed)), output=tmp_path / "data", by_hand=hand)
    assert tree(tmp_path / "data") == INSTALLED
    assert tree(hand) == {"set.zip": packed}
    with pytest.raises(ValueError, match=f"has {len(packed)} bytes, not 7: remove it and fetch"):
        get(source(size=7), output=tmp_path / "more", by_hand=hand)
    with pytest.raises(ValueError, match=r"hand must hold a\.zip or b\.zip, and does not"):
        several = (source(file="a.zip"), source(file="b.zip"))
        get(*several, output=tmp_path / "more", by_hand=hand)
    assert not (tmp_path / "more").exists()


def test_a_copy_that_fails_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.npz").write_bytes(b"parameters")

    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("esrgan.downloads.install.flush", fail)
    wanted = entry(Source(file="a.npz", page=""), target="new/a.npz")
    with pytest.raises(OSError, match="Input/output"):
        install(wanted, tmp_path, by_hand=tmp_path, bars=no_bar)
    assert tree(tmp_path) == {"a.npz": b"parameters"}


def test_what_a_killed_command_left_is_named(packed, tmp_path):
    (tmp_path / "set.zip").write_bytes(packed)
    (tmp_path / "Set.unpacking").mkdir()
    with pytest.raises(ValueError, match=r"Set\.unpacking was left .*killed: remove it"):
        get(source(), output=tmp_path, by_hand=tmp_path)
    assert (tmp_path / "Set.unpacking").exists()


def test_what_no_program_can_have_names_its_page(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be fetched by a program .*a\.org.* by hand"):
        get(Source(file="a.zip", page="https://a.org", folders={"": ""}), output=tmp_path)
    assert tree(tmp_path) == {}


GOOD = {"file": "a.zip", "addresses": ["https://a.org/a.zip"], "folders": {"": ""}}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mirrors": []}, "must have the keys of an entry"),
        ({"addresses": []}, "needs addresses, or the page"),
        ({"addresses": ["ftp://a.org/a.zip"]}, "must begin with https"),
        ({"sha256": "ABC"}, "sha256"),
        ({"md5": "12"}, "md5"),
        ({"folders": {"": "../x"}}, "plain relative path"),
        ({"file": "b/../a.zip"}, "plain relative path"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(changed, reason):
    content = {"about": "", "terms": "", "target": "a", "use": "", "sources": [GOOD | changed]}
    with pytest.raises(ValueError, match=f"a: .*{reason}"):
        read_table({"a": content})
