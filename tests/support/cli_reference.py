"""The manual's page of the command line, made of the commands themselves: ``python tests/support/cli_reference.py``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sansio_cache_adapters.cli.app import cli
from sansio_cache_adapters.cli.errors import STATUSES
from sansio_cache_adapters.cli.options import cache_options, filter_options, setting_options
from sansio_cache_adapters.cli.secret import SECRET

__all__ = ["PAGE", "reference"]

TYPED = re.compile(
    r"""(?<![\w`-])(?:--[a-z][a-z-]+(?:\ [A-Z]+\b)?  # an option, with its value
    |-[a-zA-Z]\b|[A-Z]+_[A-Z_]+\b
    |\w+=(?:\[[\w,\ ]*\]|[\w,]*\w)  # a setting
    |\w+:///?…|~/\.\w+|\w+-\w+\[[\w,]+\]|'.*?'|@FILE)""",
    re.VERBOSE,
)
"""What a reader would type, in the text of a help."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
ORDER = (
    *("ls", "show", "body", "stats", "du", "explain", "get", "verify", "doctor"),
    *("delete", "purge", "clear", "resign", "rotate", "keygen"),
    *("import", "export", "load", "completion", "demo"),
)
START = f"""# Command line

```text
pip install 'sansio-cache[cli]'
```

brings `sansio-cache`, which is `python -m sansio_cache`, too. It looks into a cache of any store and looks after it:
{{doc}}`../howto/look-inside` shows how. What only looks opens a store to be read where the store knows the difference,
changes nothing in it, and makes none where there is none. (SQLite itself may leave `-wal` and `-shm` beside a file that
was only read.)

A terminal gets tables and colours (`NO_COLOR` is respected) and a bar during long work, a pipe plain lines with tabs
between and no escape codes. URLs are shown without secrets, and what strangers have stored without anything that a
terminal would obey.

## Which cache, and whose secret

Every command that is about a cache takes these, and so does `sansio-cache` before the command. `SANSIO_CACHE` names a
cache for all commands of a shell, `{SECRET}` holds a secret. The secret is never an argument, which other
users of the machine could read; the user's default cache, which all programs share, is never signed. A cache in memory
(`memory:`) ends with its program, and is refused.
"""


def reference() -> str:
    """The page."""
    return "\n".join((*_parts(),)).rstrip() + "\n"


def _parts() -> Iterator[str]:
    yield START
    yield from _options(_common(cache_options))
    yield "## Which responses\n\nCommands that go through a cache take these; several are true together.\n"
    yield from _options(_common(filter_options))
    yield "## Whose settings\n"
    yield "The settings of the program whose cache it is decide what is fresh, and where a response lies.\n"
    yield from _options(_common(setting_options))
    yield "## Exit status\n\n| status | means |\n|---|---|"
    for number, meaning in STATUSES.items():
        yield f"| {number} | {meaning} |"
    yield ""
    context = click.Context(cli, info_name="sansio-cache")
    names = cli.list_commands(context)
    assert sorted(names) == sorted(ORDER), "a command that has no place on the page"
    shared = {each.name for made in (cache_options, filter_options, setting_options) for each in _common(made)}
    for name in ORDER:
        command = cli.get_command(context, name)
        assert command is not None
        yield from _command(name, command, click.Context(command, context, name), shared)


def _common(decorator: object) -> list[click.Option]:
    """The options that a decorator adds."""

    @decorator  # type: ignore[operator]
    def nothing() -> None: ...

    options = reversed(nothing.__click_params__)  # type: ignore[attr-defined]
    return [each for each in options if isinstance(each, click.Option) and not each.hidden]


def _command(name: str, command: click.Command, context: click.Context, shared: set[str | None]) -> Iterator[str]:
    yield f"## `{name}`\n"
    pieces = [each for each in command.collect_usage_pieces(context) if each != "[OPTIONS]"]
    yield f"```text\nsansio-cache {' '.join([name, '[OPTIONS]', *pieces])}\n```\n"
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", command.help or "").strip()
    yield _text("\n\n".join(" ".join(part.split("\n")) for part in text.split("\n\n"))) + "\n"
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    yield from _options([each for each in options if each.name not in shared])
    also = [
        title
        for title, made in (
            ("which cache", cache_options),
            ("which responses", filter_options),
            ("settings", setting_options),
        )
        if {each.name for each in _common(made)} & {each.name for each in options}
    ]
    if also:
        yield f"And the options of above: {', '.join(also)}.\n"
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("$")]
    yield "```console\n" + "\n".join(examples) + "\n```\n"


def _options(options: list[click.Option]) -> Iterator[str]:
    if not options:
        return
    yield "| option | |\n|---|---|"
    for each in options:
        names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
        value = "" if each.is_flag else f" `{each.make_metavar(click.Context(cli))}`"
        default = f" Default: {each.default}." if each.show_default else ""
        yield f"| {_cell(names + value)} | {_cell(_text(each.help or '') + default)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _text(text: str) -> str:
    """Text in which a star is a star, and what is typed looks like it."""
    return "".join(
        part if part.startswith("`") else part.replace("*", "\\*") for part in re.split("(`.*?`)", _marked(text))
    )


def _marked(text: str) -> str:
    return TYPED.sub(r"`\g<0>`", text)


if __name__ == "__main__":
    PAGE.write_text(reference(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
