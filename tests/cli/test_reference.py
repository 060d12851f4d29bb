"""The manual's pages of the command line say what the commands say, and their examples run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_reference import ORDER, PAGE, reference

from sansio_cache_adapters.cli.app import cli
from sansio_cache_adapters.cli.demo.origin import PORT, running

HOWTO = PAGE.parents[1] / "howto" / "look-inside.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text("utf-8") == reference(), "make it anew: python tests/support/cli_reference.py"


@pytest.mark.parametrize("name", ORDER)
def test_every_command_explains_itself(name: str) -> None:
    """``--help`` with examples, and every option with a word about it."""
    context = click.Context(cli, info_name="sansio-cache")
    command = cli.get_command(context, name)
    assert command is not None
    shown = command.get_help(click.Context(command, context, name))
    assert "Examples:" in shown
    assert f"$ sansio-cache {name}" in shown or f"sansio-cache {name}" in shown
    for each in command.params:
        if isinstance(each, click.Option) and not each.hidden:
            assert each.help, f"{name} {each.opts[-1]}"
    assert command.short_help


def examples() -> list[str]:
    """Every call of the program in the examples of the help, with what is piped left out."""
    context = click.Context(cli)
    lines = "\n".join((cli.get_command(context, name) or cli).epilog or "" for name in ORDER)
    shown = [line.strip() for line in lines.splitlines() if line.strip().startswith("$ ")]
    assert len(shown) > 2 * len(ORDER)
    return [call for line in shown for call in re.findall(r"(?<=sansio-cache )[a-z]+[^|&>;)\n]*", line)]


@pytest.mark.parametrize("call", examples())
def test_every_example_is_a_command_with_options_it_has(call: str) -> None:
    words = shlex.split(call.rstrip('"'))
    name, command, rest = cli.resolve_command(click.Context(cli), words)
    assert command is not None, name
    command.make_parser(click.Context(command)).parse_args(rest)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str], str]]:
    """A folder with a shell's environment, and the address of the API."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "sansio-cache"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sansio_cache "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANSIO_CACHE")}
    path = os.pathsep.join((str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]))
    work = tmp_path / "work"
    work.mkdir()
    with running() as origin:
        yield work, {**kept, "PATH": path, "HOME": str(tmp_path)}, origin.url


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.once
def test_the_examples_of_the_howto_run(folder: tuple[Path, dict[str, str], str]) -> None:
    """One shell for all of them, as a reader would."""
    work, environment, url = folder
    lines = [
        line[2:]
        for block in CONSOLE.findall(HOWTO.read_text("utf-8"))
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(lines) > 10
    script = "set -e\n" + "\n".join(lines).replace(f"http://127.0.0.1:{PORT}", url)
    done = subprocess.run(
        ["bash", "-c", script], cwd=work, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RFC 9111" in done.stdout
