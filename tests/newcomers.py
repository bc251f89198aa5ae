"""What tests of new characters share: a short adaptation at toy width, and a story to tell with it."""

from pathlib import Path

from PIL import Image

from arldm.adapt.recipes import Adaptation
from arldm.config import TellConfig, TrainConfig
from arldm.model.arldm import ARLDM
from arldm.sample import tell
from arldm.story import Frame, Story
from arldm.toonsv.cutouts import Cutout, cut_outs

TRAIN = TrainConfig(
    steps=2, batch_size=2, learning_rate=1e-2, warmup_steps=0, ema_decay=0.0, threads=1, preview_every=0, report_to="none"
)
STORY = Story("s", (Frame("Rumo sits down."), Frame("A stranger waves at Rumo!"), Frame("They sit down.")))
QUICK = TellConfig(steps=2)


def recipe(model: Path, pictures: Path, mode: str = "full", **more) -> Adaptation:
    return Adaptation(pictures, ("rumo",), "stranger", str(model), mode, TRAIN, **more)  # type: ignore[arg-type]


def cut_out(picture: Image.Image) -> Cutout:
    return next(cut_outs([picture]))


def shown(model: ARLDM, story: Story = STORY) -> list[bytes]:
    return [frame.picture.tobytes() for frame in tell(model, story, QUICK) if frame.picture]
