"""The command that prints the manual page, made from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import version

import click

__all__ = ["COMMANDS"]


def _escaped(text: str) -> str:
    """Text as roff has it: no backslash begins an escape, and no line a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            names, text = record
            yield from (".TP", f"\\fB{_escaped(names)}\\fR", _escaped(" ".join(text.split())) or "\\&")


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    for name, child in sorted(command.commands.items()) if isinstance(command, click.Group) else ():
        inner = click.Context(child, info_name=name, parent=context)
        usage = " ".join(child.collect_usage_pieces(inner))
        yield f'.SS "{_escaped(inner.command_path)} {_escaped(usage)}"'
        yield from _paragraphs(child.help or "")
        yield from _options(child, inner)
        yield from _commands(child, inner)


def page(command: click.Group) -> str:
    """The manual page of a command and all that it contains, as roff for man(1)."""
    context = click.Context(command, info_name="pgreprise")
    first, _, rest = inspect.cleandoc(command.help or "").partition("\n\n")
    lines = [
        f'.TH PGREPRISE 1 "" "pgreprise {version("pgreprise")}" "User Commands"',
        ".SH NAME",
        f"pgreprise \\- {_escaped(first.rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fBpgreprise\\fR {_escaped(' '.join(command.collect_usage_pieces(context)))}",
        ".SH DESCRIPTION",
        *_paragraphs(rest),
        *_options(command, context),
        ".SH COMMANDS",
        *_commands(command, context),
    ]
    return "\n".join(lines) + "\n"


@click.command()
@click.pass_context
def manual(context: click.Context) -> None:
    """Print the manual page, for man(1)."""
    group = context.find_root().command
    assert isinstance(group, click.Group)
    click.echo(page(group), nl=False)


COMMANDS = (manual,)
