"""CLIP-I, CLIP-T, DINO and consistency, by small random encoders of the real classes in local folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipConfig,
    SiglipModel,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from arldm.errors import ModelError, PictureError
from arldm.evaluate.judged import EncoderJudge, judged
from arldm.evaluate.pictures import find
from arldm.evaluate.similarity import Encoder, cross_consistency, self_consistency
from arldm.model.noise import seeded
from arldm.model.vocabulary import train_clip_tokenizer
from arldm.story import Frame, Story
from conftest import CAPTIONS, picture

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SIZES, "image_size": 32, "patch_size": 8}


def write_clip(folder: Path) -> Path:
    tokenizer = train_clip_tokenizer(CAPTIONS * 2, 700)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    text = CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=12, projection_dim=8, **SIZES, **ids)
    with seeded(1):
        model = CLIPModel(
            CLIPConfig(text_config=text, vision_config=CLIPVisionConfig(projection_dim=8, **VISION), projection_dim=8)
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def write_vit(folder: Path, kind: str = "vit") -> Path:
    with seeded(1):
        models = {
            "vit": lambda: ViTModel(ViTConfig(**VISION), add_pooling_layer=False),
            "dinov2": lambda: Dinov2Model(Dinov2Config(**VISION)),
            "dinov2_with_registers": lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**VISION)),
            "siglip": lambda: SiglipModel(
                SiglipConfig(text_config={**SIZES, "vocab_size": 99, "projection_size": 16}, vision_config=VISION)
            ),
            "swin": lambda: SwinModel(SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1], num_heads=[2])),
        }
        models[kind]().save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> EncoderJudge:
    return EncoderJudge.of(write_clip(tmp_path_factory.mktemp("encoders") / "clip"), stories(1))


def stories(count: int = 3) -> list[Story]:
    casts = [("momo",), ("momo", "ann"), (), ("ann",), ("momo",)]
    return [Story(str(n), tuple(Frame(CAPTIONS[t], picture(10 * n + t), casts[t]) for t in range(5))) for n in range(count)]


def pictures(some: list[Story]) -> list[list]:
    return [[frame.picture for frame in story.frames] for story in some]


def test_truth_is_like_itself_and_other_pictures_are_less(clip: EncoderJudge) -> None:
    truth = stories()
    same = judged(clip, truth, pictures(truth))
    other = judged(clip, truth, pictures(truth)[::-1])
    assert same["clip to truth"].value == pytest.approx(1, abs=1e-6)
    assert other["clip to truth"].value < 1 - 1e-4
    assert same["clip to truth"].count == 15
    assert judged(clip, truth, pictures(truth), given=2)["clip to truth"].count == 9
    assert set(same) == {"clip to truth", "clip to captions", "clip self"}


@torch.no_grad()
def test_figures_are_cosines_of_what_transformers_gives(clip: EncoderJudge) -> None:
    truth, body = stories(1), clip.body
    images = [frame.picture for frame in truth[0].frames]
    inputs = body.processor(images=images, return_tensors="pt")
    words = body.tokenizer([f.caption for f in truth[0].frames], padding=True, truncation=True, max_length=12, return_tensors="pt")
    told = body.model(**inputs, **words)
    cosines = (told.image_embeds * told.text_embeds).sum(1)
    found = judged(clip, truth, [images])
    assert found["clip to captions"].value == pytest.approx(cosines.mean().item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "dinov2_with_registers"])
def test_dino_is_the_class_token_of_either_kind(tmp_path: Path, kind: str) -> None:
    for who, seed in (("momo", 0), ("ann", 1)):
        (tmp_path / "cast" / who).mkdir(parents=True)
        picture(seed).save(tmp_path / "cast" / who / "1.png")
    truth = stories()
    judge = EncoderJudge.of(write_vit(tmp_path / "dino", kind), truth, find(tmp_path / "cast"))
    found, encoder = judged(judge, truth, pictures(truth)), judge.body
    assert set(found) == {"dino to truth", "dino self", "dino cross"}
    assert found["dino to truth"].value == pytest.approx(1, abs=1e-6)
    seen = encoder.model(**encoder.processor(images=[picture(0)], return_tensors="pt")).last_hidden_state[0, 0]
    assert np.allclose(encoder.pictures([picture(0)])[0], (seen / seen.norm()).numpy(), atol=1e-6)
    with pytest.raises(ModelError, match="reads no captions"):
        encoder.captions(["x"])


def test_siglip_pools_pictures_and_what_has_no_class_token_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(write_vit(tmp_path / "siglip", "siglip"))
    seen = encoder.model.vision_model(**encoder.processor(images=[picture(0)], return_tensors="pt")).pooler_output[0]
    found = encoder.pictures([picture(0)])
    assert np.allclose(found[0], (seen / seen.norm()).detach().numpy(), atol=1e-6)
    assert found.shape == (1, encoder.width)
    with pytest.raises(ModelError, match=r"swin: is a swin; expected one of clip, siglip, vit"):
        Encoder(write_vit(tmp_path / "swin", "swin"))


def test_a_character_counts_once_a_story_and_given_frames_are_not_judged() -> None:
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    seen, cast = np.stack([east, east, north, east]), [("a",), ("a", "b"), ("a",), ("b",)]
    assert {one.attribute: one.won for one in self_consistency(seen, cast)} == {"a": pytest.approx(1 / 3), "b": 1.0}
    assert not list(self_consistency(seen[1:3], [("a",), ("b",)]))  # nobody comes back
    later = {one.attribute: one.won for one in self_consistency(seen, cast, given=2)}
    assert later == {"a": 0.0, "b": 1.0}  # not the pair of the two given ones
    crossed = {one.attribute: one.won for one in cross_consistency(seen, cast, {"a": np.stack([east, north])}, 2)}
    assert crossed == {"a": 0.5}


def test_what_stories_do_not_have_gives_no_figure(clip: EncoderJudge) -> None:
    bare = [Story("a", (Frame(CAPTIONS[0]), Frame(CAPTIONS[1])))]
    found = judged(clip, bare, [[picture(0), picture(1)]])
    assert set(found) == {"clip to captions", "clip self"}
    assert np.isnan(found["clip self"].value)
    assert np.isfinite(found["clip to captions"].value)
    assert np.isnan(found["clip to captions"].low)  # one story has no interval
    silent = [Story("a", (Frame(CAPTIONS[0]), Frame("")))]
    assert judged(clip, silent, [[picture(0), picture(1)]])["clip to captions"].count == 1


def test_what_cannot_be_compared_is_one_line(clip: EncoderJudge, tmp_path: Path) -> None:
    truth = stories(1)
    with pytest.raises(PictureError, match="'0' has 4 pictures for 5 frames"):
        judged(clip, truth, [pictures(truth)[0][:4]])
    with pytest.raises(PictureError, match="no picture"):
        clip.features([])
    with pytest.raises(ModelError, match="no folder"):
        Encoder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no encoder can be read") as caught:
        Encoder(tmp_path / "empty")
    assert "\n" not in str(caught.value)
    folder = write_clip(tmp_path / "clip")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if name != "visual_projection.weight"},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ModelError, match=r"visual_projection\.weight is missing \(1 such\)"):
        Encoder(folder)
    save_file(
        {name: value * torch.nan for name, value in weights.items() if value.is_floating_point()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ModelError, match="no numbers"):
        Encoder(folder).pictures([picture(0)])
