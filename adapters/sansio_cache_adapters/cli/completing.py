"""The command ``completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .app import cli
from .output import emit

__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish")


@cli.command(
    "completion",
    short_help="For your shell, to complete with.",
    epilog="""\b
Examples:
  $ echo 'eval "$(sansio-cache completion bash)"' >> ~/.bashrc
  $ mkdir -p ~/.zfunc && sansio-cache completion zsh > ~/.zfunc/_sansio-cache
  $ echo 'fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit' >> ~/.zshrc
  $ mkdir -p ~/.config/fish/completions
  $ sansio-cache completion fish > ~/.config/fish/completions/sansio-cache.fish""",
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and the names of files.

    For bash a line of ~/.bashrc, for zsh a file and a line of ~/.zshrc, for fish a file; then open another shell.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has all three
    emit(found(cli, {}, "sansio-cache", "_SANSIO_CACHE_COMPLETE").source())
