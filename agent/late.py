"""Modules that libraries import and the agent hardly ever uses: loaded when they are first used (decision 0266).

The law: what is used late is the real thing, or an error says what to do; it never silently does something else.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

# Who imports it, and for what.
LATE = (
    "aiohttp.client_middleware_digest_auth",  # aiohttp: passwords by digest
    "aiohttp.tracing",  # aiohttp: watching a client's requests
    "ast",  # inspect: signatures of functions in C
    "attr.validators",  # attrs, for aiohttp: which checks none
    "bz2",  # shutil: archives
    "html.entities",  # html: unescaping
    "idna",  # yarl: hosts beyond ASCII
    "locale",  # calendar: names of days in other languages
    "lzma",  # shutil: archives
    "msgspec._json_schema",  # msgspec: JSON Schema
    "msgspec.inspect",
    "msgspec.toml",
    "msgspec.yaml",
    "netrc",  # aiohttp: passwords from the environment, which is off
    "pickle",  # aiohttp: cookies in files
    "urllib.request",  # aiohttp, paho: proxies from the environment, which is off
)


class _Late(ModuleType):
    """Stands for a module. While libraries load, its names are placeholders; then they are the real module's."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:  # still loading
            return _Placeholder(name, (), {"_module": self.__name__})
        return getattr(_real(self.__name__), name)


class _Placeholder(type):
    """Makes classes for what a library only names while it loads; who uses one later uses the real thing."""

    _module: str

    def _meant(cls) -> Any:
        if "_module" not in vars(cls):
            _refuse(f"{cls.__qualname__} is derived from a class of {cls._module}")
        return getattr(_real(cls._module), cls.__name__)

    def __call__(cls, *args: object, **kwargs: object) -> Any:
        return cls._meant()(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return "_module" in vars(cls) and isinstance(instance, cls._meant())  # nothing is of a derived class

    def __contains__(cls, item: object) -> bool:
        return item in cls._meant()

    def __getitem__(cls, key: object) -> Any:
        return cls._meant()[key]


def _real(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _Late):  # used while libraries load: then it is loaded as ever
        del sys.modules[name]
    return importlib.import_module(name)


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(f"{what}, which was not loaded: take it off the list in agent/late.py")


@contextmanager
def loaded_late() -> Iterator[None]:
    """While the body imports, leave out the modules of LATE that nobody has loaded yet."""
    stand_ins = {name: _Late(name) for name in LATE if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is not stand_in:
                continue
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent in sys.modules and not hasattr(sys.modules[parent], child):
                setattr(sys.modules[parent], child, stand_in)  # for whoever says parent.child
