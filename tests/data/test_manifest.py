import json

import pytest

from esrgan.data.manifest import (
    BuildSettings,
    Contents,
    Manifest,
    Record,
    digest,
    manifest_text,
    parse_record,
    read_manifest,
)

SETTINGS = BuildSettings(4, "raw", "resize_double", (480, 240), ("/photos",), ())
MANIFEST = Manifest(SETTINGS, Contents(2, 4096, 4096, "00"), "0.1.0")


def test_a_manifest_survives_the_file(tmp_path):
    (tmp_path / "manifest.json").write_text(manifest_text(MANIFEST))
    assert read_manifest(tmp_path) == MANIFEST


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1}', "null"])
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json .*rebuild"):
        read_manifest(tmp_path)


def test_a_manifest_of_a_later_format_asks_for_the_other_version(tmp_path):
    fields = json.loads(manifest_text(MANIFEST)) | {"format_version": 3}
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=r"format version 3, this package reads up to 2"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("source", ["/a/b.png", '/tab\tline\nquote"/é.png', "/bad\udcff.png"])
def test_a_record_with_any_source_is_one_line_of_ascii(source):
    record = Record("b", 480, 240, digest(b"gt"), digest(b"lq"), source)
    line = record.line()
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert parse_record(line + "\n") == record


def test_a_torn_record_is_refused():
    with pytest.raises(ValueError, match=r"not a record"):
        parse_record("b\t480\t24")


def test_the_digest_is_the_start_of_sha256():
    # FIPS 180-2, appendix B.1
    assert digest(b"abc") == "ba7816bf8f01cfea"


def test_a_manifest_of_the_first_format_is_read(tmp_path):
    fields = json.loads(manifest_text(MANIFEST)) | {"format_version": 1}
    del fields["settings"]["multi_scale"], fields["settings"]["skip_small"]
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    assert read_manifest(tmp_path) == MANIFEST
    assert (SETTINGS.multi_scale, SETTINGS.skip_small) == (False, None)
