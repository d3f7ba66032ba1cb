"""The architectures of spandrel, a library that reads what others have published.

It comes with `pip install 'esrgan[spandrel]'` and is imported when the first of its networks is
asked for. Its second package, `spandrel_extra_arches`, is used where it is installed.
"""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple, get_args

from torch import Tensor, nn

Descriptor = Any
"""Spandrel's `ImageModelDescriptor`: a network, and what is known of it."""

INSTALL = "pip install 'esrgan[spandrel]' (in a checkout: pip install -e '.[spandrel]')"
_EXTRA = "spandrel_extra_arches"

# Of the code of networks, as their authors have it, where that was looked up
_LICENCES = {
    "Compact": "BSD-3-Clause",
    "DAT": "Apache-2.0",
    "ESRGAN": "Apache-2.0",
    "HAT": "Apache-2.0",
    "PLKSR": "MIT",
    "SwinIR": "Apache-2.0",
}
# What spandrel's README says of all that is in its two packages
_PERMISSIVE = "a permissive licence (MIT, Apache-2.0, BSD or public domain)"
_RESTRICTED = "a licence that is non-commercial or copyleft: see that of its authors"


class UnusableNetworkError(ValueError):
    """Spandrel knows the network, and it is none that makes an RGB image of an RGB image."""


class Choice(NamedTuple):
    """A class of networks, and the architecture of spandrel that reads their files."""

    architecture: Any
    network_class: type[nn.Module]


def is_installed() -> bool:
    return find_spec("spandrel") is not None


def registry() -> Any:  # noqa: ANN401 # its `ArchRegistry`
    """All architectures, those of the second package among them where it is installed.

    Raises:
        ValueError: spandrel is not installed.
    """
    if not is_installed():
        raise ValueError(f"spandrel is not installed, which has this network: {INSTALL}")
    import spandrel

    if find_spec(_EXTRA) is not None:
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    return spandrel.MAIN_REGISTRY


def choices() -> dict[str, Choice]:
    """What can be built, by name: that of an architecture (Compact), or of one of its classes.

    Of several classes, that which has the architecture's own name, or the first, stands for it.
    """
    found: dict[str, Choice] = {}
    for support in registry():
        architecture = support.architecture
        classes = _classes_of(architecture)
        for each in classes:
            found.setdefault(each.__name__, Choice(architecture, each))
        for each in sorted(classes, key=lambda one: one.__name__ != architecture.id)[:1]:
            found[str(architecture.id)] = Choice(architecture, each)
    return found


def listed_choices() -> str:
    """The names of architectures, and of the classes of those that have several."""
    names = set()
    for support in registry():
        classes = _classes_of(support.architecture)
        several = [each.__name__ for each in classes] if len(classes) > 1 else []
        names |= {str(support.architecture.id), *several} if classes else set()
    return ", ".join(sorted(names, key=str.lower))


def parameters_of(network_class: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """Those of its constructor, by their names."""
    parameters = dict(inspect.signature(network_class.__init__).parameters)
    del parameters["self"]
    return parameters


def licence_of(architecture: str) -> str:
    """In words: under what the code of an architecture's networks comes, by its id."""
    of_the_extra = not type(registry()[architecture].architecture).__module__.startswith(
        "spandrel."
    )
    return _LICENCES.get(architecture, _RESTRICTED if of_the_extra else _PERMISSIVE)


def described(state: Mapping[str, Tensor]) -> Descriptor:
    """What spandrel makes of weights: a network with them, and what it knows of it.

    Raises:
        UnusableNetworkError: it makes no RGB image of an RGB image.
        ValueError: spandrel is not installed, or knows no such network.
    """
    from spandrel import ImageModelDescriptor, UnsupportedModelError

    known = registry()
    try:
        with quietly():
            descriptor = known.load(dict(state))  # a copy: it may change what it is given
    except UnsupportedModelError as error:
        raise ValueError("spandrel does not recognise its weights") from error
    except Exception as error:  # what it takes for granted may fail in any way
        name = name_of(state) or "a network"
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ValueError(f"spandrel takes it for {name}, and cannot read it: {reason}") from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UnusableNetworkError(
            f"it holds {descriptor.architecture.name}, which fills in what a mask leaves out "
            f"({descriptor.purpose}): a network that takes an image alone is needed"
        )
    channels = descriptor.input_channels, descriptor.output_channels
    if channels != (3, 3):
        raise UnusableNetworkError(
            f"it holds {descriptor.architecture.name} from {channels[0]} to {channels[1]} "
            "channels: networks from RGB to RGB (3 to 3) are used, no grey or transparent ones"
        )
    return descriptor


@contextmanager
def quietly() -> Iterator[None]:
    """Without what PyTorch has to say to the authors of networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def name_of(state: Mapping[str, Tensor]) -> str | None:
    """What spandrel calls the network whose weights these are; None: nothing, or it is not there.

    Its detection may fail on anything.
    """
    if not is_installed():
        return None
    for support in registry().architectures("detection"):
        try:
            if support.detect(dict(state)):
                return str(support.architecture.name)
        except Exception:
            return None
    return None


def _classes_of(architecture: object) -> tuple[type[nn.Module], ...]:
    """`Architecture[SPAN]` is for one class, `Architecture[PLKSR | RealPLKSR]` for two."""
    for base in getattr(type(architecture), "__orig_bases__", ()):
        for argument in get_args(base):
            several = get_args(argument) or (argument,)
            return tuple(each for each in several if issubclass(each, nn.Module))
    return ()
