"""The whole model: its loss against a loop written by hand, what depends on what, its size, and its folder."""

import dataclasses
import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import BertTokenizer, BlipTextModel, BlipVisionModel, CLIPTextModel, CLIPTokenizer

from arldm.config import ModelConfig, to_dict
from arldm.errors import ConfigError, ModelError, OutputError, PictureError, ScriptError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.denoiser import predict
from arldm.model.text import CaptionTokenizer
from arldm.story import Story
from conftest import TINY, build, story


def batch_of(model: ARLDM) -> StoryBatch:
    return model.batch([story(given=5, name="one"), story(given=5, name="two", shift=2)])


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generators(seed: int = 3) -> list[torch.Generator]:
    """One for each of the two stories of `batch_of`."""
    return [generator(seed), generator(seed + 100)]


PAPER_LIKE = dataclasses.replace(
    TINY, positions="absolute", denoiser=dataclasses.replace(TINY.denoiser, prediction="epsilon", zero_terminal_snr=False)
)


def loss_by_hand(model: ARLDM, batch: StoryBatch, generators: list[torch.Generator]) -> torch.Tensor:
    """The paper's text as a loop: each frame alone, its context put together token by token, nothing padded, nothing masked."""
    stories, frames = batch.latents.shape[:2]
    dropped = torch.stack([torch.rand(frames, generator=one) < model.conditioning_dropout for one in generators])
    timesteps = torch.cat([((1 - torch.rand(frames, generator=one)) * 1000).long().clamp_max(999) for one in generators])
    noise = torch.stack([torch.randn(batch.latents.shape[1:], generator=one) for one in generators])
    alphas = model.schedule.alphas_cumprod
    clip, blip = model.text_encoder.clip, model.history_encoder
    assert blip is not None
    assert blip.vision is not None
    assert blip.stem is not None
    kind, place = model.conditioner.types.weight, model.conditioner.positions.weight
    total = torch.zeros(())
    for s in range(stories):
        for t in range(frames):
            empty = [model.tokenizer.id("<|startoftext|>"), model.tokenizer.id("<|endoftext|>")]
            ids = torch.tensor([empty]) if dropped[s, t] else batch.caption_ids[s, t][batch.caption_keep[s, t]][None]
            context = [clip(ids).last_hidden_state + kind[0]]
            for j in range(t):
                if dropped[s, t] or t - j > model.config.window:
                    continue
                words = batch.past_ids[s, j][batch.past_keep[s, j]][None].clone()
                words[:, 0] = model.past_tokenizer.id("[ENC]")
                looked = blip.vision(blip.stem(batch.past_pictures[s, j][None])).last_hidden_state
                grounded = blip.text(words, encoder_hidden_states=looked, is_decoder=False).last_hidden_state
                where = j if model.config.positions == "absolute" else t - j
                context.append(grounded + kind[1] + place[where])
            seen = torch.cat(context, dim=1)
            if model.conditioner.context is not None:
                queries = model.conditioner.queries
                seen = queries + model.conditioner.context(queries[None], seen)
            k = s * frames + t
            a = alphas[timesteps[k]]
            clean, stain = batch.latents[s, t], noise[s, t]
            noisy = (a.sqrt() * clean + (1 - a).sqrt() * stain)[None]
            if model.config.denoiser.coordinates:
                middle = torch.pi * (torch.arange(clean.shape[-1]) + 0.5) / clean.shape[-1]
                rows, columns = middle[:, None].expand(clean.shape[1:]), middle.expand(clean.shape[1:])
                noisy = torch.cat([noisy, torch.stack([rows.sin(), columns.sin(), rows.cos(), columns.cos()])[None]], dim=1)
            said = model.unet(noisy, timesteps[k], seen).sample[0]
            wanted = stain if model.config.denoiser.prediction == "epsilon" else a.sqrt() * stain - (1 - a).sqrt() * clean
            total = total + (said - wanted).square().mean()
    return total / (stories * frames)


def test_timesteps_are_all_alike_or_oftener_from_the_noisy_end() -> None:
    model = build(TINY)
    for shift, middle in ((1.0, 0.5), (4.0, 0.352)):  # of 4: 0.25 <- 1/13, 0.75 <- 3/7
        model.shift = shift
        drawn = model.timesteps(40_000, generator())
        assert 0 <= drawn.min() < 10
        assert 990 < drawn.max() <= 999
        assert ((drawn >= 250) & (drawn < 750)).float().mean().item() == pytest.approx(middle, abs=0.01)


