"""The command `arldm`. Thin: options here, work elsewhere; nothing heavy is imported before a command needs it."""

import io
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stderr

from arldm.errors import ArldmError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 0 = done, 1 = done and the answer is no, 2 = bad input (one line says what), 130 = interrupted, 141 = nobody
    reads what is printed."""
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # threads that wait soon sleep: others may be busy beside (docs/log.md)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: a path's bytes may be no letters
    try:
        return parsed(list(sys.argv[1:] if arguments is None else arguments))()
    except ArldmError as error:
        print(f"arldm: {' '.join(str(error).splitlines())}", file=sys.stderr)  # a path may have several lines
        return 2
    except BrokenPipeError:  # who reads what is printed has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is printed yet when Python ends
        return 141
    except OSError as error:  # what the system refuses where nobody expected it
        got = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"arldm: {' '.join(got.splitlines())}; check the path and the disk, or choose another folder", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"arldm: {str(error) or 'interrupted; to go on, run the same command again'}", file=sys.stderr)
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
            print(f"arldm: {_in_one_line(said.getvalue(), (arguments or [''])[0])}", file=sys.stderr)
        else:
            sys.stderr.write(said.getvalue())
        raise


def _in_one_line(box: str, command: str) -> str:
    said, *hints = _parts(box)
    if not said:
        return "the arguments cannot be understood; see --help"
    if said[0].startswith("Missing from"):
        return f"{said[0]} {', '.join(_outermost(said[1:]))}; see --help"
    line = " ".join(row.strip() for row in said).rstrip(" .")
    if misplaced := [row.strip() for row in said[1:] if row.startswith(" ")]:  # each "(applied to arldm train)", which is no help
        line = "Unrecognized options: " + re.sub(r" \(applied to [^)]*\)", ",", " ".join(misplaced)).rstrip(",")
    for title, *rows in hints:
        if title.startswith("Available subcommands: "):
            return f"{line}; expected one of: {' '.join([title, *rows]).removeprefix('Available subcommands: ')}"
    similar = [_likest(rows, command) for title, *rows in hints if title.startswith(("Perhaps you meant", "Arguments similar"))]
    meant = ", ".join(sorted(name for row in similar for name in re.findall(r"--[\w.-]+", row)))
    return line + (f"; perhaps you meant {meant}" if meant else "") + "; see --help"


def _likest(rows: list[str], command: str) -> str:
    """Of similar options, each with the commands that have it below, the first that this command has, if it has any."""
    outermost, last = _outermost(rows), ""
    for row in rows:
        if row.strip() in outermost:
            last = row.strip()
        elif row.strip().startswith(f"in arldm {command}"):
            return last
    return ""


def _parts(box: str) -> list[list[str]]:
    """What stands between the rules of tyro's box: what is wrong, then hints. A terminal's has colours, an ASCII one no edges."""
    parts: list[list[str]] = [[]]
    for line in re.sub(r"\x1b\[[\d;]*m", "", box).splitlines():
        row = line.strip("│╭╮╰╯").rstrip()
        if line.startswith("╭") or (row and set(row.strip()) <= {"─", "-"}):
            parts.append([])
        elif row:
            parts[-1].append(row)
    inside = [textwrap.dedent("\n".join(part)).split("\n") for part in parts[1:] if part]  # without the title
    return inside or [[]]


def _outermost(rows: list[str]) -> list[str]:
    """Names without what is explained below them, further in."""
    least = min(len(row) - len(row.lstrip()) for row in rows)
    return [row.strip() for row in rows if row[least] != " "]
