"""What of a form a denoiser has learned to draw: `python runs/forms.py MODEL CACHE`, a model that knows forms and a folder.

Scenes of training with forms (toonsv/forms.py) are told right, and then with one kind of their numbers from another form. By how
much more the denoiser errs then where the forms are drawn says how much it makes of that kind: what it ignores costs nothing.
"""

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.condition import Condition
from arldm.model.denoiser import predict
from arldm.model.prior import turned
from arldm.recipes import ToonSV
from arldm.toonsv.details import KINDS
from arldm.toonsv.forms import MEASURES, PARTS, Form, strange
from arldm.toonsv.scenes import random_scene
from arldm.train.details import strange_details
from arldm.train.read import read
from arldm.train.scenes import WHO, Scenes
from arldm.train.stories import cached
from arldm.train.toonsv import shown

STORIES, SCENES, LOOKED_AT = 1500, 6000, 64
TIMESTEPS = (900, 700, 400)
GROUPS = {name: (name,) for name in (*PARTS, "colour", "second")} | {"measures": MEASURES}
GROUPS |= {"all": tuple(field.name for field in fields(Form))}


class Judged:
    """Scenes with forms, and where in their pictures the forms are."""

    def __init__(self, model: ARLDM, cache: Path) -> None:
        frames = ToonSV().frames
        told = read(model, cached(model, cache, "train", STORIES, frames), cache, truth := shown(STORIES, frames))
        drawn = Scenes.drawn(model, told, truth, SCENES, cache)
        scenes = [strange(random_scene("train", index)) for index in drawn.indices]
        rows = [row for row, scene in enumerate(scenes) if any(figure.form for figure in scene.figures)][:LOOKED_AT]
        self.model, self.scenes = model, [scenes[row] for row in rows]
        self.tokens = torch.from_numpy(drawn.tokens(rows))
        self.latents = torch.from_numpy(drawn.latents[rows]).float()
        found = [strange_details(scene, self.latents.shape[-1])[KINDS.index("form")] for scene in self.scenes]
        self.there = torch.from_numpy(np.stack(found)).float()

    def wrong(self, names: tuple[str, ...]) -> Tensor:
        """The tokens if these fields of each form were those of a form in the next scene."""
        assert self.model.prior is not None
        answers = self.model.conditioner.answers(self.tokens)
        for row, scene in enumerate(self.scenes):
            following = self.scenes[(row + 1) % len(self.scenes)]
            other = next(figure.form for figure in following.figures if figure.form)
            for stand, figure in zip(WHO, scene.figures, strict=False):
                if figure.form:
                    form = replace(figure.form, **{name: getattr(other, name) for name in names})
                    answers[row, stand] = turned(answers[row, stand], self.model.prior.of_form(torch.tensor(form.numbers)))
        return self.model.conditioner.summary(answers)

    def error(self, tokens: Tensor) -> float:
        """The mean square error where forms are, over three timesteps."""
        condition, errors = Condition(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool)), []
        for timestep in TIMESTEPS:
            noise = torch.randn(self.latents.shape, generator=torch.Generator().manual_seed(timestep))
            times = torch.full((len(noise),), timestep)
            noisy = self.model.schedule.add_noise(self.latents, noise, times)  # type: ignore[arg-type]
            said = predict(self.model.unet, noisy, times, condition)
            squares = (said - self.model.target(self.latents, noise, times)).square().mean(1)
            errors.append(float((squares * self.there).sum() / self.there.sum()))
        return sum(errors) / len(errors)


@torch.no_grad()
def main(folder: Path, cache: Path) -> None:
    """Print the error and what each kind adds to it."""
    judged = Judged(ARLDM.from_pretrained(folder), cache)
    right = judged.error(judged.tokens)
    print(f"mean square error where forms are: {right:.3f}")
    for name, names in GROUPS.items():
        print(f"{name}: {judged.error(judged.wrong(names)) / right - 1:+.1%}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