@pytest.mark.parametrize(
    ("part", "option", "value", "said"),
    [
        ("denoiser", "groups", 7, "must be divisible by num_groups (7)"),
        ("text", "heads", 3, "The hidden size (16) is not a multiple of the number of attention heads (3)"),
        ("latents", "widths", (-8, 16), "negative dimension -8"),
    ],
)
def test_an_architecture_that_cannot_be_is_refused(part: str, option: str, value: object, said: str) -> None:
    config = dataclasses.replace(TINY, **{part: dataclasses.replace(getattr(TINY, part), **{option: value})})
    with pytest.raises(ConfigError, match=r"the model cannot be built \(.*" + re.escape(said)):
        build(config)


@pytest.mark.parametrize("wrong", [{"context": 0}, {"summary": 0}, {"context": 0, "summary": 0, "choices": 4}])
def test_a_summary_comes_of_a_context_and_choices_of_a_summary(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"context is \d, summary \d and choices \d; expected a summary where"):
        build(dataclasses.replace(TINY, **wrong))


def test_pictures_are_encoded_some_at_a_time(model: ARLDM, monkeypatch: pytest.MonkeyPatch) -> None:
    stories = [story(5, given=5, shift=shift) for shift in range(3)]
    whole = model.batch(stories).latents
    monkeypatch.setattr("arldm.model.arldm.AT_ONCE", 4)
    torch.testing.assert_close(model.batch(stories).latents, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [PAPER_LIKE, TINY, dataclasses.replace(TINY, window=2)], ids=["paper", "relative", "window"])
def test_loss_and_gradients_equal_a_loop_written_by_hand(config: ModelConfig) -> None:
    model = build(config)
    model.conditioning_dropout = 0.3
    batch = batch_of(model)
    quick, slow = model.loss(batch, generators()), loss_by_hand(model, batch, generators())
    torch.testing.assert_close(quick, slow, rtol=1e-5, atol=1e-6)
    names, learned = zip(*((name, weight) for name, weight in model.named_parameters() if weight.requires_grad), strict=True)
    ours = torch.autograd.grad(quick, learned, materialize_grads=True, allow_unused=True)
    theirs = torch.autograd.grad(slow, learned, materialize_grads=True, allow_unused=True)
    for name, mine, other in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=2e-6, msg=lambda text, name=name: f"{name}: {text}")
    assert sum(bool(gradient.any()) for gradient in ours) > 0.9 * len(ours)


def predictions(model: ARLDM, batch: StoryBatch) -> torch.Tensor:
    condition = model.condition(batch, torch.zeros(batch.latents.shape[:2], dtype=torch.bool))
    noise = torch.randn(batch.latents.shape, generator=generator()).flatten(0, 1)
    said = predict(model.unet, noise, torch.arange(len(noise)) * 90, condition.folded())
    return said.unflatten(0, batch.latents.shape[:2])


@torch.no_grad()
def test_frame_never_depends_on_later_pictures_or_captions(model) -> None:
    batch = batch_of(model)
    before = predictions(model, batch)
    for k in range(5):
        pictures, ids = batch.past_pictures.clone(), batch.caption_ids.clone()
        pictures[:, k] += 1
        changed = (predictions(model, dataclasses.replace(batch, past_pictures=pictures)) != before).any(dim=(0, 2, 3, 4))
        assert changed.tolist() == [t > k for t in range(5)]
        ids[:, k, 1] = (ids[:, k, 1] + 1) % 500
        past_ids = batch.past_ids.clone()
        past_ids[:, k, 1] = (past_ids[:, k, 1] + 1) % 100
        other = dataclasses.replace(batch, caption_ids=ids, past_ids=past_ids)
        assert (predictions(model, other) != before).any(dim=(0, 2, 3, 4)).tolist() == [t >= k for t in range(5)]


def test_gradient_reaches_only_past_pictures(model) -> None:
    batch = batch_of(model)
    pictures = batch.past_pictures.clone().requires_grad_()
    said = predictions(model, dataclasses.replace(batch, past_pictures=pictures))
    for t in range(5):
        (gradient,) = torch.autograd.grad(said[:, t].square().sum(), pictures, retain_graph=True, materialize_grads=True)
        assert [bool(gradient[:, k].any()) for k in range(5)] == [k < t for k in range(5)]


