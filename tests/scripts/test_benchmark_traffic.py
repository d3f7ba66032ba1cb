"""The links and the model of the benchmark of several processes, by hand."""

import pytest
import torch
from bench import link
from bench.link import SLOW, Link, Network
from bench.processes import _experiment
from bench.sizes import PAPER, USUAL
from bench.traffic import Traffic, traffic, waiting


def test_messages_take_a_link_one_after_the_other_and_a_latency_each(monkeypatch) -> None:
    now = [10.0]
    monkeypatch.setattr(link, "perf_counter", lambda: now[0])
    network = Network()
    network.link = SLOW
    half_a_second = torch.empty(62_500_000, dtype=torch.uint8, device="meta")
    arrivals = [network.arrival(half_a_second) for _ in range(2)]
    now[0] = 12.0
    arrivals.append(network.arrival(half_a_second))
    assert arrivals == pytest.approx([10.501, 11.001, 12.501])


def test_what_is_waited_for_is_what_the_link_has_not_done_when_all_is_computed() -> None:
    slow = Link("", latency=0.01, bandwidth=100.0)
    # The link has the first from 0.5 to 1.0 s, the second until 1.2 s
    sent = Traffic([(0.5, 50.0), (0.6, 20.0)], waits=3)
    assert waiting(sent, slow, computing=1.0, processes=2) == pytest.approx(0.2 + 4 * 0.01)
    assert waiting(sent, slow, computing=10.0, processes=2) == pytest.approx(3 * 0.01)
    # Of 4, each sends 2 * 3 / 4 of the bytes, and a message takes three hops: from 0.5 to 1.55 s
    assert waiting(sent, slow, computing=1.0, processes=4) == pytest.approx(0.55 + 4 * 0.03)


def test_a_gan_step_sends_the_gradients_of_both_networks() -> None:
    sizes = USUAL._replace(trained=PAPER, batch_size=16)
    sent = traffic(_experiment("GAN", sizes))
    # 16,697,987 parameters of RRDBNet and 14,499,401 of VGGStyleDiscriminator: BasicSR's
    assert sent.num_bytes == pytest.approx(4 * (16_697_987 + 14_499_401))
    shares = [share for share, _ in sent.gradients]
    assert shares == sorted(shares) and shares[0] > 0.3 and shares[-1] == 1
    assert sent.waits == 5 * 9 + 2  # nine layers of BatchNorm
