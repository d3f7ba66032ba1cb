import pytest
from small_upscaler import tiny_network

from esrgan.upscaling.command import main
from esrgan.weights import save_release


@pytest.fixture(scope="session")
def network():
    return tiny_network(0)


@pytest.fixture
def weights(network, tmp_path):
    save_release(tmp_path / "tiny.pth", network, metadata={})
    return tmp_path / "tiny.pth"


@pytest.fixture
def run(capsys):
    def run_command(*arguments):
        code = main(list(map(str, arguments)))
        return code, *capsys.readouterr()

    return run_command
