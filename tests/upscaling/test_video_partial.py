import pytest

from esrgan.upscaling.video_partial import digest, open_partial, piece_path

ASKED = {"--crf": 18, "--outscale": None}


def test_a_folder_with_pieces_stays_for_the_same_command_only(tmp_path):
    target = tmp_path / "new/clip.mp4"
    with open_partial(target, ASKED) as folder:
        piece_path(folder, 0).touch()
    assert folder == tmp_path / "new/clip.mp4.partial"
    with open_partial(target, ASKED):
        assert piece_path(folder, 0).exists()
    changed = (
        ("--crf 18, and now it is 20", ASKED | {"--crf": 20}),
        ("--outscale unset, and now it is 2.0", ASKED | {"--outscale": 2.0}),
        ("--tile unset, and now it is 64", ASKED | {"--tile": 64}),
        ("--crf 18, and now it is unset", {"--outscale": None}),
    )
    for words, asked in changed:
        with (
            pytest.raises(ValueError, match=f"begun with {words}: give what"),
            open_partial(target, asked),
        ):
            pass
    assert piece_path(folder, 0).exists()


def test_a_folder_without_pieces_goes(tmp_path):
    with pytest.raises(KeyError), open_partial(tmp_path / "clip.mp4", ASKED):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_cut_short_is_removed(tmp_path):
    with open_partial(tmp_path / "clip.mp4", ASKED) as folder:
        piece_path(folder, 0).touch()
        (folder / ".12-3.partial").touch()
    with open_partial(tmp_path / "clip.mp4", ASKED):
        assert not (folder / ".12-3.partial").exists()


def test_nothing_of_a_users_is_touched(tmp_path):
    (tmp_path / "clip.mp4.partial").mkdir()
    (tmp_path / "clip.mp4.partial/mine.txt").touch()
    with (
        pytest.raises(ValueError, match=r"holds mine.txt, and is no unfinished result"),
        open_partial(tmp_path / "clip.mp4", ASKED),
    ):
        pass
    with open_partial(tmp_path / "other.mp4", ASKED) as folder:
        (folder / "mine.txt").touch()
    assert (folder / "mine.txt").exists()


def test_two_processes_do_not_make_one_result(tmp_path):
    with (
        open_partial(tmp_path / "clip.mp4", ASKED),
        pytest.raises(ValueError, match=r"clip.mp4 is being made by another process"),
        open_partial(tmp_path / "clip.mp4", ASKED),
    ):
        pass


def test_a_digest_is_of_the_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest(tmp_path / "abc") == "ba7816bf8f01cfea"  # of FIPS 180-4's example
