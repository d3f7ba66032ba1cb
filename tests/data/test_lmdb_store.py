import multiprocessing
import os
import pickle

import lmdb
import pytest

from esrgan.data.lmdb_store import LmdbReader, LmdbWriter


@pytest.fixture
def folder(tmp_path):
    with LmdbWriter(tmp_path / "store") as writer:
        writer.put([(b"b", b"second"), (b"a", b"first")])
    return tmp_path / "store"


def read_and_report(reader, queue):
    queue.put(reader.read(b"a", bytes))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_reader_that_was_used_can_be_handed_to_a_process_of_any_start_method(folder, method):
    reader = LmdbReader(folder)
    assert reader.read(b"a", bytes) == b"first"
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=read_and_report, args=(reader, queue))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert queue.get() == b"first"
    assert reader.read(b"b", bytes) == b"second"  # the parent goes on reading


def in_a_fork(check):
    child = os.fork()
    if child == 0:
        os._exit(0 if check() else 1)
    return os.waitpid(child, 0)[1] == 0


def test_no_open_file_is_taken_across_a_fork(folder):
    reader = LmdbReader(folder)
    reader.read(b"a", bytes)
    # lmdb itself refuses to open a file that the process has open, or has inherited
    assert in_a_fork(lambda: lmdb.open(str(folder), readonly=True, lock=False))
    assert reader.read(b"a", bytes) == b"first"


def test_a_fork_of_a_fork_reads(folder):
    reader = LmdbReader(folder)
    reader.read(b"a", bytes)

    def read_and_fork():
        return reader.read(b"b", bytes) and in_a_fork(lambda: reader.read(b"a", bytes))

    assert in_a_fork(read_and_fork)


def test_two_readers_of_a_file_work_in_one_process_under_different_paths(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert LmdbReader(folder).read(b"a", bytes) == b"first"
    assert LmdbReader(tmp_path / "link").read(b"b", bytes) == b"second"


def test_a_reader_is_small_when_pickled(folder):
    reader = LmdbReader(folder)
    reader.read(b"a", bytes)
    assert len(pickle.dumps(reader)) < 1000


def test_keys_are_in_order(folder):
    assert list(LmdbReader(folder).keys()) == [b"a", b"b"]


def test_a_missing_key_is_named_with_its_folder(folder):
    with pytest.raises(ValueError, match=r"record 'c' of .*store is missing"):
        LmdbReader(folder).read(b"c", bytes)


def test_a_truncated_file_is_refused_before_it_is_mapped(folder):
    with LmdbWriter(folder) as writer:
        writer.put([(b"large", bytes(100_000))])
    os.truncate(folder / "data.mdb", (folder / "data.mdb").stat().st_size - 50_000)
    with pytest.raises(ValueError, match=r"truncated"):
        LmdbReader(folder).read(b"large", bytes)  # without the check: SIGBUS


def test_a_file_that_is_no_lmdb_is_refused(folder):
    (folder / "data.mdb").write_bytes(b"no LMDB" * 5000)
    with pytest.raises(ValueError, match=r"cannot be opened"):
        LmdbReader(folder).read(b"a", bytes)


def test_the_map_grows_to_values_larger_than_it(tmp_path, monkeypatch):
    monkeypatch.setattr("esrgan.data.lmdb_store._FIRST_MAP_BYTES", 1 << 16)
    values = [(f"{number}".encode(), os.urandom(100_000)) for number in range(10)]
    with LmdbWriter(tmp_path) as writer:
        writer.put(values[:5])
        writer.put(values[5:])
    reader = LmdbReader(tmp_path)
    assert all(reader.read(key, bytes) == value for key, value in values)
    assert (tmp_path / "data.mdb").stat().st_size < 1_200_000


def test_the_map_grows_where_a_removal_needs_room(tmp_path, monkeypatch):
    monkeypatch.setattr("esrgan.data.lmdb_store._FIRST_MAP_BYTES", 1 << 16)
    keys = [f"{number}".encode() for number in range(10)]
    with LmdbWriter(tmp_path) as writer:
        writer.put([(key, bytes(100_000)) for key in keys])
    with LmdbWriter(tmp_path) as writer:  # its map is as large as the file, which is full
        writer.keep_only(set(keys[:9]))
    assert list(LmdbReader(tmp_path).keys()) == keys[:9]


def test_other_programs_can_open_what_was_written(folder):
    # the format of LMDB 0.9: version 1, in the first page after a header of 16 bytes and the magic
    head = (folder / "data.mdb").read_bytes()[:24]
    assert head[16:24] == (0xBEEFC0DE).to_bytes(4, "little") + (1).to_bytes(4, "little")


def test_keep_only_removes_all_other_records(folder):
    with LmdbWriter(folder) as writer:
        writer.keep_only({b"b"})
    with lmdb.open(str(folder), readonly=True) as environment:
        assert environment.stat()["entries"] == 1


def test_the_writer_maps_no_lock_file_which_a_full_disk_would_make_deadly(tmp_path):
    with LmdbWriter(tmp_path / "store") as writer:
        writer.put([(b"a", b"first")])
        assert [path.name for path in (tmp_path / "store").iterdir()] == ["data.mdb"]


@pytest.mark.parametrize("size", [0, 4096])
def test_what_a_full_disk_left_of_a_beginning_is_begun_anew(tmp_path, size):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/data.mdb").write_bytes(bytes(size))
    with LmdbWriter(tmp_path / "store") as writer:
        writer.put([(b"a", b"first")])
    assert LmdbReader(tmp_path / "store").read(b"a", bytes) == b"first"
