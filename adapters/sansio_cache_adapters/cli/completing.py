"""The command ``completion``: what a shell needs to complete commands, options and stored URLs."""

from __future__ import annotations

import os
from typing import ClassVar, Final

import click
from click.shell_completion import BashComplete, add_completion_class, get_completion_class, split_arg_string

from .app import COMPLETES, cli
from .output import emit

__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish")
_BASH: Final = r"""
%(complete_func)s() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} kind value before=""
    # bash takes what comes after a colon or an equals sign for a word of its own: only that is given back.
    local word=${line##*[[:space:]]}
    if [[ $word != [\'\"]* && $word == *[:=]* && $COMP_WORDBREAKS == *:* ]]; then
        before=${word%%"${word##*[:=]}"}
    fi
    COMPREPLY=()
    while IFS=',' read -r kind value; do
        if [[ $kind == file ]]; then
            compopt -o default
        elif [[ $kind == plain ]]; then
            [[ $word == [\'\"]* ]] || printf -v value %%q "$value"
            COMPREPLY+=("${value#"$before"}")
        fi
    done < <(COMP_LINE=$line %(complete_var)s=bash_complete "$1")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Completion in bash, of words with colons in them too."""

    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        return (words, "") if line[-1:].isspace() else (words[:-1], words[-1] if words else "")


add_completion_class(_Bash)


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
    """Print the script that lets a shell complete commands, options, the names of files, and stored URLs.

    URLs are those of a SQLite file or a folder that needs no secret, or whose secret the shell's environment has.

    For bash a line of ~/.bashrc, for zsh a file and a line of ~/.zshrc, for fish a file; then open another shell.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has all three
    emit(found(cli, {}, "sansio-cache", COMPLETES).source())
