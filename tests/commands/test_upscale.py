import errno
import os
import re
import stat
import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from small_upscaler import by_network, noise, tiny_network
from srvgg_weights import formula_weights, published_shapes

from esrgan.commands import upscale
from esrgan.inference import Upscaler
from esrgan.runs import write_checkpoint
from esrgan.upscaling.enlarge import enlarge
from esrgan.weights import interpolate, save_release

SCRIPT = Path(__file__).parents[2] / "scripts/upscale.py"


@pytest.fixture
def run(call):
    return lambda *arguments: call("upscale.py", upscale.main, *arguments)


@pytest.fixture(scope="module")
def network():
    return tiny_network(0)


@pytest.fixture
def weights(network, tmp_path):
    save_release(tmp_path / "tiny.pth", network, metadata={})
    return tmp_path / "tiny.pth"


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate("abc"):
        Pillow.fromarray(noise(6, 8, 3, seed=number)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "results"


def pixels(path):
    with Pillow.open(path) as image:
        return np.asarray(image)


def written(folder):
    """Temporary files included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_network_the_device_and_the_speed_are_named(run, weights, photos, output):
    code, printed, errors = run(weights, photos, "--output", output, "--device", "cpu")
    first, last = printed.splitlines()
    assert re.fullmatch(rf"{weights}: x4, on cpu, (fp32|bf16) \(16-bit pictures: fp32\)", first)
    assert re.fullmatch(r"3 of 3 written: 0\.0 megapixels in .* s \(.* per second\)", last)
    assert (code, errors) == (0, "")
    assert written(output) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(("file_format", "limit"), [("jpg", 12), ("webp", 1)])
def test_other_formats_and_names(run, network, weights, photos, output, file_format, limit):
    options = ("--format", file_format, "--suffix", "_x4", "--precision", "fp32")
    assert run(weights, photos / "a.png", "--output", output, *options)[0] == 0
    assert written(output) == [f"a_x4.{file_format}"]
    found = pixels(output / f"a_x4.{file_format}").astype(int)
    expected = by_network(network, noise(6, 8, 3))
    assert np.abs(found - expected).mean() < limit
    size = (output / f"a_x4.{file_format}").stat().st_size
    run(weights, photos / "a.png", "--output", output, *options, "--overwrite", "--quality", 30)
    assert (output / f"a_x4.{file_format}").stat().st_size < size


def test_what_a_format_cannot_hold_is_refused_before_the_network_works(
    run, weights, photos, output, monkeypatch
):
    monkeypatch.setattr(upscale, "enlarge", lambda *_, **__: pytest.fail("it has begun to work"))
    Pillow.fromarray(noise(6, 8, 4)).save(photos / "a.png")
    Pillow.fromarray(noise(6, 4097, 3)).save(photos / "b.png")
    Pillow.fromarray(noise(6, 8).astype(np.uint16)).save(photos / "c.png")
    code, _, errors = run(weights, photos / "a.png", "--output", output, "--format", "jpg")
    assert (code, errors.count("\n")) == (2, 1)
    assert "transparent pixels, which JPEG cannot hold: use PNG or WebP" in errors
    images = (photos / "b.png", photos / "c.png")
    code, _, errors = run(weights, *images, "--output", output, "--format", "webp")
    wide, deep = errors.splitlines()
    assert wide.endswith("b.png: WebP cannot hold 16388 x 24 pixels: use PNG")
    assert deep.endswith("c.png: has 16 bits, and WebP cannot hold more than 8: use PNG")
    monkeypatch.setattr(upscale, "MAX_PIXELS", 24 * 32 - 1)
    code, _, errors = run(weights, photos / "a.png", "--output", output, "--outscale", 1)
    assert (code, errors.count("\n")) == (2, 1)
    assert "more than 767 pixels" in errors
    assert not output.exists()


@pytest.mark.parametrize(("factor", "size"), [(2, (12, 16)), (3.3, (20, 26)), (0.01, (1, 1))])
def test_the_results_have_the_size_asked_for(run, network, weights, photos, output, factor, size):
    options = ("--precision", "fp32", "--outscale", factor)
    assert run(weights, photos / "a.png", "--output", output, *options)[0] == 0
    found = pixels(output / "a.png")
    assert found.shape[:2] == size
    sr = Pillow.fromarray(by_network(network, noise(6, 8, 3)))
    lanczos = np.asarray(sr.resize(size[::-1], Pillow.Resampling.LANCZOS))
    assert np.abs(found.astype(int) - lanczos).mean() < 2


def test_two_networks_are_interpolated(run, network, weights, photos, output, tmp_path):
    other = tiny_network(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.2 * parameter.abs().mean() * torch.randn(parameter.shape))
    save_release(tmp_path / "gan.pth", other, metadata={})
    mixing = ("--with", tmp_path / "gan.pth", "--alpha", 0.3, "--precision", "fp32")
    code, printed, errors = run(weights, photos / "a.png", "--output", output, *mixing)
    assert (code, errors) == (0, "")
    assert printed.startswith(f"0.7 {weights} + 0.3 {tmp_path / 'gan.pth'}: x4")
    expected = by_network(interpolate(network, other, 0.3), noise(6, 8, 3))
    np.testing.assert_allclose(pixels(output / "a.png"), expected, atol=1, rtol=0)
    save_release(tmp_path / "gan.pth", tiny_network(9), metadata={}, overwrite=True)
    code, _, errors = run(weights, photos / "b.png", "--output", output, *mixing)
    assert code == 0
    assert errors.startswith("warning: these networks have hardly a training in common")


@pytest.fixture
def general(tmp_path):
    """The two networks of a size for tests, under their published names and in their layout."""
    shapes = published_shapes(num_features=8, num_convs=3, scale=4)
    for name, first in (("realesr-general-x4v3", 0), ("realesr-general-wdn-x4v3", 1000)):
        torch.save({"params": formula_weights(shapes, first=first)}, tmp_path / f"{name}.pth")
    return tmp_path / "realesr-general-x4v3.pth"


@pytest.mark.parametrize(("denoise", "golden"), [(0.3, "0.3"), (0, "b"), (1, "a")])
def test_denoising_mixes_the_two_published_networks(
    run, general, output, tmp_path, reference_data, denoise, golden
):
    data = np.load(reference_data / "real_esrgan/srvgg.npz")
    Pillow.fromarray(data["input_u8"][0].transpose(1, 2, 0)).save(tmp_path / "a.png")
    options = ("--denoise", denoise, "--precision", "fp32")
    code, printed, _ = run(general, tmp_path / "a.png", "--output", output, *options)
    assert code == 0
    expected = np.rint(data[f"out_dni_{golden}"][0].clip(0, 1) * 255).transpose(1, 2, 0)
    np.testing.assert_allclose(pixels(output / "a.png"), expected, atol=1, rtol=0)
    partner = tmp_path / "realesr-general-wdn-x4v3.pth"
    mixed = f"{denoise} {general} + {1 - denoise} {partner}: x4"
    assert printed.startswith(f"{general}: x4" if denoise == 1 else mixed)


def test_denoising_all_needs_no_partner_and_a_partner_may_be_elsewhere(
    run, general, photos, output, tmp_path
):
    partner = tmp_path / "realesr-general-wdn-x4v3.pth"
    elsewhere = partner.rename(photos / "wdn.pth")
    words = (general, photos / "a.png", "--output", output, "--overwrite")
    assert run(*words, "--denoise", 1)[0] == 0
    code, printed, _ = run(*words, "--denoise", 0.5, "--denoise-partner", elsewhere)
    assert code == 0
    assert printed.startswith(f"0.5 {general} + 0.5 {elsewhere}: x4")
    code, _, errors = run(*words, "--denoise", 0.5)
    assert (code, errors.count("\n")) == (2, 1)
    for part in (f"{partner}, which is not there", "download realesr_general_wdn", "--denoise 1"):
        assert part in errors
    code, _, errors = run(*words, "--denoise", 0.5, "--denoise-partner", general)
    assert "is itself the network that hardly denoises" in errors


def test_only_networks_of_one_architecture_are_mixed_to_denoise(run, weights, general, photos):
    options = ("--output", photos / "results", "--denoise", 0.5)
    code, _, errors = run(weights, photos / "a.png", *options)
    assert (code, errors.count("\n")) == (2, 1)
    assert "network is RRDBNet and SRVGGNetCompact" in errors


def test_a_run_stands_for_its_newest_weights(run, network, photos, output, tmp_path):
    for number, seed in ((1, 5), (2, 0)):
        state = {"ema": tiny_network(seed).state_dict()}
        write_checkpoint(tmp_path / "run/checkpoints", number, state)
    arguments = (tmp_path / "run", photos / "a.png", "--output", output, "--precision", "fp32")
    assert run(*arguments)[0] == 0
    expected = by_network(network, noise(6, 8, 3))
    np.testing.assert_allclose(pixels(output / "a.png"), expected, atol=1, rtol=0)
    save_release(tmp_path / "run/released.pth", tiny_network(7), metadata={})
    assert run(*arguments, "--overwrite")[1].startswith(str(tmp_path / "run/released.pth"))


def test_options_reach_the_upscaler(run, weights, photos, output, monkeypatch):
    made = []

    class Recorder(Upscaler):
        def __init__(self, *arguments, **options):
            made.append(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr("esrgan.inference.Upscaler", Recorder)
    options = ("--tile", 5, "--self-ensemble", "--precision", "bf16")
    assert run(weights, photos, "--output", output, *options)[0] == 0
    assert [(m["tile"], m["self_ensemble"], m["dtype"]) for m in made] == [
        (5, True, torch.bfloat16)
    ]
    made.clear()
    run(weights, photos, "--output", output, "--overwrite")
    assert [(m["tile"], m["self_ensemble"]) for m in made] == [(None, False)] * 2
    assert made[1]["dtype"] == torch.float32


def test_earlier_results_stay_unless_told_otherwise(run, weights, photos, output):
    output.mkdir()
    (output / "b.png").write_text("mine")
    code, printed, errors = run(weights, photos, "--output", output)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert written(output) == ["b.png"]
    code, printed, _ = run(weights, photos, "--output", output, "--skip-existing")
    assert code == 0
    assert printed.startswith("1 of 3 exist and are left\n")
    assert "2 of 2 written" in printed
    assert (output / "b.png").read_text() == "mine"
    code, printed, _ = run(weights, photos, "--output", output, "--skip-existing")
    assert (code, printed) == (0, "3 of 3 exist and are left\n")
    assert run(weights, photos, "--output", output, "--overwrite")[0] == 0
    assert pixels(output / "b.png").shape == (24, 32, 3)


def test_what_is_finished_stays_after_control_c(run, weights, photos, output, monkeypatch):
    def interrupted(picture, *arguments, **options):
        if (picture.colour == noise(6, 8, 3, seed=2)).all():
            raise KeyboardInterrupt
        return enlarge(picture, *arguments, **options)

    monkeypatch.setattr(upscale, "enlarge", interrupted)
    code, printed, errors = run(weights, photos, "--output", output)
    assert (code, len(printed.splitlines())) == (130, 1)
    assert errors == (
        "stopped: what is written is complete, --skip-existing goes on\ninterrupted\n"
    )
    assert written(output) == ["a.png", "b.png"]
    monkeypatch.undo()
    assert run(weights, photos, "--output", output, "--skip-existing")[0] == 0
    assert written(output) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_the_work_and_leaves_what_is_finished(
    run, weights, photos, output, monkeypatch, number
):
    remaining = [None, OSError(number, os.strerror(number)), AssertionError("goes on")]

    def fail(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and (error := remaining.pop(0)):
            raise error

    monkeypatch.setattr("os.fsync", fail)
    code, _, errors = run(weights, photos, "--output", output)
    assert (code, errors.count("\n")) == (2, 1)
    assert re.search(r"b\.png cannot be written: .*\. Make room, and go on with --skip", errors)
    assert written(output) == ["a.png"]


def test_a_file_that_cannot_be_written_stops_no_other(run, weights, photos, output):
    (photos / "more").mkdir()
    Pillow.fromarray(noise(6, 8, 3)).save(photos / "more" / "d.png")
    output.mkdir()
    (output / "more").touch()
    code, printed, errors = run(weights, photos, "--output", output)
    assert code == 2
    assert "3 of 4 written" in printed
    assert "d.png cannot be written: " in errors
    assert written(output) == ["a.png", "b.png", "c.png", "more"]


def test_names_that_results_cannot_have_are_refused_before_any_work(run, weights, photos, output):
    Pillow.fromarray(noise(6, 8, 3)).save(photos / f"{'写' * 80}.png")
    Pillow.fromarray(noise(6, 8, 3)).save(photos / f"{'b' * 240}.png")
    code, printed, errors = run(weights, photos, "--output", output, "--suffix", "_" + 12 * "x")
    assert (code, printed) == (2, "")
    assert f"{'写' * 80}_{12 * 'x'}.png would be longer than the 255 bytes" in errors
    assert f"{'b' * 240}_" in errors
    code, printed, errors = run(weights, photos, "--output", output)
    assert (code, errors) == (0, "")
    assert "5 of 5 written" in printed


def test_too_little_memory_for_one_picture_stops_no_other(
    run, weights, photos, output, monkeypatch
):
    errors_to_come = [None, MemoryError(), ValueError("memory is too short")]

    def short_of_memory(*arguments, **options):
        if error := errors_to_come.pop(0):
            raise error
        return enlarge(*arguments, **options)

    monkeypatch.setattr(upscale, "enlarge", short_of_memory)
    code, printed, errors = run(weights, photos, "--output", output)
    assert code == 2
    assert "1 of 3 written" in printed
    assert errors == f"{photos}/b.png: out of memory\n{photos}/c.png: memory is too short\n"
    assert written(output) == ["a.png"]


def test_mistakes_end_in_one_line_before_any_work(run, weights, photos, output, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.pth").write_text("no weights")
    cases = {
        "nowhere.png must be a file": (weights, "nowhere.png"),
        "empty holds no images": (weights, photos, tmp_path / "empty"),
        "nowhere.pth must be a file of weights": ("nowhere.pth", photos),
        "empty must be a file of weights": (tmp_path / "empty", photos),
        "is not a torch file": (tmp_path / "bad.pth", photos),
        "a.png is not a file of weights, but a picture": (photos / "a.png", photos),
        "--alpha and --with belong together": (weights, photos, "--alpha", 1),
        "--alpha and --with belong": (weights, photos, "--with", weights),
        "--denoise (1.5) must be": (weights, photos, "--denoise", 1.5),
        "--denoise (nan) must be": (weights, photos, "--denoise", "nan"),
        "--denoise and --with both": (
            *(weights, photos, "--with", weights, "--alpha", 0.5, "--denoise", 0.5),
        ),
        "--denoise-partner has no effect without --denoise": (
            *(weights, photos, "--denoise-partner", weights),
        ),
        "--alpha (1.5) must be": (weights, photos, "--with", weights, "--alpha", 1.5),
        "--outscale (0) must be": (weights, photos, "--outscale", 0),
        "--outscale (inf) must be": (weights, photos, "--outscale", "inf"),
        "--quality has no effect on png": (weights, photos, "--quality", 90),
        "--quality (101) must be": (weights, photos, "--format", "jpg", "--quality", 101),
        "--quality (0) must be": (weights, photos, "--format", "jpg", "--quality", 0),
        "--tile (0) must be at least 1": (weights, photos, "--tile", 0),
        "--suffix (../x) must be": (weights, photos, "--suffix", "../x"),
        "--device xpu9q cannot be used": (weights, photos, "--device", "xpu9q"),
        "--device cuda:77 cannot be used": (weights, photos, "--device", "cuda:77"),
    }
    for words, arguments in cases.items():
        code, printed, errors = run(*arguments, "--output", output)
        assert (code, printed, errors.count("\n")) == (2, "", 1), words
        assert errors.startswith("error: ") and words in errors
    code, _, errors = run(weights, photos, "--output", photos, "--overwrite")
    assert (code, errors.count("\n")) == (2, 1)
    assert "are some of the images, and would be written over" in errors
    assert not output.exists()
    for bad in (("--skip-existing", "--overwrite"), ("--format", "gif"), ("--precision", "int8")):
        with pytest.raises(SystemExit) as caught:
            run(weights, photos, "--output", output, *bad)
        assert caught.value.code == 2


def test_the_bar_shows_megapixels_on_a_terminal_only(run, weights, photos, output, monkeypatch):
    (photos / "bad.png").write_text("no image")
    _, _, errors = run(weights, photos, "--output", output)
    assert len(errors.splitlines()) == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, _, errors = run(weights, photos, "--output", output, "--overwrite")
    last = [line for line in re.split(r"[\r\n]", errors) if "px" in line][-1]
    assert "100%" in last
    assert "2.30k/2.30k" in last  # three times 24 x 32
    assert "c.png" in last
    assert (photos / "bad.png").read_text() == "no image"


def test_the_script_is_the_command_of_the_package(tmp_path):
    command = [sys.executable, SCRIPT, "nowhere.pth", "nowhere.png", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nowhere.png must be a file")


def test_help_and_mistakes_do_not_wait_for_torch():
    program = """
import sys
from esrgan.commands.upscale import main
try:
    main(["--help"])
except SystemExit as exit_:
    main(["nowhere.pth", "nowhere.png", "--output", "x"])
    main(["nowhere.pth", sys.executable, "--output", "x"])
    sys.exit(exit_.code or ("torch" in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert "Enlarge pictures and videos by a trained network" in done.stdout
    images, weights = done.stderr.splitlines()
    assert images.startswith("error: nowhere.png must be a file")
    assert weights.startswith("error: nowhere.pth must be a file of weights")


def test_of_two_at_once_the_second_refuses_what_the_first_has_made(
    run, weights, photos, output, monkeypatch
):
    """The first is a process that has written b.png and c.png since the jobs were planned.

    One of them while the second reads, the other while it computes.
    """
    enlarge = upscale.enlarge

    def meanwhile(picture, *arguments, **options):
        output.mkdir(exist_ok=True)
        for name in "abc":
            with suppress(FileExistsError), (output / f"{name}.png").open("xb") as file:
                file.write(b"of the first")
        return enlarge(picture, *arguments, **options)

    monkeypatch.setattr(upscale, "enlarge", meanwhile)
    code, printed, errors = run(weights, photos, "--output", output)
    assert code == 2
    assert "0 of 3 written" in printed
    lines = errors.splitlines()
    assert [line.count("exists and is not overwritten") for line in lines] == [1, 1, 1]
    assert {(output / f"{name}.png").read_bytes() for name in "abc"} == {b"of the first"}
    assert written(output) == ["a.png", "b.png", "c.png"]
    assert run(weights, photos, "--output", output, "--overwrite")[0] == 0
    assert b"of the first" not in {(output / f"{name}.png").read_bytes() for name in "abc"}


def test_what_a_kill_left_of_a_write_is_removed_by_the_next_one(run, weights, photos, output):
    killed = "import os, sys; from pathlib import Path; from esrgan.files import writing_whole\n"
    killed += "with writing_whole(Path(sys.argv[1]), overwrite=False): os._exit(9)"
    output.mkdir()
    subprocess.run([sys.executable, "-c", killed, output / "a.png"])
    (left,) = output.iterdir()
    assert left.name.endswith(".partial")
    of_another_machine = left.with_name(".00000000-4711-0.partial")
    of_a_living_one = left.with_name(f"{left.name.partition('-')[0]}-{os.getppid()}-0.partial")
    for path in (of_another_machine, of_a_living_one):
        path.write_bytes(b"half")
    assert run(weights, photos / "a.png", "--output", output)[0] == 0
    assert set(output.iterdir()) == {output / "a.png", of_another_machine, of_a_living_one}


def test_a_damaged_picture_is_named_and_enlarged_only_if_asked_for(run, weights, photos, output):
    stream = BytesIO()
    Pillow.fromarray(noise(24, 32, 3)).save(stream, "JPEG")
    (photos / "cut.jpg").write_bytes(stream.getvalue()[:-200] + b"\xff\xd9")
    code, _, errors = run(weights, photos / "cut.jpg", "--output", output)
    assert code == 2
    assert "cut.jpg: the content is damaged or cut short: " in errors
    assert not output.exists()
    assert run(weights, photos / "cut.jpg", "--output", output, "--tolerant")[0] == 0
    assert pixels(output / "cut.png").shape == (96, 128, 3)
