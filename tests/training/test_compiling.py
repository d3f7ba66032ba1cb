"""What is compiled computes the same, and nobody but the steps knows of it.

The compiler is aot_eager, which does all but making machine code, and takes seconds less;
`test_compiled` has the real one.
"""

import pytest
import torch
from small_gan import Critic, stage
from small_stage import Enlarge, batches, fit
from torch import nn
from two_processes import in_two_processes, share

from esrgan.networks import VGGDiscriminator
from esrgan.training.compiling import compile_parts

pytestmark = pytest.mark.slow

COMPILE = torch.compile
CPU = torch.device("cpu")


class Compiler:
    """Stands in for `torch.compile`, and counts what it is given to compile."""

    def __init__(self) -> None:
        self.graphs = 0
        torch._dynamo.reset()

    def __call__(self, function, *, dynamic, mode="default"):
        assert dynamic is False
        return COMPILE(function, dynamic=False, backend=self._compile)

    def _compile(self, graph, inputs):
        self.graphs += 1
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)


@pytest.fixture
def compiler(monkeypatch):
    monkeypatch.setattr(torch, "compile", compiler := Compiler())
    return compiler


def gan(**changes):
    torch.manual_seed(0)
    # not a `Critic`: its list, which every pass makes longer, would be compiled anew each time
    return stage(Enlarge(batch_norm=True), nn.Sequential(*Critic()), **changes)


def assert_equal(ours, theirs):
    for name, learner in ours.learners.items():
        expected = theirs.learners[name].network.state_dict()
        torch.testing.assert_close(learner.network.state_dict(), expected, rtol=1e-7, atol=1e-9)


def test_compiled_steps_are_those_that_are_not(compiler):
    changes = {"num_micro_batches": 2, "steps_per_generator_step": 2}
    plain, compiled = gan(**changes), gan(**changes)
    compile_parts(compiled, True, device=CPU)
    compiler.graphs = 0  # but for that which was tried
    fit(plain, batches(4), "64-true")
    assert compiler.graphs == 0
    fit(compiled, batches(4), "64-true")
    assert compiler.graphs >= 4  # generator, discriminator, both losses
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert_equal(compiled, plain)


def test_a_network_with_spectral_norm_is_left_as_it_is(compiler):
    """A compiled backward pass keeps u and v themselves, which the next pass has moved by then."""
    discriminator = VGGDiscriminator(
        input_size=32, num_features=2, batch_norm=False, spectral_norm=True
    )
    training = stage(Enlarge(), discriminator)
    compile_parts(training, True, device=CPU)
    assert training.generator._compiled_call_impl is not None
    assert discriminator._compiled_call_impl is None


def steps_of_one_of_two_processes() -> None:
    torch.compile = Compiler()
    plain, compiled = gan(), gan()
    compile_parts(compiled, True, device=CPU)
    for each in (plain.double(), compiled.double()):
        fit_here(each)
    assert_equal(compiled, plain)


def test_a_message_between_processes_is_not_compiled(tmp_path):
    in_two_processes(steps_of_one_of_two_processes, tmp_path)


def fit_here(stage):
    stage.setup("fit")
    for batch in batches(3):
        stage.training_step({name: share(images) for name, images in batch.items()}, 0)
