import hashlib
import subprocess
import sys
from functools import partial

import pytest
import yaml

from esrgan.commands import download
from esrgan.commands.configs import configs_folder
from esrgan.data.layouts import pair_folders
from esrgan.downloads.table import read_table

NIQE = b"the parameters"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    """Calls the command in a folder of its own, with a table of two entries."""
    about = {"about": "parameters", "terms": "none", "use": "evaluate.py {target}"}
    file = {"file": "p.npz", "page": "https://a.org", "size": len(NIQE)}
    file |= {"sha256": hashlib.sha256(NIQE).hexdigest()}
    table = {
        "niqe": about | {"target": "niqe/p.npz", "sources": [file]},
        "vgg": about | {"target": "w/v.pth", "sources": [{"file": "v.pth", "page": "b.org"}]},
    }
    (tmp_path / "downloads.yaml").write_text(yaml.safe_dump(table))
    monkeypatch.setattr(download, "configs_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hand").mkdir()
    (tmp_path / "hand/p.npz").write_bytes(NIQE)

    return partial(call, "download_data.py", download.main)


def test_what_was_fetched_by_hand_is_installed_and_its_use_is_told(run, tmp_path):
    code, printed, _ = run("niqe", "--from", "hand")
    assert code == 0
    assert (
        printed == "parameters; terms: none\ndata/niqe/p.npz\n  use: evaluate.py data/niqe/p.npz\n"
    )
    assert (tmp_path / "data/niqe/p.npz").read_bytes() == NIQE
    assert run("NIQE")[:2] == (0, "niqe is here already: data/niqe/p.npz\n")


def test_the_list_says_what_is_here(run):
    assert run("--list")[1].splitlines()[0].split() == ["niqe", "0.0", "kB", "parameters"]
    run("niqe", "--from", "hand")
    lines = [line for line in run("--list")[1].splitlines() if "parameters" in line]
    assert [("here" in line) for line in lines] == [True, False]


def test_what_fails_stops_no_other(run, tmp_path):
    code, _, errors = run("vgg", "niqe", "--from", "hand")
    assert code == 2
    assert errors == "error: hand must hold v.pth, and does not\n"
    assert (tmp_path / "data/niqe/p.npz").exists()
    assert not (tmp_path / "data/w").exists()


def test_a_misspelt_name_ends_before_any_work(run, tmp_path):
    code, _, errors = run("niqe", "nique", "--from", "hand")
    assert (code, errors) == (2, "error: nique is not in downloads.yaml: did you mean niqe?\n")
    assert not (tmp_path / "data").exists()


def test_control_c_stops_the_rest(run, monkeypatch):
    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("esrgan.downloads.install.install", press)
    code, _, errors = run("niqe", "vgg")
    assert code == 130
    assert errors == "the same command continues where it was\ninterrupted\n"


def test_to_see_what_there_is_no_client_of_http_is_imported():
    code = "import sys; from esrgan.commands.download import main; main(['--list'])"
    code += "; assert not {'requests', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def shipped():
    return read_table(yaml.safe_load((configs_folder() / "downloads.yaml").read_text()))


def test_the_shipped_table_has_what_the_commands_name():
    targets = {name: entry.target for name, entry in shipped().items()}
    assert targets["niqe"] == "niqe/niqe_pris_params.npz"
    names = ("Set5", "Set14", "BSD100", "Urban100", "Manga109")
    assert all(targets[name.lower()] == name for name in names)


@pytest.mark.parametrize("name", ["set5", "set14", "bsd100", "urban100", "manga109"])
def test_a_benchmark_is_laid_out_for_evaluate(name, tmp_path):
    for number, source in enumerate(shipped()[name].sources):
        folder = tmp_path / str(number)
        for inside in source.folders.values():
            (folder / inside).mkdir(parents=True)
        gt, lq = pair_folders(str(folder), scale=4)
        assert gt.parent == folder
        assert (lq is None) == (len(source.folders) == 1)


def test_the_digest_of_niqes_parameters_is_that_of_the_published_file(reference_data):
    (source,) = shipped()["niqe"].sources
    content = (reference_data / "niqe/niqe_pris_params.npz").read_bytes()
    assert (source.size, source.sha256) == (len(content), hashlib.sha256(content).hexdigest())
