"""What a machine measured is kept in a file of its own, which only grows."""

import csv

import pytest
from bench.record import COLUMNS, file_name, precision_of, record
from bench.result import Table

MACHINE = {
    "CPU": "AMD EPYC 9R14",
    "instructions": "avx512_bf16 avx2",
    "GPU": "none",
    "threads": "2",
    "load before": "1.5 1.0 0.9",
    "torch": "2.14",
    "esrgan": "0.2",
}
STEPS = Table(
    "Training step",
    "",
    [
        {"form": "plain loop, fp32", "s per iteration": 2.0, "MiB": 100.0, "GFLOP/s": 50.0},
        {"form": "train.py (bf16-mixed, EMA)", "s per iteration": 1.0, "waits for data": "1.0%"},
    ],
)
LOADING = Table("Loading", "", [{"store": "LMDB, raw", "ms per patch": 0.5}])
QUALITY = Table("Quality", "", [{"seed": "0", "bf16": "27.60"}])


def rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_each_row_says_what_was_timed_and_where(tmp_path):
    path = record(tmp_path / "speed", MACHINE, [STEPS, LOADING, QUALITY])
    assert path.name == "amd-epyc-9r14-avx512-bf16-avx2.csv"
    plain, ours, loading = rows(path)  # none of what has no seconds
    assert (plain["machine"], plain["instructions"]) == ("AMD EPYC 9R14", "avx512_bf16 avx2")
    assert (plain["torch"], plain["threads"], plain["precision"]) == ("2.14", "2", "fp32")
    assert plain["load before"] == "1.5 1.0 0.9: shared with other work"
    assert [row["s"] for row in (plain, ours, loading)] == ["2", "1", "0.0005"]
    assert (ours["precision"], ours["waits for data"], ours["MiB"]) == ("bf16", "1.0%", "")
    assert loading["form"] == "LMDB, raw"


def test_a_second_run_is_appended_and_another_machine_has_another_file(tmp_path):
    first = record(tmp_path, MACHINE, [STEPS])
    before = first.read_bytes()
    assert record(tmp_path, MACHINE | {"load before": "0.1 1 1"}, [STEPS]) == first
    assert first.read_bytes().startswith(before)
    assert len(rows(first)) == 4
    assert rows(first)[-1]["load before"] == "0.1 1 1"
    card = record(tmp_path, MACHINE | {"GPU": "NVIDIA H200"}, [STEPS])
    assert card.name == "nvidia-h200.csv"
    assert (rows(card)[0]["machine"], rows(card)[0]["instructions"]) == ("NVIDIA H200", "")
    assert file_name(MACHINE | {"instructions": "avx2"}) == "amd-epyc-9r14-avx2"


def test_a_file_of_another_version_is_left_as_it_is(tmp_path):
    path = record(tmp_path, MACHINE, [STEPS])
    older = path.read_text(encoding="utf-8").replace(",MiB", "", 1)
    path.write_text(older, encoding="utf-8")
    with pytest.raises(ValueError, match="has other columns than this version writes"):
        record(tmp_path, MACHINE, [STEPS])
    assert path.read_text(encoding="utf-8") == older


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("train.py (32-true, EMA, guard)", "fp32"),
        ("Upscaler, bf16, whole", "bf16"),
        ("ours, a sample at a time", ""),
    ],
)
def test_the_number_format_is_that_of_the_forms_name(form, expected):
    assert precision_of(form) == expected
    assert "precision" in COLUMNS
