"""Archives that lie, escape or explode leave nothing behind; the good ones arrive whole."""

import io
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from download_server import entry, no_bar, tree

from esrgan.downloads.archives import unpack
from esrgan.downloads.install import install
from esrgan.downloads.table import Source

IMAGES = {"Set/HR/a.png": b"an image", "Set/HR/deep/b.png": b"another"}


def zipped(path: Path, members: dict[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, how)
    return path


def tarred(path: Path, members: dict[str, bytes], *, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def by_hand(file: Path, folder: Path, *, folders=None, **source: object) -> None:
    """Installs a set of which the archive was fetched by hand."""
    wanted = Source(file=file.name, page="", folders=folders or {"HR": "HR"}, **source)
    install(entry(wanted, target="Set"), folder, by_hand=file.parent, bars=no_bar)


def refusal(file: Path) -> str:
    """Why an archive is refused; nothing of it may be left beside it."""
    before, folder = tree(file.parent), file.parent / "data"
    with pytest.raises(ValueError) as caught:
        by_hand(file, folder)
    assert tree(file.parent) == before
    assert not folder.exists()
    assert str(file) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_the_images_of_the_wanted_folders_are_unpacked(kind, tmp_path):
    others = {"Set/readme.txt": b"", "Set/HR/.DS_Store": b"", "Set/X2/a.png": b"", "run.sh": b""}
    members = IMAGES | others
    file = tmp_path / f"set.{kind}"
    if kind == "zip":
        zipped(file, members)
    else:
        tarred(file, members, mode="w:gz" if kind == "tar.gz" else "w")
    packed = file.read_bytes()
    by_hand(file, tmp_path / "data", images=2)
    assert tree(tmp_path / "data") == {"Set/HR/a.png": b"an image", "Set/HR/deep/b.png": b"another"}
    assert file.read_bytes() == packed


def test_an_archive_without_a_folder_of_its_own_and_one_for_all(tmp_path):
    file = zipped(tmp_path / "set.zip", {"HR/a.png": b"1", "LR/X4/a.png": b"2"})
    by_hand(file, tmp_path / "data", folders={"HR": "HR", "LR/X4": "LRbicx4"})
    assert tree(tmp_path / "data") == {"Set/HR/a.png": b"1", "Set/LRbicx4/a.png": b"2"}
    plain = zipped(tmp_path / "all.zip", {"a.png": b"1", "b/c.JPG": b"2"})
    by_hand(plain, tmp_path / "more", folders={"": ""})
    assert tree(tmp_path / "more") == {"Set/a.png": b"1", "Set/b/c.JPG": b"2"}


NAMES = {
    "../a.png": "leads out",
    "Set/HR/../../../a.png": "leads out",
    "/etc/a.png": "absolute",
    "C:\\a.png": "backslash, a colon",
    "C:a.png": "backslash, a colon",
    "Set\\HR\\..\\a.png": "backslash",
    "Set/HR/a\n.png": "control character",
    "Set/HR/CON.png": "reserved",
    "Set/HR/a.png.": "full stop",
    "Set/HR/" + "a" * 256 + ".png": "255 bytes",
    "/".join("a" * 30) + ".png": "20 parts",
    "Set/HR/A.PNG": "collides with 'HR/a.png'",
    "Set/HR/deep": "not an image",
    "Set/hr/../HR/b.png": "leads out",
    "Set/HR/a.png/b.png": "collides with 'HR/a.png'",
    "Set/HR/DEEP/c.png": "collides with 'HR/deep/'",
    "Set/HR/more.zip": "archive itself",
    "Set/HR/run.exe": "not an image",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_not_safe_everywhere_is_refused(kind, name, tmp_path):
    write = {"zip": zipped, "tar": tarred}[kind]
    file = write(tmp_path / f"set.{kind}", IMAGES | {name: b"1"})
    assert NAMES[name] in refusal(file)


def test_a_name_that_comes_twice_is_refused(tmp_path):
    file = tmp_path / "set.zip"
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("Set/HR/a.png", b"1")
        archive.writestr("Set/HR/a.png", b"2")
    assert "collides" in refusal(file)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_of_a_tar_are_refused(kind, tmp_path):
    file = tmp_path / "set.tar"
    with tarfile.open(file, "w") as archive:
        info = tarfile.TarInfo("Set/HR/a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert "link or a device" in refusal(file)


def test_links_of_a_zip_are_refused(tmp_path):
    file = tmp_path / "set.zip"
    info = zipfile.ZipInfo("Set/HR/a.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "link or a device" in refusal(file)


def test_an_encrypted_member_is_refused(tmp_path):
    file = zipped(tmp_path / "set.zip", IMAGES)
    data = bytearray(file.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    file.write_bytes(data)
    assert "is encrypted" in refusal(file)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped_while_it_unpacks(kind, tmp_path):
    bomb = {"Set/HR/a.png": bytes(60 * 2**20)}  # 60 MB of zeros: 60 kB packed
    file = tmp_path / f"set.{kind}"
    tarred(file, bomb, mode="w:gz") if kind == "tar.gz" else zipped(file, bomb)
    assert "50 times its size" in refusal(file)


def test_a_bomb_that_understates_its_size_is_stopped_too(tmp_path):
    file = zipped(tmp_path / "set.zip", {"Set/HR/a.png": bytes(60 * 2**20)})
    data = file.read_bytes()
    file.write_bytes(data.replace((60 * 2**20).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    refusal(file)


def test_a_bomb_beside_what_is_wanted_is_stopped_too(tmp_path):
    """What is left out of a tar.gz has to be unpacked all the same."""
    bomb = {"Set/notes.txt": bytes(60 * 2**20)}
    assert "50 times" in refusal(tarred(tmp_path / "set.tar.gz", IMAGES | bomb, mode="w:gz"))


def test_a_zip_that_overstates_a_size_is_damaged(tmp_path):
    data = bytes(range(256)) * 8
    file = zipped(tmp_path / "set.zip", {"Set/HR/a.png": data})
    more = (len(data) + 9).to_bytes(4, "little")
    file.write_bytes(file.read_bytes().replace(len(data).to_bytes(4, "little"), more))
    assert "is damaged: 'Set/HR/a.png' has 2048 bytes, not 2057" in refusal(file)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    file = tmp_path / "set.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        info = tarfile.TarInfo("name")
        info.type, info.size = tarfile.XHDTYPE, 2 * 2**20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    assert "has a header of more than 1048576 bytes" in refusal(file)


def test_headers_that_announce_one_another_without_end_are_damage(tmp_path):
    file = tmp_path / "set.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for _ in range(2000):
            info = tarfile.TarInfo("name")
            info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1
            archive.addfile(info, io.BytesIO(b"a"))
    assert "is damaged" in refusal(file)


def test_the_checksum_of_a_tar_gz_counts(tmp_path):
    file = tarred(tmp_path / "set.tar.gz", IMAGES, mode="w:gz")
    data = bytearray(file.read_bytes())
    data[-6] ^= 1
    file.write_bytes(data)
    assert "is damaged" in refusal(file)


def test_a_rare_compression_is_refused(tmp_path):
    file = zipped(tmp_path / "set.zip", IMAGES, how=zipfile.ZIP_LZMA)
    assert "neither stored nor deflated" in refusal(file)


@pytest.mark.parametrize(
    ("limit", "value", "reason"), [("_MAX_MEMBERS", 1, "1 members"), ("_MAX_SIZE", 10, "10 bytes")]
)
def test_too_many_members_and_too_many_bytes_are_refused(
    limit, value, reason, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"esrgan.downloads.archives.{limit}", value)
    file = zipped(tmp_path / "set.zip", IMAGES)
    with pytest.raises(ValueError, match=f"more than {reason}"):
        unpack(file, tmp_path, {"HR": ""}, progress=lambda number: None)


def damage_a_byte(data: bytearray) -> None:
    data[data.index(b"an image")] ^= 1


def cut_the_end(data: bytearray) -> None:
    del data[-30:]


def empty(data: bytearray) -> None:
    data.clear()


@pytest.mark.parametrize("harm", [damage_a_byte, cut_the_end, empty])
def test_a_damaged_zip_is_refused(harm, tmp_path):
    file = zipped(tmp_path / "set.zip", IMAGES, how=zipfile.ZIP_STORED)
    data = bytearray(file.read_bytes())
    harm(data)
    file.write_bytes(data)
    assert "damaged" in refusal(file) or harm is empty


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_tar_that_was_cut_is_refused(kept, tmp_path):
    for kind, mode in (("tar", "w"), ("tar.gz", "w:gz")):
        members = {f"Set/HR/{n}.png": bytes(range(256)) * 10 for n in range(5)}
        file = tarred(tmp_path / f"set.{kind}", members, mode=mode)
        size = len(file.read_bytes()) if kind == "tar.gz" else 5 * (512 + 2560)
        file.write_bytes(file.read_bytes()[: int(size * kept)])
        refusal(file)
        file.unlink()


def test_an_archive_that_lacks_what_is_wanted_is_refused(tmp_path):
    assert "no images in its folder HR" in refusal(zipped(tmp_path / "set.zip", {"a.png": b""}))
    assert "no images" in refusal(zipped(tmp_path / "set.zip", {}))
    (tmp_path / "set.zip").write_bytes(b"<html>not an archive</html>")
    assert "neither a zip" in refusal(tmp_path / "set.zip")


def test_another_number_of_images_is_refused(tmp_path):
    file = zipped(tmp_path / "set.zip", IMAGES)
    with pytest.raises(ValueError, match="must hold 3 images, and holds 2"):
        by_hand(file, tmp_path / "data", images=3)
    assert not (tmp_path / "data").exists()
