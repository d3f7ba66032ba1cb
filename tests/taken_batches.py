"""What a training takes out of its data, one batch after the other."""


def taken(module, **how):
    stream = module.stream(**how)
    try:
        return [take(stream) for _ in module.iterations]
    finally:
        stream.close()


def take(stream):
    while (batch := stream.take(timeout=0.1)) is None:
        pass
    return batch
