import threading
from collections.abc import Iterator

import pytest
from download_server import QUICK, Server

from esrgan.downloads import transfer


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name, value in QUICK.items():
        monkeypatch.setattr(transfer, name, value)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.end.set()
    server.shutdown()
    server.server_close()
    thread.join()