@torch.no_grad()
def test_dropped_frame_is_drawn_as_if_it_had_no_caption_and_no_past(model) -> None:
    batch = batch_of(model)
    condition = model.condition(batch, torch.ones(2, 5, dtype=torch.bool))
    null = model.null()
    for s in range(2):
        for t in range(5):
            torch.testing.assert_close(condition.tokens[s, t][condition.keep[s, t]], null.tokens[0, 0], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_history_switch(model) -> None:
    batch = batch_of(model)
    said = {}
    for mode in ("pictures", "captions", "none"):
        model.use_history(mode)
        said[mode] = predictions(model, batch)
    darker = dataclasses.replace(batch, past_pictures=batch.past_pictures - 1)
    assert torch.equal(said["none"], predictions(model, darker))
    model.use_history("captions")
    assert torch.equal(said["captions"], predictions(model, darker))
    for one, other in (("pictures", "captions"), ("captions", "none")):
        assert torch.equal(said[one][:, 0], said[other][:, 0])
        assert not torch.equal(said[one][:, 1:], said[other][:, 1:])


@pytest.mark.parametrize("mode", ["none", "captions"])
def test_baselines_train_and_cannot_look_at_pictures(mode, tmp_path: Path) -> None:
    model = build(dataclasses.replace(TINY, history=mode))
    model.loss(batch_of(model), generators()).backward()
    assert all(weight.grad is not None for weight in model.unet.parameters())
    with pytest.raises(ConfigError, match=f"history 'pictures' asked of a model built with '{mode}'"):
        model.use_history("pictures")
    model.save_pretrained(tmp_path / "model")
    assert ARLDM.from_pretrained(tmp_path / "model").hash() == model.hash()


def test_training_lowers_the_loss() -> None:
    model = build()
    batch, rate = batch_of(model), 3e-3
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=rate)
    losses = []
    for step in range(30):
        loss = model.loss(batch, generators(step % 3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_autoencoder_does_not_learn(model) -> None:
    model.loss(batch_of(model), generators()).backward()
    assert all(weight.grad is None for weight in model.latents.parameters())


def test_training_needs_every_picture(model) -> None:
    with pytest.raises(PictureError, match="has 2 pictures for 5 frames"):
        model.batch([story(given=2)])


def test_paper_has_the_papers_parameters() -> None:
    """859.5 + 83.7 + 123.1 + 303.3 + 142.0 = 1,511.5 M, and the embeddings of type and position."""
    clip = {**{f"w{k}": k for k in range(49406)}, "<|startoftext|>": 49406, "<|endoftext|>": 49407}
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]")
    bert = {word: k for k, word in enumerate((*special, *(f"w{k}" for k in range(30524 - len(special)))))}
    tokenizers = CaptionTokenizer(CLIPTokenizer(vocab=clip, merges=[]), 77), CaptionTokenizer(BertTokenizer(vocab=bert), 77)
    with torch.device("meta"):
        model = ARLDM(ModelConfig(), *tokenizers)
    assert model.history_encoder is not None
    assert model.history_encoder.vision is not None
    parts = (model.unet, model.latents, model.text_encoder, model.history_encoder.vision, model.history_encoder.text)
    counts = [sum(weight.numel() for weight in part.parameters()) / 1e6 for part in parts]
    assert [round(count, 1) for count in counts] == [859.5, 83.7, 123.1, 303.3, 142.0]
    assert round(sum(counts), 1) == 1511.5
    assert sum(weight.numel() for weight in model.conditioner.parameters()) == 7 * 768


@pytest.fixture(scope="module")
def measured() -> ARLDM:
    """A model that other tests have no part in: its latents are measured, as a trained one's are."""
    model = build()
    model.latents.measure([torch.rand(4, 3, 32, 32, generator=generator()) * 2 - 1])
    return model


@pytest.fixture(scope="module")
def saved(measured: ARLDM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    measured.save_pretrained(folder)
    return folder


@torch.no_grad()
def test_saved_and_loaded_is_the_same_model(measured: ARLDM, saved: Path) -> None:
    model = measured
    again = ARLDM.from_pretrained(saved)
    assert again.config == model.config
    assert again.hash() == model.hash()
    assert torch.equal(predictions(model, batch_of(model)), predictions(again, batch_of(again)))
    assert again.unknown_words(["Momo meets a zebra", "a zebra!"]) == ["meets", "zebra"]
    assert not list(saved.parent.glob(".*")), "something was left beside the folder"


def test_parts_open_in_stock_libraries(measured: ARLDM, saved: Path) -> None:
    model = measured
    assert model.history_encoder is not None
    loaded = {
        "unet": (UNet2DConditionModel.from_pretrained(saved / "unet"), model.unet),
        "vae": (AutoencoderDC.from_pretrained(saved / "vae"), model.latents.vae),
        "text_encoder": (CLIPTextModel.from_pretrained(saved / "text_encoder"), model.text_encoder.clip),
        "vision_encoder": (BlipVisionModel.from_pretrained(saved / "vision_encoder"), model.history_encoder.vision),
        "history_encoder": (
            BlipTextModel.from_pretrained(saved / "history_encoder", add_pooling_layer=False),
            model.history_encoder.text,
        ),
    }
    for name, (stock, ours) in loaded.items():
        for key, weight in ours.state_dict().items():
            assert torch.equal(stock.state_dict()[key], weight), (name, key)
    index = json.loads((saved / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert index["vae"] == ["diffusers", "AutoencoderDC"]
    assert index["vision_encoder"] == ["transformers", "BlipVisionModel"]
    assert CLIPTokenizer.from_pretrained(saved / "tokenizer").get_vocab() == model.tokenizer.tokenizer.get_vocab()


def test_half_size_on_disk(measured: ARLDM, saved: Path, tmp_path: Path) -> None:
    model = measured
    folder = tmp_path / "half"
    model.save_pretrained(folder, torch.float16)
    whole, half = (sum(path.stat().st_size for path in where.rglob("*.safetensors")) for where in (saved, folder))
    assert half < 0.6 * whole
    again = ARLDM.from_pretrained(folder)
    assert again.dtype == torch.float32
    for key, weight in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], weight, rtol=1e-3, atol=1e-4)
    assert ARLDM.from_pretrained(folder, dtype=torch.bfloat16).dtype == torch.bfloat16


def _wrong_shape(folder: Path) -> None:
    path = folder / "condition" / "model.safetensors"
    save_file({**load_file(path), "types.weight": torch.zeros(3, 16)}, path)


def _missing_weight(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    del weights["conv_in.bias"]
    save_file(weights, path)


def _cut(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _config(**change: object) -> object:
    def edit(folder: Path) -> None:
        path = folder / "arldm.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return edit


def _part(name: str, **change: object) -> object:
    whole = to_dict(TINY)
    return _config(model=whole | {name: whole[name] | change})


OURS = re.escape(version("arldm"))


def _whole_numbers(folder: Path) -> None:
    path = folder / "condition" / "model.safetensors"
    weights = load_file(path)
    save_file({**weights, "types.weight": weights["types.weight"].long()}, path)


def _statistics(folder: Path, scale: float) -> None:
    path = folder / "vae" / "statistics.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "scale": [scale, *held["scale"][1:]]}))


BROKEN = {
    "missing file": (lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "not there"),
    "missing tokenizer": (lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer: not there"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer" / "tokenizer.json").write_text("{"), "no CLIPTokenizer can be read"),
    "wrong shape": (_wrong_shape, r"types.weight has shape \(3, 16\); .* ask for \(2, 16\)"),
    "missing weight": (_missing_weight, r"conv_in.bias is missing \(1 such\)"),
    "pickle": (lambda folder: (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x"), "a pickle, which can run code"),
    "cut": (_cut, "not a whole safetensors file"),
    "not json": (lambda folder: (folder / "arldm.json").write_text("{"), "cannot be understood"),
    "later format": (_config(format=99), f"format 99, written by arldm {OURS}; arldm {OURS} reads formats 1 to 4"),
    "unknown option": (_config(model={"nam": 1}), "unknown option 'nam'"),
    "deeply nested": (lambda folder: (folder / "arldm.json").write_text("[" * 100_000), "cannot be understood"),
    "another type": (_config(model=to_dict(TINY) | {"window": "four"}), "window is 'four'; expected a value of type int"),
    "no heads": (_part("text", heads=0), "describes no model that can be built"),
    "seven heads": (_part("text", heads=7), "describes no model that can be built"),
    "no patch": (_part("past", patch=0), "describes no model that can be built"),
    "no widths": (_part("denoiser", widths=[]), "describes no model that can be built"),
    "no list of words": (lambda folder: (folder / "tokenizer" / "vocabulary.json").write_text("[[1]]"), "is no list of words"),
    "nested words": (
        lambda folder: (folder / "history_tokenizer" / "vocabulary.json").write_text("[" * 100_000),
        "no BertTokenizer can be read",
    ),
    "whole numbers": (_whole_numbers, "types.weight is of torch.int64; expected torch.float32 or near it"),
    "no scale": (lambda folder: _statistics(folder, 0.0), "scales of 0 or less"),
    "a scale that is none": (lambda folder: _statistics(folder, float("nan")), "that are no numbers"),
    "seven coordinates": (_part("denoiser", coordinates=7), "denoiser.coordinates is 7; expected a multiple of 4"),
    "no window": (_config(model=to_dict(TINY) | {"window": 0}), "window is 0; expected 1 past frame or more"),
    "statistics": (lambda folder: (folder / "vae" / "statistics.json").write_text('{"shift": [0], "scale": [1]}'), "1 shifts"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_folder_is_refused_in_one_line(name: str, saved: Path, tmp_path: Path) -> None:
    harm, said = BROKEN[name]
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    harm(folder)  # type: ignore[operator]
    with pytest.raises(ModelError, match=said) as error:
        ARLDM.from_pretrained(folder)
    assert "\n" not in str(error.value)


def test_a_folder_of_an_older_version_is_read_as_what_it_was(tmp_path: Path) -> None:
    plain = dataclasses.replace(
        TINY,
        context=0,
        summary=0,
        past=dataclasses.replace(TINY.past, stem=0),
        denoiser=dataclasses.replace(TINY.denoiser, coordinates=0),
    )
    old = build(plain)
    old.save_pretrained(tmp_path)
    path = tmp_path / "arldm.json"
    held = json.loads(path.read_text())["model"]
    del (
        held["context"],
        held["summary"],
        held["memory"],
        held["past"]["stem"],
        held["denoiser"]["coordinates"],
    )  # which it did not know
    path.write_text(json.dumps({"format": 1, "model": held}))
    read = ARLDM.from_pretrained(tmp_path)
    assert read.config == plain
    assert read.hash() == old.hash()


def test_folder_that_is_not_there() -> None:
    with pytest.raises(ModelError, match=r"nowhere/arldm\.json: not there"):
        ARLDM.from_pretrained("nowhere")


def test_saving_over_a_model_replaces_it_and_over_anything_else_is_refused(model, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    other = build(seed=2)
    other.save_pretrained(tmp_path / "model")
    assert ARLDM.from_pretrained(tmp_path / "model").hash() == other.hash()
    (tmp_path / "model" / "README.md").write_text("not to be lost")
    with pytest.raises(OutputError, match=r"model: holds README.md beside a model, which would be lost"):
        model.save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "README.md").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("not to be lost")
    with pytest.raises(OutputError, match="holds something that is not a model"):
        model.save_pretrained(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").exists()


def test_stories_of_unequal_length_are_no_batch(model) -> None:
    """Their frames were mixed, without a word."""
    for some in ([], [story(2, given=2), story(3, given=3)], [Story("s", ())]):
        with pytest.raises(ScriptError, match="frames in one batch; expected at least one story, all of one length"):
            model.batch(some)


def test_a_batch_may_have_given_frames(model) -> None:
    whole, drawn = model.batch([story(3, given=3)]), model.batch([story(3, given=3)], given=1)
    assert drawn.given == 1
    assert torch.equal(drawn.latents, whole.latents[:, 1:])
    assert torch.equal(drawn.caption_ids, whole.caption_ids[:, 1:, : drawn.caption_ids.shape[-1]])
    assert torch.equal(drawn.past_pictures, whole.past_pictures)
    with pytest.raises(ConfigError, match="given is 3 of stories of 3 frames; expected fewer"):
        model.batch([story(3, given=3)], given=3)


def test_a_narrower_model_is_as_wide_again_if_asked(model) -> None:
    model.use_history("none")
    assert model.narrowed("pictures").history == "pictures"


def test_a_narrower_model_leaves_the_one_it_was_made_of_as_it_is(model) -> None:
    assert model.narrowed("captions").history == "captions"
    assert model.history == "pictures"


@pytest.mark.parametrize("other", [{"variant": "fp16"}, {"safe_serialization": False}], ids=str)
def test_other_files_than_a_folder_has_are_refused(model, tmp_path: Path, other: dict) -> None:
    with pytest.raises(ConfigError, match="holds one set of safetensors"):
        model.save_pretrained(tmp_path / "model", **other)


def test_unwritable_place(model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        model.save_pretrained(tmp_path / "file" / "model")


def test_same_seed_same_weights() -> None:
    state = torch.random.get_rng_state()
    assert build(seed=5).hash() == build(seed=5).hash() != build(seed=6).hash()
    assert torch.equal(state, torch.random.get_rng_state()), "building a model changed the global generator"
