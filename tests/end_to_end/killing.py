"""Kills of a training, at random moments and inside the writing of a checkpoint."""

import random
import signal
import time


def resume(server, folder, settings, **arguments):
    holds_a_run = (folder / "experiments/run/settings.json").exists()
    return server.start(folder, settings | {"resume": holds_a_run}, **arguments)


def kill_and_resume(server, folder, settings, *, num_kills):
    """Kill a run at random moments all along it, a third of them inside a checkpoint's write."""
    moments = random.Random(num_kills)
    for number in range(num_kills):
        iteration = (settings["iterations"] - 10) * number // num_kills
        if number % 3 == 1:
            kill_in_a_write(server, folder, settings, after=iteration)
        else:
            training = resume(server, folder, settings)
            training.wait_for_iteration(iteration)
            time.sleep(moments.uniform(0, 0.05))
            kill(training)
    assert resume(server, folder, settings).wait() == 0


def kill_in_a_write(server, folder, settings, *, after):
    training = resume(server, folder, settings, fault="slow_sync")
    training.wait_for_iteration(after)
    training.wait_for(lambda: any(training.run.glob("checkpoints/*.ckpt.tmp")))
    kill(training)
    assert any(training.run.glob("checkpoints/*.ckpt.tmp"))


def kill(training):
    training.send(signal.SIGKILL)
    assert training.wait() == -signal.SIGKILL
