"""Published folders, written by stock diffusers and transformers at toy width, become an AR-LDM and back."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    CLIPTextConfig,
    CLIPTextModel,
)

from arldm.cli import main
from arldm.errors import ModelError
from arldm.model.arldm import ARLDM
from arldm.model.growth import GROWTHS, Growth, lengthened
from arldm.model.published import from_published
from arldm.model.vocabulary import train_bert_tokenizer, train_clip_tokenizer
from conftest import CAPTIONS

WORDS = (*CAPTIONS, "a penguin and a beaver see the man, his boss and a dinosaur")
GROWTH = Growth({"zozo": "penguin", "qiqi": "a beaver"}, 80)


def write_sd(folder: Path, **unet: object) -> None:
    """A Stable Diffusion 1.x of the real classes."""
    tokenizer = train_clip_tokenizer(WORDS, 700)
    clip = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    sizes = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 8}
    down, up = ("CrossAttnDownBlock2D",) * 2, ("CrossAttnUpBlock2D",) * 2
    net = UNet2DConditionModel(
        sample_size=8, down_block_types=down, up_block_types=up, cross_attention_dim=16, attention_head_dim=2, **{**sizes, **unet}
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False)
    StableDiffusionPipeline(
        vae, CLIPTextModel(clip), tokenizer, net, scheduler, None, None, requires_safety_checker=False  # type: ignore[arg-type]
    ).save_pretrained(folder)  # fmt: skip


def write_blip(folder: Path, kind: type = BlipForImageTextRetrieval, size: int = 32) -> None:
    """A BLIP of the real classes; its tokenizer leaves out BLIP's two signs, as the published one does."""
    full = train_bert_tokenizer(WORDS, 300)
    words = {token: index for token, index in full.get_vocab().items() if token not in ("[DEC]", "[ENC]")}
    vocab = {token: place for place, token in enumerate(sorted(words, key=words.__getitem__))}
    BertTokenizer(vocab=vocab).save_pretrained(folder)
    text = {
        "vocab_size": len(vocab) + 2,
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text |= {"encoder_hidden_size": 24, "bos_token_id": len(vocab), "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    vision = {"hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": size}
    vision |= {"patch_size": 16, "initializer_range": 0.02}
    kind(BlipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("published")
    write_sd(place / "sd")
    write_blip(place / "blip", size=224)
    return place / "sd", place / "blip"


@pytest.fixture
def copies(folders, tmp_path: Path) -> tuple[Path, Path]:
    return tuple(Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in folders)  # type: ignore[return-value]


def test_every_published_weight_is_in_the_model(folders) -> None:
    sd, blip = folders
    model = from_published(sd, blip, GROWTH)
    clip = CLIPTextModel.from_pretrained(sd / "text_encoder")
    unet = UNet2DConditionModel.from_pretrained(sd / "unet")
    text = BlipForImageTextRetrieval.from_pretrained(blip)
    for ours, theirs in (
        (model.unet, unet),
        (model.latents.vae, AutoencoderKL.from_pretrained(sd / "vae")),
        (model.history_encoder.vision, text.vision_model),
    ):
        mine = ours.state_dict()
        assert set(mine) == set(theirs.state_dict())
        assert all(torch.equal(mine[name], value) for name, value in theirs.state_dict().items())
    size = len(clip.get_input_embeddings().weight)
    assert torch.equal(model.text_encoder.clip.get_input_embeddings().weight[:size], clip.get_input_embeddings().weight)
    assert not any(weight.is_meta for weight in (*model.parameters(), *model.buffers()))
    assert all(not weight.requires_grad for weight in model.latents.parameters())
    assert model.unet.conv_in.weight.requires_grad


def test_new_names_begin_as_their_words_and_captions_may_be_longer(folders) -> None:
    model = from_published(*folders, GROWTH)
    for tokenizer, table in (
        (model.tokenizer, model.text_encoder.clip.get_input_embeddings().weight),
        (model.past_tokenizer, model.history_encoder.text.get_input_embeddings().weight),
    ):
        assert len(tokenizer) == len(table)
        words = tokenizer.tokenizer("a beaver", add_special_tokens=False)["input_ids"]
        assert torch.allclose(table[tokenizer.id("qiqi")], table[words].mean(0))
        assert tokenizer.tokenizer("Zozo waves at zozos").tokens().count("zozo") == 1  # as a word, not inside another
    positions = model.text_encoder.clip.embeddings.position_embedding.weight
    assert len(positions) == 80
    assert torch.equal(positions[77], positions[76])
    assert len(lengthened(positions, 65)) == 65
    model.read_captions(*(values[None] for values in model.tokenizer.encode(["a " * 78])))


def test_blips_positions_fit_another_size_of_pictures(tmp_path: Path, folders) -> None:
    write_blip(tmp_path / "blip", size=384)
    model = from_published(folders[0], tmp_path / "blip", GROWTH)
    theirs = BlipForImageTextRetrieval.from_pretrained(tmp_path / "blip").vision_model.embeddings.position_embedding
    ours = model.history_encoder.vision.embeddings.position_embedding
    assert theirs.shape[1] == 1 + 24 * 24
    assert ours.shape[1] == 1 + 14 * 14
    assert torch.equal(ours[:, 0], theirs[:, 0])


def test_a_blip_that_writes_captions_is_refused(tmp_path: Path, folders) -> None:
    """Its self-attention has learned to look back alone, and was to look both ways."""
    write_blip(tmp_path / "blip", BlipForConditionalGeneration, 224)
    with pytest.raises(ModelError, match="blip: has no text_encoder, and writes captions; expected a BLIP that reads"):
        from_published(folders[0], tmp_path / "blip", GROWTH)


def test_weights_of_older_versions_are_read(copies) -> None:
    """Pickled tensors, half precision, buffers that were kept once, and the old names of the autoencoder's attention."""
    sd, blip = copies
    path = sd / "vae" / "diffusion_pytorch_model.safetensors"
    new = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(path)
    old = {}
    for key, value in weights.items():
        for present, past in new.items():
            if f".{present}." in key:
                key, value = key.replace(present, past), value[..., None, None] if key.endswith("weight") else value
        old[key] = value.contiguous()
    save_file(old, path)
    clip = load_file(sd / "text_encoder" / "model.safetensors")
    clip["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save({key: value.half() for key, value in clip.items()}, sd / "text_encoder" / "pytorch_model.bin")  # noqa: TID251
    (sd / "text_encoder" / "model.safetensors").unlink()
    model = from_published(sd, blip, GROWTH)
    attention = [name for name in model.latents.vae.state_dict() if "to_q" in name]
    assert attention
    assert all(torch.equal(model.latents.vae.state_dict()[name], weights[name]) for name in attention)
    assert model.text_encoder.clip.get_input_embeddings().weight.dtype == torch.float32


def test_the_saved_model_opens_in_stock_diffusers_with_the_same_output(folders, tmp_path: Path, capsys) -> None:
    sd, blip = folders
    assert main(["init", "paper", "--sd", str(sd), "--blip", str(blip), "--out", str(tmp_path / "model")]) == 0
    assert "in all" in capsys.readouterr().out
    model = ARLDM.from_pretrained(tmp_path / "model")
    assert model.config.text.max_tokens == GROWTHS["pororo"].max_tokens == 85
    assert len(model.tokenizer.tokenizer("pororo and loopy")["input_ids"]) == 5
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "model" / "unet")
    noisy, context = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 16)
    with torch.no_grad():
        assert torch.equal(unet(noisy, 7, context).sample, model.unet(noisy, 7, context).sample)
        vae = AutoencoderKL.from_pretrained(tmp_path / "model" / "vae")
        pictures = torch.rand(1, 3, 16, 16) * 2 - 1
        assert torch.allclose(vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor, model.latents.encode(pictures))


def lose(path: Path, key: str) -> None:
    weights = load_file(path)
    del weights[next(name for name in weights if key in name)]
    save_file(weights, path)


def gain(path: Path) -> None:
    save_file({**load_file(path), "text_model.surprise": torch.zeros(1)}, path)


def rewrite(path: Path, key: str, value: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))


HARM = {
    "no folder": (lambda sd, blip: shutil.rmtree(sd), "sd: is no folder"),
    "no unet": (lambda sd, blip: shutil.rmtree(sd / "unet"), "config.json: cannot be read"),
    "no weights": (lambda sd, blip: (sd / "unet/diffusion_pytorch_model.safetensors").unlink(), "unet: has no weights"),
    "one missing": (
        lambda sd, blip: lose(sd / "unet/diffusion_pytorch_model.safetensors", "conv_in.bias"),
        "conv_in.bias is missing",
    ),
    "no table": (
        lambda sd, blip: lose(sd / "text_encoder/model.safetensors", "token_embedding"),
        "token_embedding.weight is missing",
    ),
    "one too many": (lambda sd, blip: gain(sd / "text_encoder/model.safetensors"), "surprise is not part of this model"),
    "unknown in blip": (lambda sd, blip: gain(blip / "model.safetensors"), "text_model.surprise is unknown"),
    "another size": (lambda sd, blip: rewrite(sd / "unet/config.json", "block_out_channels", [8, 8]), "unet: "),
    "no numbers": (lambda sd, blip: rewrite(blip / "config.json", "text_config", None), "make no AR-LDM"),
    "patches of nothing": (
        lambda sd, blip: rewrite(blip / "config.json", "vision_config", {"patch_size": 0}),
        "make no AR-LDM",
    ),
    "another kind": (
        lambda sd, blip: rewrite(sd / "unet/config.json", "use_linear_projection", True),
        "its use_linear_projection is True",
    ),
    "another scale": (lambda sd, blip: rewrite(sd / "vae/config.json", "scaling_factor", 0.13025), "its scaling_factor is 0.13025"),
    "another schedule": (
        lambda sd, blip: rewrite(sd / "scheduler/scheduler_config.json", "beta_schedule", "linear"),
        "its beta_schedule is linear; expected scaled_linear",
    ),
    "another width": (lambda sd, blip: rewrite(sd / "text_encoder/config.json", "hidden_size", 32), "make no AR-LDM"),
    "half": (
        lambda sd, blip: (blip / "model.safetensors").write_bytes(b"\x10" * 99),
        "model.safetensors: is no whole file of weights",
    ),
    "another tokenizer": (lambda sd, blip: other_tokenizer(sd), "its table has"),
}


def other_tokenizer(sd: Path) -> None:
    train_clip_tokenizer(["hello"], 520).save_pretrained(sd / "tokenizer")


@pytest.mark.parametrize("name", list(HARM))
def test_a_folder_with_something_wrong_is_refused(copies, name: str) -> None:
    harm, expected = HARM[name]
    harm(*copies)
    with pytest.raises(ModelError, match=expected) as caught:
        from_published(*copies, GROWTH)
    assert "\n" not in str(caught.value)


def test_a_pickle_that_would_run_code_is_refused(copies, tmp_path: Path) -> None:
    import os
    import pickle  # noqa: TID251

    sd, blip = copies

    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    (sd / "text_encoder" / "model.safetensors").unlink()
    (sd / "text_encoder" / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Harm()}))
    with pytest.raises(ModelError, match="is no whole file of weights"):
        from_published(sd, blip, GROWTH)
    assert not (tmp_path / "ran").exists()
