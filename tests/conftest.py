"""What several tests share: the real model at toy width, made once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arldm.config import DenoiserConfig, HistoryConfig, LatentConfig, ModelConfig, TextConfig
from arldm.model.arldm import ARLDM
from arldm.model.text import CaptionTokenizer, words_of
from arldm.model.vocabulary import train_bert_tokenizer, train_clip_tokenizer
from arldm.story import Frame, Story

CAPTIONS = (
    "Momo walks to the beach with a red kite.",
    "A stranger waves at Momo!",
    "She is back at the old lighthouse, and it rains.",
    "They sit down.",
    "Momo reads a book in the park at night while the stranger sleeps.",
)

TINY = ModelConfig(
    name="tiny",
    picture_size=32,
    history="pictures",
    positions="relative",
    window=4,
    context=1,
    summary=3,
    text=TextConfig(width=16, layers=1, heads=2, max_tokens=32, vocabulary=700),
    past=HistoryConfig(16, 8, 8, 16, 1, 2, 16, 1, 2, max_tokens=32, vocabulary=300),
    latents=LatentConfig(kind="dc", channels=4, widths=(8, 16), layers=1, unshuffle=2),
    denoiser=DenoiserConfig((16, 32), 1, heads=2, groups=8, coordinates=4, prediction="v_prediction", zero_terminal_snr=True),
)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Bytes depend on the number of threads, and several workers share few cores."""
    torch.set_num_threads(1)


def build(config: ModelConfig = TINY, seed: int = 1) -> ARLDM:
    """The real model at toy width. Not seed 0, which loading starts from: a weight that is not loaded must be noticed."""
    captions = CAPTIONS * 2
    tokenizer = CaptionTokenizer(
        train_clip_tokenizer(captions, config.text.vocabulary),
        config.text.max_tokens,
        [word for caption in CAPTIONS for word in words_of(caption)],
    )
    past_tokenizer = CaptionTokenizer(train_bert_tokenizer(captions, config.past.vocabulary), config.past.max_tokens)
    return ARLDM.build(config, tokenizer, past_tokenizer, seed).eval()


@pytest.fixture(scope="session")
def shared_model() -> ARLDM:
    return build()


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model at toy width."""
    folder = tmp_path_factory.mktemp("toy") / "model"
    build().save_pretrained(folder)
    return folder


@pytest.fixture
def rumo(tmp_path: Path) -> Path:
    """A folder with three pictures of Rumo, whom the model does not know, and captions of two."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (name, caption) in enumerate((("a.png", "Rumo waves."), ("b.jpg", "Rumo sits down at night."), ("c.png", ""))):
        noise(number).save(folder / name)
        if caption:
            (folder / name).with_suffix(".txt").write_text(caption)
    return folder


@pytest.fixture
def model(shared_model: ARLDM) -> Iterator[ARLDM]:
    """The tiny model; what a test switches on it is switched back, and its weights are to stay."""
    dropout, before = shared_model.conditioning_dropout, shared_model.hash()
    yield shared_model
    assert shared_model.hash() == before
    shared_model.use_history(shared_model.config.history)
    shared_model.conditioning_dropout = dropout
    shared_model.zero_grad()


def picture(seed: int, size: int = 32) -> Image.Image:
    """A picture of coarse random patches."""
    patches = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((size, size), Image.Resampling.NEAREST)


def noise(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """A picture of noise, by default no square."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def story(frames: int = 5, given: int = 0, name: str = "story", shift: int = 0) -> Story:
    """A story of any length whose first `given` frames have pictures."""
    return Story(
        id=name,
        frames=tuple(
            Frame(CAPTIONS[(t + shift) % len(CAPTIONS)], picture=picture(t + 100 * shift) if t < given else None)
            for t in range(frames)
        ),
    )


def array(frame: Frame) -> np.ndarray:
    """The pixels of a frame as whole numbers that can be subtracted."""
    assert frame.picture is not None
    return np.asarray(frame.picture).astype(int)
