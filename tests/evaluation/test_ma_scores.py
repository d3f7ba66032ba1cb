import json

import pytest

from esrgan.evaluation import MaScores

CSV = "\ufeffimage, method, score\nbaby, ours, 8.25\nbaby, GT, 9\n1, ours, 5\n"


@pytest.fixture
def scores(tmp_path):
    def read(text):
        path = tmp_path / "ma.txt"
        path.write_text(text, encoding="utf-8")
        return MaScores(path)

    return read


def test_a_table_and_a_list_of_objects_are_read_alike(scores):
    rows = [("baby", "ours", 8.25), ("baby", "GT", 9), (1, "ours", "5")]
    objects = [dict(zip(("image", "method", "score"), row, strict=True)) for row in rows]
    for text in (CSV, json.dumps(objects)):
        found = scores(text)
        assert found.find("Set5", "baby", "ours") == 8.25
        assert found.find("Set5", "baby", "GT") == 9
        assert found.find("BSD100", "1", "ours") == 5
        assert found.find("Set5", "bird", "ours") is None


def test_a_row_for_one_benchmark_counts_there_only_and_before_others(scores):
    found = scores("benchmark,image,method,score\nA,x,m,0\n,x,m,10\nA,y,m,3\n")
    assert [found.find(b, "x", "m") for b in "AB"] == [0, 10]
    assert found.find("B", "y", "m") is None


def test_what_is_missing_is_named(scores):
    found = scores(CSV)
    found.check("Set5", ["baby"], ["ours", "GT"])
    with pytest.raises(ValueError, match=r"ma\.txt has no score of theirs on baby \(Set5\)"):
        found.check("Set5", ["baby"], ["ours", "theirs"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,method\nbaby,ours\n", "entry 1: needs image, method, score"),
        ("image,method,score\na,m,1\nb,m,high\n", "entry 2: needs"),
        ("image,method,score\na,m\n", "entry 1: needs"),
        ("image,method,score\na,m,-1\n", "from 0 to 10.*is -1 for m on a"),
        ("image,method,score\na,m,10.5\n", "from 0 to 10"),
        ("image,method,score\na,m,nan\n", "from 0 to 10"),
        ("image,method,score\na,m,1\na,m,2\n", "entry 2: one score"),
        ('[{"image": "a"}]', "entry 1: needs"),
        ('{"a": 1}', "must be a list of objects"),
        ("[1]", "must be a list of objects"),
        ("[", "is broken"),
    ],
)
def test_files_that_cannot_be_used_are_refused(scores, text, message):
    with pytest.raises(ValueError, match=message):
        scores(text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "ma.mat"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ValueError, match=r"ma\.mat must be CSV or JSON"):
        MaScores(path)
