"""Is the memory that a training step or a drawing takes the memory that was predicted? `python runs/memory.py`, on the CPU.

Each setting runs in a process of its own. Measured is what the system gave it (resident memory) at the worst moment, less what it
had when the model was not built yet but a small one had run, so that libraries had loaded what they need.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from arldm.config import DenoiserConfig, HistoryConfig, LatentConfig, ModelConfig, TellConfig, TextConfig, TrainConfig
from arldm.model.arldm import ARLDM
from arldm.recipes import TINY
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from arldm.train.engine import save_memory
from arldm.train.memory import Setting, blank_tokenizers, parameters, sampling_peak, stories_of, training_peak
from arldm.train.optimizer import build_optimizer
from arldm.train.step import gradients

#: the paper's kind of model, as large as fits beside other work
MODEL = ModelConfig(
    name="memory",
    picture_size=256,
    text=TextConfig(384, 6, 6, 64, 8000),
    past=HistoryConfig(224, 16, 0, 384, 6, 6, 384, 6, 6, 64, 8000),
    latents=LatentConfig(widths=(64, 128, 256, 256)),
    denoiser=DenoiserConfig((96, 192, 384, 384)),
)
SETTINGS = {
    "training": Setting(batch=2, precision="no"),
    "training, checkpointing": Setting(batch=2, precision="no", gradient_checkpointing=True),
}
TOLD = 8  # stories at once
FRAMES = 5


def train(model: ARLDM, config: ModelConfig, setting: Setting) -> Callable[[], None]:
    """A training step of a model of this config, as often as it is called."""
    model.train()
    if setting.gradient_checkpointing:
        save_memory(model)
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = build_optimizer(model, weights, TrainConfig())
    average = {name: weight.detach().clone() for name, weight in weights.items()}
    stories = stories_of(config, setting.batch, FRAMES)

    def step() -> None:
        gradients(model, stories, [torch.Generator().manual_seed(k) for k in range(setting.batch)], TrainConfig())
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for name, kept in average.items():
                kept.lerp_(weights[name], 0.1)

    return step


def tell(model: ARLDM, config: ModelConfig, count: int) -> Callable[[], None]:
    """A telling of stories with the longest captions there may be."""
    caption = " ".join(["1"] * (config.text.max_tokens - 2))
    stories = [Story(str(number), (Frame(caption),) * FRAMES) for number in range(count)]
    return lambda: [None for _ in tell_batch(model.eval(), stories, TellConfig(steps=2))] and None


def work(name: str, config: ModelConfig, small: bool = False) -> Callable[[], None]:
    """What a setting does again and again."""
    model = ARLDM.build(config, *blank_tokenizers(config))
    if name in SETTINGS:
        return train(model, config, replace(SETTINGS[name], batch=1) if small else SETTINGS[name])
    return tell(model, config, 1 if small else TOLD)


def resident(kind: str) -> int:
    """Bytes of this process: "VmRSS" now, "VmHWM" at the worst."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def measure(name: str) -> int:
    """The peak of the second time, for from then on all that is kept is there."""
    torch.set_num_threads(1)
    work(name, TINY, small=True)()
    before = resident("VmRSS")
    again = work(name, MODEL)
    if name in SETTINGS:
        again()
    Path("/proc/self/clear_refs").write_text("5")  # forget the worst so far
    again()
    return resident("VmHWM") - before


def main() -> None:
    """Predict, measure and compare."""
    print(f"{parameters(MODEL) / 1e6:.1f} M parameters, float32, torch {torch.__version__}, CPU")
    print(f"{'':26} predicted  measured  ratio")
    for name in (*SETTINGS, "sampling"):
        peak = training_peak(MODEL, SETTINGS[name], FRAMES, gpu=False) if name in SETTINGS else sampling_peak(MODEL, TOLD, FRAMES)
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back to the system, and is not counted
        done = subprocess.run([sys.executable, __file__, name], env=environment, check=True, capture_output=True, text=True)
        measured = int(done.stdout)
        print(f"{name:26} {peak.total / 2**20:5.0f} MiB {measured / 2**20:5.0f} MiB  {peak.total / measured:.3f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(measure(sys.argv[1]))
    else:
        main()
