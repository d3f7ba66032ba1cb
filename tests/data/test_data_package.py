import subprocess
import sys

import pytest

import esrgan.data

PUBLIC = [
    "CODECS",
    "FolderImages",
    "FolderPairs",
    "ImageError",
    "LmdbImages",
    "LmdbPairs",
    "Picture",
    "Recipe",
    "SubImages",
    "build_dataset",
    "image_size",
    "list_images",
    "read_image",
    "read_picture",
    "refuse_losses",
    "write_picture",
    "write_png",
    "write_sample_photographs",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there(name):
    assert getattr(esrgan.data, name) is not None


def test_the_processes_that_prepare_data_do_not_wait_for_torch():
    code = "import sys, esrgan.data; print({'torch', 'pytorch_lightning'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"


def test_the_processes_that_load_data_do_not_wait_for_lightning():
    code = "import sys, esrgan.data.patches; print('pytorch_lightning' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
