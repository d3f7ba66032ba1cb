import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real images and published files that some tests compare against."""
    folder = os.environ.get("ESRGAN_REFERENCE_DATA")
    if not folder:
        pytest.skip("ESRGAN_REFERENCE_DATA is not set: it names the folder of reference images")
    return Path(folder)
