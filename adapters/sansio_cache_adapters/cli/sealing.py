"""Commands for signatures and secrets: ``resign``, ``rotate`` and ``keygen``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

from .app import cli
from .errors import Trouble, WrongUse
from .options import command, setting_options
from .output import emit, note, progress
from .place import OpenCache, PlaceOptions, pass_place
from .secret import ask_keyring, from_environment, from_file, from_keyring

__all__ = ["keygen", "resign", "rotate"]

_NEW = "SANSIO_CACHE_NEW_SECRET"


def _resign(opened: OpenCache, *, unsign: bool = False, sign_unsigned: bool = False) -> int:
    with progress("signing", opened.store.size().entries) as tick:
        return opened.responses(tick).resign(unsign=unsign, sign_unsigned=sign_unsigned)


@command(
    cli,
    "keygen",
    short_help="Make a secret.",
    examples="""
keygen
keygen --output ~/.config/http.secret
keygen --keyring http
$ export SANSIO_CACHE_SECRET=$(sansio-cache keygen)
""",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Into a new file, for you only.")
@click.option(
    *("--bytes", "length"),
    type=click.IntRange(16, 1024),
    default=32,
    show_default=True,
    metavar="COUNT",
    help="How many, from 16 to 1024.",
)
@pass_place
def keygen(place: PlaceOptions, output: str | None, length: int) -> None:
    """Make a secret: random bytes, in hexadecimal. With --keyring NAME it goes into your keyring and is not shown."""
    secret = secrets.token_hex(length)
    if place.keyring_name is not None:
        _keep(secret, place.keyring_name)
    elif output is not None:
        _write(secret, output)
    else:
        emit(secret)


def _keep(secret: str, name: str) -> None:
    if ask_keyring(name, secret):
        raise WrongUse(f"the keyring has a secret {name!r} already: to change it see rotate")
    note(f"the keyring has it: --keyring {name}")


def _write(secret: str, output: str) -> None:
    path = Path(output).expanduser()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WrongUse(f"{output} is there already: to change a secret see rotate") from None
    except OSError as error:
        raise WrongUse(f"{output} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    note(f"{output} holds it: --secret-file {output}")


@command(
    cli,
    "resign",
    short_help="Sign anew with the newest secret.",
    examples="""
resign --cache ~/http.sqlite --secret-file old-and-new.secret
resign --unsign --secret-file http.secret
resign --sign-unsigned --secret-file http.secret
""",
)
@click.option("--unsign", is_flag=True, help="Remove signatures, and the mark that the cache is signed, instead.")
@click.option(
    "--sign-unsigned", is_flag=True, help="Begin to sign, and sign what is not: you vouch for all that lies there."
)
@setting_options
@pass_place
def resign(place: PlaceOptions, unsign: bool, sign_unsigned: bool) -> None:
    """Seal with the newest secret what an older one sealed.

    The file of secrets has one a line, the oldest first.
    """
    if unsign and sign_unsigned:
        raise WrongUse("give --unsign or --sign-unsigned, not both")
    opened = place.open(writes=True, checks=not sign_unsigned)
    if not opened.sealer.signed:
        said = "give the secret that it is to be signed with" if sign_unsigned else "it is not signed"
        raise Trouble(f"the cache at {opened.store.location}: {said}", Trouble.SECRET)
    if not opened.meta.signed and not sign_unsigned:
        raise WrongUse(f"the cache at {opened.store.location} is not signed: --sign-unsigned begins to")
    if sign_unsigned:
        opened.store.open(signed=True)  # marks it
    count = _resign(opened, unsign=unsign, sign_unsigned=sign_unsigned)
    note(f"{count} {'are no longer signed' if unsign else 'signed' if sign_unsigned else 'signed anew'}")


@command(
    cli,
    "rotate",
    short_help="Change the secret.",
    examples="""
rotate -c ~/http.sqlite --secret-file old.secret --new-secret-file new.secret
rotate --keyring old --new-keyring new
""",
)
@click.option(
    "--new-secret-file", type=click.Path(), metavar="FILE", help=f"A file with the new secret; else {_NEW} holds it."
)
@click.option("--new-keyring", metavar="NAME", help="The name of the new secret in your keyring.")
@setting_options
@pass_place
def rotate(place: PlaceOptions, new_secret_file: str | None, new_keyring: str | None) -> None:
    """Change the secret: everything is signed with the new one, and the old one verifies nothing any more.

    While it runs, and until they have the new secret, programs that use the cache need both: secret_key=[old, new].
    """
    old = place.secret()
    if old is None:
        raise Trouble("rotate needs the secret that the cache has now; to begin to sign see resign", Trouble.SECRET)
    new = _new(new_secret_file, new_keyring)
    if new in old:
        raise WrongUse("the new secret is one of the old ones")
    opened = place.open(writes=True, secret=[*old, new])
    if not opened.meta.signed:
        raise Trouble(f"the cache at {opened.store.location} is not signed", Trouble.SECRET)
    count = _resign(opened)
    left = opened.responses().verify()
    note(f"{count} signed with the new secret")
    unverified = left.flaws.get("signature", 0)
    if unverified:
        raise Trouble(f"{unverified} were signed with neither secret, and stay as they are", Trouble.FOUND)


def _new(file: str | None, name: str | None) -> str:
    if file is not None and name is not None:
        raise WrongUse("give --new-secret-file or --new-keyring, not both")
    found = [from_keyring(name)] if name is not None else from_file(file) if file is not None else []
    if not found and (value := from_environment(_NEW)) is not None:
        found = [value]
    if len(found) != 1:
        said = f"there are {len(found)} in it" if found else f"give --new-secret-file, --new-keyring or set {_NEW}"
        raise WrongUse(f"rotate takes one new secret: {said}")
    return found[0]
