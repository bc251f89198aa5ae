"""Tells a split by one process, by two, and by two that are killed on the way: are all files equal, and is there no gap?

`python runs/sample_processes.py [KILLS]` tells 64 stories of ToonSV with the embedded model, in one step a frame: how they look is
not what is asked.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

STORIES, FRAMES = 64, 5
OPTIONS = ("--stories", str(STORIES), "--frames", str(FRAMES), "--steps", "1", "--guidance", "1", "--batch", "4")


def started(out: Path, processes: int) -> subprocess.Popen:
    """`arldm sample` by so many processes."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launch, "-m", "arldm", "sample", "toonsv", "--out", str(out), *OPTIONS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told(out: Path) -> int:
    """How many stories are whole."""
    return len(list(out.glob("*/strip.png")))


def result(out: Path) -> dict[str, str]:
    """The checksum of every file, hidden ones too."""
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in out.rglob("*") if path.is_file()}


def kill_once(out: Path, wait: float) -> str:
    """Begin or go on, let at least one more batch be told, and kill all processes after at most `wait` seconds."""
    before, process = told(out), started(out, 2)
    while told(out) == before and process.poll() is None:
        time.sleep(0.02)
    time.sleep(random.Random().uniform(0, wait))
    if process.poll() is not None:
        return f"it had ended before, exit {process.returncode}"
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        one.kill()
    process.wait()
    halves = len([path for path in out.rglob(".*") if path.is_file()])
    return f"killed with {told(out)} stories whole, {halves} files half-written"


def main(kills: int) -> int:
    """Tell, kill and compare; the exit status says whether all is equal and whole."""
    with tempfile.TemporaryDirectory() as folder:
        one, two, cut = (Path(folder) / name for name in ("one", "two", "cut"))
        for out, processes in ((one, 1), (two, 2)):
            begun = time.monotonic()
            status = started(out, processes).wait()
            took = time.monotonic() - begun
            print(f"{processes} processes: exit {status}, {told(out)} stories in {took:.0f} s", flush=True)
        for number in range(kills):
            print(f"kill {number + 1}: {kill_once(cut, took / STORIES * 4)}", flush=True)
        print(f"the same command: exit {started(cut, 2).wait()}, {told(cut)} stories", flush=True)
        results = [result(out) for out in (one, two, cut)]
        whole = told(one) == STORIES and len(results[0]) == 1 + STORIES * (FRAMES + 2)
        equal = results[0] == results[1] == results[2]
        print(f"{len(results[0])} files of {STORIES} stories, none missing: {whole}; equal in all three: {equal}")
    return int(not (whole and equal))


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if sys.argv[1:] else 5))
