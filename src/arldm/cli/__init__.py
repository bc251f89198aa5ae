"""The command `arldm`. Thin: options here, work elsewhere; nothing heavy is imported before a command needs it."""

import io
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr

from arldm.errors import ArldmError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 0 = done, 1 = done and the answer is no, 2 = bad input (one line says what), 130 = interrupted, all kept."""
    try:
        return parsed(list(sys.argv[1:] if arguments is None else arguments))()
    except ArldmError as error:
        print(f"arldm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"arldm: {str(error) or 'interrupted; the same command continues'}", file=sys.stderr)
        return 130
    except SystemExit as end:
        return int(end.code or 0)


def parsed(arguments: list[str]):
    """The command that the arguments name. What tyro says of bad ones in a box is said in one line."""
    import tyro

    from arldm.cli.commands import Command

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(Command, prog="arldm", args=arguments or ["--help"])
    except SystemExit as end:
        if end.code:
            print(f"arldm: {_in_one_line(said.getvalue())}", file=sys.stderr)
        else:
            sys.stderr.write(said.getvalue())
        raise


def _in_one_line(box: str) -> str:
    rows = [line[1:-1].rstrip() for line in box.splitlines() if line.startswith("│")]
    parts: list[list[str]] = [[]]
    for row in rows:
        if set(row.strip()) == {"─"}:
            parts.append([])
        elif row.strip():
            parts[-1].append(row)
    said, hints = parts[0], " ".join(row.strip() for part in parts[1:-1] for row in part)
    if not said:
        return "the arguments cannot be understood; see --help"
    if said[0].strip().startswith("Missing from"):
        outermost = min(len(row) - len(row.lstrip()) for row in said[1:])
        names = [row.strip() for row in said[1:] if row[outermost] != " "]
        return f"{said[0].strip()} {', '.join(names)}; see --help"
    line = " ".join(row.strip() for row in said).rstrip(".")
    if "Unrecognized" in line and "--" not in line:
        return f"{line}; expected one of: {hints.removeprefix('Available subcommands: ')}"
    meant = re.search(r"--[a-z][\w.-]*", hints) if "Unrecognized" in line else None
    return line + (f"; perhaps you meant {meant[0]}" if meant else "") + "; see --help"
