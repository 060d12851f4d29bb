"""The secret of a signed cache: from the environment, a file or the keyring. Never an argument, which all can read."""

from __future__ import annotations

import os
import stat
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from .errors import Trouble, WrongUse
from .output import note

__all__ = ["OLDER", "SECRET", "SERVICE", "ask_keyring", "from_environment", "from_file", "from_keyring"]

SECRET: Final = "SANSIO_CACHE_SECRET"  # noqa: S105 - the name of a variable
SERVICE: Final = "sansio-cache"
"""Under which the keyring keeps secrets."""
OLDER: Final = 64 * 1024
"""Bytes of a file of secrets, at most."""


def from_environment(name: str = SECRET) -> str | None:
    """The secret in a variable, or None.

    :raises WrongUse: the variable is there and empty, which is the usual trace of a mistake.
    """
    value = os.environ.get(name)
    if value is not None and not value:
        raise WrongUse(f"{name} is set and empty: set it to the secret, or unset it for a cache that is not signed")
    return value


def from_file(path: str) -> list[str]:
    """The secrets in a file, one a line, the oldest first: the last signs, all verify.

    :raises WrongUse: it cannot be read, or holds none. The value is not shown: it may be the secret itself.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(OLDER + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no path"
        raise WrongUse(f"the file of --secret-file cannot be read: {said}. It takes a path, not the secret") from None
    if len(data) > OLDER:
        raise WrongUse("the file of --secret-file is too large to be one of secrets, one a line")
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077 and stat.S_ISREG(status.st_mode):
        note(f"warning: others may read the secret: chmod 600 {path}")
    lines = [line.removesuffix("\r") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    found = [line for line in lines if line]
    if not found:
        raise WrongUse("the file of --secret-file holds no secret")
    return found


def _keyring() -> Any:
    """The keyring's library, which is no dependency.

    :raises WrongUse: it is not installed.
    """
    try:
        return import_module("keyring")
    except ImportError:
        raise WrongUse("--keyring needs the library keyring: pip install keyring") from None


def ask_keyring(name: str, secret: str | None = None) -> str | None:
    """The secret that the user's keyring keeps under a name, or None.

    :param secret: to be kept there, where there is none.
    :raises Trouble: there is no keyring, or it does not answer.
    """
    library = _keyring()
    try:
        found: str | None = library.get_password(SERVICE, name)
        if secret is not None and not found:
            library.set_password(SERVICE, name, secret)
    except Exception as error:  # each backend has errors of its own
        raise Trouble(f"the keyring cannot be asked: {type(error).__name__}: {error}", Trouble.SECRET) from None
    return found


def from_keyring(name: str) -> str:
    """The secret that the user's keyring keeps under a name.

    :raises Trouble: there is none, or no keyring.
    """
    found = ask_keyring(name)
    if not found:
        raise Trouble(
            f"the keyring has no secret {name!r}: sansio-cache keygen --keyring {name} makes one", Trouble.SECRET
        )
    return found
