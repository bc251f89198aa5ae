"""Trains AR-LDM at toy size on one process and on two, in every way they can share the work: is the loss the same?

`python runs/processes.py [TRIALS]`; each trial is one kill -9 of one of two processes, and the same command again: is the result,
bit for bit, that of the run nobody touched, and how long did the other one wait?
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from kill_nine import result

from arldm.config import TrainConfig
from arldm.errors import ArldmError
from arldm.recipes import TINY, Autoencoder, ToonSV

TRAIN = TrainConfig(
    steps=20,
    batch_size=4,
    learning_rate=1e-3,
    warmup_steps=5,
    threads=1,
    checkpoint_every=5,
    preview_every=0,
    report_to="none",
    seed=1,
)
DDP, FSDP2 = {"batch_size": 2}, {"batch_size": 2, "fsdp": True}
#: title -> processes, options
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "one process, batches of 4": (1, {}),
    "one process, 2 batches of 2 a step": (1, {"batch_size": 2, "gradient_accumulation_steps": 2}),
    "two processes, DDP": (2, DDP),
    "two processes, FSDP2": (2, FSDP2),
    "two processes, FSDP2, 2 batches of 1 a step, checkpointing": (
        2,
        {"batch_size": 1, "fsdp": True, "gradient_accumulation_steps": 2, "gradient_checkpointing": True},
    ),
}


def child(folder: Path, name: str, options: dict[str, Any]) -> None:
    """One training run from nothing, or from where it was killed. Says who it is, so that it can be killed."""
    from arldm.train import run

    (folder / f"{name}.{os.environ.get('RANK', '0')}.pid").write_text(str(os.getpid()))
    first = folder / "autoencoder"
    if name == "autoencoder":
        run(Autoencoder(TINY.latents, TRAIN, picture_size=TINY.picture_size, stories=20, crop=16, cache=folder / "cache"), first)
    else:
        train = replace(TRAIN, **options)
        weights = first / "autoencoder.safetensors"
        run(ToonSV(TINY, train, stories=20, autoencoder=weights, cache=folder / "cache"), folder / name)


def start(folder: Path, name: str, processes: int, options: dict[str, Any]) -> subprocess.Popen[str]:
    """The command of a run."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *torchrun, __file__, "--child", str(folder), name, json.dumps(options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a run that nobody touches."""
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(said[-3000:])


def losses(run: Path) -> list[float]:
    """Of every step done so far."""
    path = run / "metrics.jsonl"
    return [json.loads(line)["loss"] for line in path.read_text().splitlines()] if path.exists() else []


def killed(folder: Path, name: str, options: dict[str, Any], dice: random.Random) -> bool:
    """Kill one of two processes somewhere on the way, run the same command again, compare with the run of one process."""
    process = start(folder, name, 2, options)
    step, rank = dice.randrange(1, TRAIN.steps - 1), dice.randrange(2)
    while len(losses(folder / name)) < step:
        if process.poll() is not None:
            raise SystemExit(process.communicate()[1][-3000:])
        time.sleep(0.02)
    os.kill(int((folder / f"{name}.{rank}.pid").read_text()), signal.SIGKILL)
    other, moment = int((folder / f"{name}.{1 - rank}.pid").read_text()), time.monotonic()
    while _lives(other):
        time.sleep(0.02)
    waited = time.monotonic() - moment
    said = [line for line in process.communicate()[1].splitlines() if line.startswith("arldm: ")]
    finish(start(folder, name, 2, options))
    equal = result(folder / name) == result(folder / ("fsdp" if "fsdp" in options else "ddp"))
    how = f"process {rank} killed after step {step}, the other stopped after {waited:.1f} s"
    print(f"{name}: {how} ({'; '.join(said)}); continued: {'equal' if equal else 'DIFFERENT'}", flush=True)
    return equal and waited < 60 and len(said) == 1


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def main(trials: int) -> int:
    """Compare and kill; the exit status says whether all was as it should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        finish(start(folder, "autoencoder", 1, {}))
        good, expected = True, []
        for (title, (processes, options)), short in zip(WAYS.items(), ("one", "accumulated", "ddp", "fsdp", "all"), strict=True):
            finish(start(folder, short, processes, options))
            found = losses(folder / short)
            expected = expected or found
            most = max(abs(a - b) for a, b in zip(found, expected, strict=True))
            good = good and len(found) == TRAIN.steps and most < 1e-5
            print(f"{title}: {len(found)} steps, last loss {found[-1]:.7f}, at most {most:.1e} from one process", flush=True)
        dice = random.Random()
        for trial in range(trials):
            good = killed(folder, f"killed-{trial}", DDP if trial % 2 == 0 else FSDP2, dice) and good
    return int(not good)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        try:
            child(Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
        except ArldmError as error:
            print(f"arldm: {error}", file=sys.stderr)
            raise SystemExit(2) from None
    else:
        raise SystemExit(main(int(sys.argv[1]) if sys.argv[1:] else 4))
