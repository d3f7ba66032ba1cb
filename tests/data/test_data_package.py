import subprocess
import sys

import pytest

import esrgan.data


@pytest.mark.parametrize("name", esrgan.data.__all__)
def test_each_public_name_is_there(name):
    assert getattr(esrgan.data, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'esrgan\.data' has no attribute 'PatchDatset'"):
        _ = esrgan.data.PatchDatset


def test_the_processes_that_prepare_data_do_not_wait_for_torch():
    code = "import sys, esrgan.data; print({'torch', 'pytorch_lightning'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"


def test_the_processes_that_load_data_do_not_wait_for_lightning():
    code = "import sys, esrgan.data.patches; print('pytorch_lightning' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
