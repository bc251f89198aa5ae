"""Coherent stories, frame after frame: auto-regressive latent diffusion (AR-LDM, arXiv 2211.10950).

Names are loaded when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arldm.config import ModelConfig, TellConfig, TrainConfig
    from arldm.errors import ArldmError
    from arldm.model.arldm import ARLDM
    from arldm.page import render
    from arldm.sample import tell, tell_batch
    from arldm.story import Fact, Frame, Story
    from arldm.story_files import read_script

_HOMES = {
    "ARLDM": "arldm.model.arldm",
    "ArldmError": "arldm.errors",
    "Fact": "arldm.story",
    "Frame": "arldm.story",
    "ModelConfig": "arldm.config",
    "Story": "arldm.story",
    "TellConfig": "arldm.config",
    "TrainConfig": "arldm.config",
    "read_script": "arldm.story_files",
    "render": "arldm.page",
    "tell": "arldm.sample",
    "tell_batch": "arldm.sample",
}
__all__ = [
    "ARLDM",
    "ArldmError",
    "Fact",
    "Frame",
    "ModelConfig",
    "Story",
    "TellConfig",
    "TrainConfig",
    "read_script",
    "render",
    "tell",
    "tell_batch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'arldm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOMES))
