"""Options that several commands take: which cache, whose secret, which settings, which records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from sansio_cache.messages import Options
from sansio_cache.names import ALIASES
from sansio_cache.policy import Policy, make_policy

from .errors import WrongUse
from .place import CACHE, PlaceOptions
from .records import Wanted
from .requests import AskedRequest, read_fields
from .secret import SECRET
from .units import AGE, SIZE, lasting

__all__ = ["cache_options", "command", "filter_options", "request_options", "setting_options", "unverified_option"]

F = TypeVar("F", bound=Callable[..., Any])
_FUNCTIONS = frozenset({"filter_fn", "key_fn"})


def _take(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def take(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(PlaceOptions), name, value)

    return take


def _refuse(_: click.Context, __: click.Parameter, value: Any) -> None:
    if value is not None:
        raise WrongUse(
            "a secret is never given as an argument: anyone who lists this machine's processes sees those, and the "
            f"shell's history keeps them. Put it into {SECRET}, into a file (--secret-file) or into the keyring "
            "(--keyring), and take this one for known to others"
        )


def _files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete the name of a file or folder."""
    return [CompletionItem(incomplete, type="file")]


def cache_options(function: F) -> F:
    """Which cache, and where its secret is. The group takes them too, before the command."""
    hidden: dict[str, Any] = {"hidden": True, "expose_value": False, "callback": _refuse, "metavar": "…"}
    options = (
        click.option(
            *("-c", "--cache", "cache"),
            metavar="CACHE",
            expose_value=False,
            callback=_take("cache"),
            shell_complete=_files,
            help="A path of a SQLite file or of a folder of files, or sqlite:///…, file:///…, redis://…, rediss://…; "
            f"else what {CACHE} names, else the user's default cache.",
        ),
        click.option(
            "--secret-file",
            type=click.Path(),
            metavar="FILE",
            expose_value=False,
            callback=_take("secret_file"),
            help=f"A file with the secret of a signed cache; else {SECRET} holds it. Several are one a line, "
            "the oldest first.",
        ),
        click.option(
            "--keyring",
            metavar="NAME",
            expose_value=False,
            callback=_take("keyring_name"),
            help="The name of the secret in your keyring (service sansio-cache).",
        ),
        click.option("--secret", "--secret-key", "--key", "secret_as_argument", **hidden),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _read_settings(context: click.Context, _: click.Parameter, given: tuple[str, ...]) -> None:
    settings: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        name = ALIASES.get(name.strip().replace("-", "_"), name.strip().replace("-", "_"))
        if not equals:
            raise WrongUse(f"--set takes NAME=VALUE, such as --set expire_after=3600, not {each!r}")
        if name in _FUNCTIONS:
            raise WrongUse(f"{name} is a function of the program's, and cannot be given to a command")
        settings[name] = _value(name, text)
    make_policy(settings)  # names the setting that is wrong
    if given:
        context.ensure_object(PlaceOptions).settings = settings


def _value(name: str, text: str) -> Any:
    """A setting's value: JSON, or the text itself; a time may have units, and a list be words with commas between."""
    if name in _TIMES and (seconds := lasting(text)) is not None:
        return seconds
    value = _plain_value(text)
    if name in _LISTS and isinstance(value, str | int) and not isinstance(value, bool):
        return [_plain_value(part.strip()) for part in text.split(",") if part.strip()]
    return value


def _plain_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"true": True, "yes": True, "false": False, "no": False, "none": None}.get(text.lower(), text)


_TIMES = frozenset({"expire_after", "heuristic", "stale_if_error", "stale_while_revalidate"})
_LISTS = frozenset(each.name for each in fields(Policy) if each.init and "Collection[" in str(each.type))


def setting_options(function: F) -> F:
    """The settings of the program whose cache it is."""
    return click.option(
        "-s",
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        expose_value=False,
        callback=_read_settings,
        help="A setting of the session that the cache belongs to, such as expire_after=3600, shared=true or "
        "ignored_parameters=page,session. A time may be 2h or never. May be repeated.",
    )(function)


def unverified_option(function: F) -> F:
    """For looking at a signed cache without its secret."""
    return click.option(
        "--unverified",
        is_flag=True,
        help="Look at a signed cache without its secret, and believe what it says.",
    )(function)


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which records. The command gets them as ``wanted``."""

    @wraps(function)
    def filtering(*arguments: Any, **keywords: Any) -> Any:
        names = {each: keywords.pop(each) for each in Wanted.names()}
        place = click.get_current_context().ensure_object(PlaceOptions)
        return function(*arguments, wanted=Wanted.of(names, place.clock()), **keywords)

    filtered: Callable[..., Any] = filtering
    for option in reversed(
        (
            click.option("--host", "hosts", multiple=True, metavar="GLOB", help="Of this host; may hold *."),
            click.option("--status", "statuses", multiple=True, metavar="CODE", help="Such as 200 or 4xx."),
            click.option("--method", "methods", multiple=True, metavar="METHOD", help="Such as GET."),
            click.option("--tag", "tags", multiple=True, metavar="TAG", help="Stored with this tag."),
            click.option("--fresh", is_flag=True, help="Not stale yet, by the time stored with it."),
            click.option("--stale", is_flag=True, help="Stale, by the time stored with it."),
            click.option("--invalid", is_flag=True, help="Cannot be used: broken, foreign, unsigned or forged."),
            click.option("--older-than", "older", type=AGE, metavar="AGE", help="Stored longer ago: 7d, a date."),
            click.option("--newer-than", "newer", type=AGE, metavar="AGE", help="Stored since: 2h30m, a date."),
            click.option("--larger-than", "larger", type=SIZE, metavar="SIZE", help="With a larger body: 500k."),
            click.option("--smaller-than", "smaller", type=SIZE, metavar="SIZE", help="With a smaller body."),
        )
    ):
        filtered = option(filtered)
    return filtered


def request_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that describe a request. The command gets it as ``asked``."""

    @wraps(function)
    def asking(*arguments: Any, **keywords: Any) -> Any:
        names = ("method", "fields", "refresh", "force_refresh", "only_if_cached")
        method, fields, *flags = (keywords.pop(each) for each in names)
        options = Options(**dict(zip(names[2:], flags, strict=True)))
        return function(*arguments, asked=AskedRequest(method.upper(), read_fields(fields), options), **keywords)

    asked: Callable[..., Any] = asking
    for option in reversed(
        (
            click.option("-X", "--method", default="GET", show_default=True, metavar="METHOD", help="The method."),
            click.option("-H", "--header", "fields", multiple=True, metavar="FIELD", help="'Name: value', or @FILE."),
            click.option("--refresh", is_flag=True, help="Validate what is stored before it is used."),
            click.option("--force-refresh", is_flag=True, help="Fetch anew, whatever is stored."),
            click.option("--only-if-cached", is_flag=True, help="A fresh stored response, or 504."),
        )
    ):
        asked = option(asked)
    return asked


def command(group: click.Group, name: str, *, examples: str, **attributes: Any) -> Callable[[Callable[..., Any]], Any]:
    """A command of the group, with the options that name a cache, and examples at the end of its help.

    :param examples: the part after the program's name, one a line; a line that begins with ``$`` is whole.
    """

    def made(function: Callable[..., Any]) -> click.Command:
        lines = [
            f"  {line}" if line.startswith("$") else f"  $ sansio-cache {line}"
            for line in examples.strip().splitlines()
        ]
        epilog = "\b\nExamples:\n" + "\n".join(lines)
        return group.command(name, epilog=epilog, **attributes)(cache_options(function))

    return made
