"""Telling, against the original procedure: at equal steps, and at equal measured quality."""

import time
from collections.abc import Sequence
from dataclasses import replace

import original
import quality
from clock import Seconds, compared, timed

from arldm import ARLDM, TellConfig, tell
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from arldm.toonsv import plot

BATCH = 8  # stories at once
FRAMES = 5
STEPS = (TellConfig().steps, 10, 20, 50)
CAPTIONS = (
    "Fenna comes to the beach and waves.",
    "She sits down.",
    "Fenna and a stranger hug.",
    "They both jump.",
    "Back at the beach, she cheers.",
)


def alone(model: ARLDM) -> None:
    """Seconds until the first frame and until the last, of one story."""
    story = Story("bench", tuple(Frame(caption) for caption in CAPTIONS))
    list(tell(model, story, TellConfig(steps=2)))  # warms up
    print(f"\nOne story by itself, float32, {len(CAPTIONS)} frames of {model.config.picture_size} px")
    for steps in STEPS:
        config = TellConfig(steps=steps)
        started = time.perf_counter()
        seconds = [time.perf_counter() - started for _ in tell(model, story, config)]
        print(f"{config.scheduler} {steps:3} steps: first frame {seconds[0]:.1f} s, all {seconds[-1]:.1f} s")


def equal_steps(model: ARLDM) -> None:
    """What a story takes, all of them with the same steps."""
    stories, config = _stories(BATCH), TellConfig()
    mixed = replace(config, precision="bf16")
    print(
        f"\nSampling at equal steps: {config.scheduler}, {config.steps} steps, guidance {config.guidance}, {FRAMES} frames a story"
    )
    ways = {
        "original procedure": lambda: [timed(lambda: original.tell(model, stories[0], config))],
        "ours, one story, float32": lambda: [_ours(model, stories[:1], config)],
        "ours, one story, bf16": lambda: [_ours(model, stories[:1], mixed)],
        f"ours, {BATCH} stories at once, float32": lambda: [_ours(model, stories, config)],
        f"ours, {BATCH} stories at once, bf16": lambda: [_ours(model, stories, mixed)],
    }
    compared(ways, "story", rounds=1)


def equal_quality(model: ARLDM) -> None:
    """Seconds a story: the original's 250 steps, and our default's."""
    measured = quality.settings()
    first, ours = measured[0], quality.usual(measured)
    stories = _stories(BATCH)
    print(f"\nSampling at equal quality, as measured on {first.stories} test stories (runs/bench/quality.py)")
    if first.model_hash != model.hash():
        print(f"! of model {first.model_hash}; this is {model.hash()}: measure again")
    ways = {
        _name("original procedure", first): lambda: [timed(lambda: original.tell(model, stories[0], first.config))],
        _name(f"ours, {BATCH} stories at once", ours): lambda: [_ours(model, stories, ours.config)],
    }
    compared(ways, "story", rounds=1)


def _stories(count: int) -> list[Story]:
    """The first of the test split, without pictures."""
    return [Story(f"test-{number}", tuple(Frame(shot.caption) for shot in plot("test", number, FRAMES))) for number in range(count)]


def _ours(model: ARLDM, stories: Sequence[Story], config: TellConfig) -> Seconds:
    return timed(lambda: list(tell_batch(model, stories, config))).each(len(stories))


def _name(who: str, setting: quality.Setting) -> str:
    config = setting.config
    worth = ", ".join(f"{name} {share['value']:.3f}" for name, share in setting.metrics.items())
    return f"{who}, {config.scheduler} {config.steps} steps, precision {config.precision}: {worth}"
