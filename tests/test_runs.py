"""The recipes at toy size: from nothing to an autoencoder and to a model that tells; what is drawn is drawn once."""

import json
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import arldm.rendered
import arldm.train.context
import arldm.train.decoder
import arldm.train.encoders
import arldm.train.read
import arldm.train.reader
import arldm.train.toonsv
from arldm.config import History, ModelConfig, TellConfig, TrainConfig, from_dict, to_dict
from arldm.errors import CaptionError, ConfigError, ModelError, OutputError
from arldm.evaluate.report import METRICS
from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch
from arldm.model.enlarge import Enlarger as Network
from arldm.model.noise import item_generators
from arldm.recipes import RECIPES, TINY, Autoencoder, Context, Decoder, Encoders, Enlarger, Reader, ToonSV
from arldm.rendered import Rows, drawn, rendered, scene_stills
from arldm.sample import tell
from arldm.toonsv import story
from arldm.toonsv.cast import Key
from arldm.toonsv.questions import ABSENT, FREE, TO_DRAW, kind
from arldm.train import run
from arldm.train.asked import asked
from arldm.train.autoencoder import Crops, load_autoencoder, save_autoencoder
from arldm.train.context import evened
from arldm.train.decoder import Decoding, squares
from arldm.train.encoders import worn
from arldm.train.read import read, reads_once
from arldm.train.stories import cached, turn
from arldm.train.toonsv import begin, shown
from arldm.writing import alone_in, replacing_folder

TRAIN = TrainConfig(
    steps=4,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=2,
    threads=1,
    checkpoint_every=2,
    preview_every=4,
    report_to="none",
    seed=3,
)
SMALL_AUTOENCODER = Autoencoder(TINY.latents, TRAIN, picture_size=TINY.picture_size, stories=6, crop=16)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> ToonSV:
    """The smallest AR-LDM recipe, its autoencoder trained."""
    folder = tmp_path_factory.mktemp("small")
    run(SMALL_AUTOENCODER, folder / "autoencoder")
    return ToonSV(TINY, TRAIN, stories=6, autoencoder=folder / "autoencoder" / "autoencoder.safetensors", cache=folder / "cache")


def test_options_that_cannot_be_are_refused_whoever_gives_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--frames: got 1; expected 2 to 100"):
        run(replace(Encoders(), frames=1), tmp_path / "run")
    with pytest.raises(ConfigError, match="--model: none is not there; run `arldm train toonsv` first"):
        run(Decoder(model=Path("none")), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"--model.history captions: expected pictures"):
        run(replace(Encoders(), model=replace(RECIPES["toonsv-encoders"].model, history="captions")), tmp_path / "run")
    with pytest.raises(ConfigError, match="--latents: no autoencoder can be built of them"):
        run(replace(Autoencoder(), latents=replace(Autoencoder().latents, channels=48)), tmp_path / "run")
    for changed, said in (({"shift": 3.0}, "--train.shift 3.0"), ({"preview_every": 9}, "--train.preview-every 9")):
        with pytest.raises(ConfigError, match=rf"{said}: is nothing to this recipe; leave it out"):
            run(replace(Reader(), train=replace(Reader().train, **changed)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_autoencoder_run_leaves_a_measured_autoencoder(recipe: ToonSV) -> None:
    latents = load_autoencoder(recipe.autoencoder)
    assert latents.config == TINY.latents
    pictures = rendered(recipe.autoencoder.parent / "cache", "train", 6, 64)
    encoded = latents.encode(torch.from_numpy(np.array(pictures)).movedim(-1, 1) / 127.5 - 1)
    assert encoded.mean().abs() < 0.2
    assert 0.8 < encoded.std() < 1.2
    assert (recipe.autoencoder.parent / "samples" / "0000004.png").exists()


def test_the_enlarger_run_leaves_one_that_doubles(recipe: ToonSV, tmp_path: Path) -> None:
    begin(recipe).save_pretrained(tmp_path / "base")
    run(Enlarger(TRAIN, tmp_path / "base", stories=4, crop=16), tmp_path)
    enlarger = Network.from_pretrained(tmp_path / "model")
    assert any(bool(weight.any()) for weight in (enlarger.end.weight, enlarger.end.bias))  # it began as adding nothing
    picture = story("test", 0, 2, 64).frames[0].picture
    assert picture is not None
    assert enlarger.enlarge(picture).size == (128, 128)
    assert enlarger.enlarge(picture.crop((0, 0, 31, 17))).size == (62, 34)
    Image.open(tmp_path / "samples" / "0000004.png").verify()
    with pytest.raises(ModelError, match=r"model.safetensors: not there; expected a file of weights"):
        Network.from_pretrained(tmp_path)


@pytest.mark.parametrize("history", ["pictures", "none"])
def test_the_toonsv_run_leaves_a_model_that_tells(recipe: ToonSV, tmp_path: Path, history: str) -> None:
    for name in (".model.123.new", ".model.124.old", ".checkpoint-0000125.125.new"):  # of processes that were killed
        (tmp_path / name).mkdir()
    mine = (".git", ".checkpoint-best", ".my.safetensors.bak")  # of the user
    for name in mine:
        (tmp_path / name).mkdir()
    run(replace(recipe, model=replace(TINY, history=history)), tmp_path)
    assert {one.name for one in tmp_path.glob(".*")} == set(mine)
    model = ARLDM.from_pretrained(tmp_path / "model")
    assert model.config == replace(TINY, history=history)
    told = list(tell(model, story("test", 0, 3, 64), TellConfig(steps=1), frames=[2]))
    assert isinstance(told[2].picture, Image.Image)
    assert (tmp_path / "samples" / "0000004.png").exists()
    assert set(json.loads((tmp_path / "samples" / "0000004.json").read_text())) == set(METRICS)
    changed = [name for name, tensor in begin(recipe).text_encoder.state_dict().items() if tensor.is_floating_point()]
    assert any(
        not torch.equal(model.text_encoder.state_dict()[name], begin(recipe).text_encoder.state_dict()[name]) for name in changed
    )
    latents = load_autoencoder(recipe.autoencoder)
    torch.testing.assert_close(model.latents.shift, latents.shift)  # the autoencoder does not learn here


def test_a_run_goes_on_from_what_it_began_with(recipe: ToonSV, tmp_path: Path) -> None:
    own = replace(recipe, autoencoder=tmp_path / "autoencoder.safetensors", train=replace(TRAIN, steps=2, preview_every=0))
    shutil.copy(recipe.autoencoder, own.autoencoder)
    run(own, tmp_path / "run")
    run(replace(own, cache=recipe.cache), tmp_path / "run")
    other = load_autoencoder(own.autoencoder)
    other.shift += 1
    save_autoencoder(other, own.autoencoder)
    with pytest.raises(ConfigError, match=r"--autoencoder: .*autoencoder.safetensors holds others than what .*run was begun with"):
        run(own, tmp_path / "run")


def test_what_the_model_cannot_learn_is_refused_before_anything_is_drawn(recipe: ToonSV, tmp_path: Path) -> None:
    fresh, absolute = replace(recipe, cache=tmp_path), replace(TINY, positions="absolute", window=3)
    with pytest.raises(ConfigError, match="story has 5 frames; absolute positions end at 4"):
        run(replace(fresh, model=absolute), tmp_path / "run")
    with pytest.raises(CaptionError, match=r"has \d+ tokens; the limit is 8"):
        run(replace(fresh, model=replace(TINY, text=replace(TINY.text, max_tokens=8))), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"--scenes 4: expected a model with a summary of 29 and --freeze"):
        run(replace(fresh, scenes=4), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"--scenes 4: expected at least 5"):
        run(replace(fresh, scenes=4, freeze=("text_encoder", "history_encoder", "conditioner")), tmp_path / "run")
    assert not list(tmp_path.rglob("*.npy"))


def test_scenes_are_refused_where_no_story_shows_what_they_have(recipe: ToonSV, tmp_path: Path) -> None:
    frozen = replace(recipe, freeze=("text_encoder", "history_encoder", "conditioner"))
    with pytest.raises(ConfigError, match=r"--scenes 8: found"):
        run(replace(frozen, scenes=8), tmp_path)


def test_the_decoder_run_leaves_the_model_with_another_decoder(recipe: ToonSV, tmp_path: Path) -> None:
    begin(recipe).save_pretrained(tmp_path / "base")
    run(Decoder(tmp_path / "base", TRAIN, finish=2, stories=4), tmp_path / "run")
    before, after = (ARLDM.from_pretrained(folder).state_dict() for folder in (tmp_path / "base", tmp_path / "run" / "model"))
    moved = [name for name in before if not torch.allclose(before[name], after[name], rtol=1e-3, atol=1e-4)]
    assert moved
    assert all(name.startswith("latents.vae.decoder.") for name in moved)
    assert {name.split(".")[1] for name in after.keys() - before.keys()} == {"finish"}
    assert after["latents.finish.end.weight"].any()
    assert (tmp_path / "run" / "samples" / "0000004.png").exists()


def test_models_of_other_questions_are_no_surprise_after_hours_of_drawing(recipe: ToonSV, tmp_path: Path) -> None:
    """Their tokens were taken for the answers to ToonSV's questions once all was drawn, in a traceback."""
    other, freeze = replace(recipe, model=replace(TINY, summary=10)), ("text_encoder", "history_encoder", "conditioner")
    assert reads_once(begin(replace(recipe, freeze=freeze)))
    assert not reads_once(begin(replace(other, freeze=freeze)))
    begin(other).save_pretrained(tmp_path / "base")
    with pytest.raises(ConfigError, match=r"base: a model of 10 facts to draw; expected 29, as ToonSV has"):
        run(Decoder(tmp_path / "base", TRAIN), tmp_path / "run")


def test_a_decoder_learns_the_same_square_of_latents_and_of_pictures() -> None:
    corners, side = [[0, 2], [1, 1]], 2
    latents = torch.arange(2 * 3 * 16.0).view(6, 1, 4, 4)  # two stories of three frames
    chosen = squares(latents, corners, side)
    assert torch.equal(chosen[:3], latents[:3, :, 0:2, 2:4])
    assert torch.equal(chosen[3:], latents[3:, :, 1:3, 1:3])
    large = latents.repeat_interleave(8, -1).repeat_interleave(8, -2)
    assert torch.equal(squares(large, [[8 * y, 8 * x] for y, x in corners], 8 * side)[..., ::8, ::8], chosen)


def test_what_a_denoiser_means_is_what_it_was_told_if_it_is_right(recipe: ToonSV, monkeypatch: pytest.MonkeyPatch) -> None:
    model = begin(recipe).eval()
    one = story("train", 0, 2, 64)
    ready = model.batch([one])
    with torch.no_grad():
        condition = model.condition(ready, torch.zeros(1, 2, dtype=torch.bool))
    batch = ReadBatch(condition, model.null(), ready.latents)
    latents = ready.latents.flatten(0, 1)

    def knowing(_: object, noisy: torch.Tensor, timesteps: torch.Tensor, __: object) -> torch.Tensor:
        share = model.schedule.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        noise = (noisy - share.sqrt() * latents) / (1 - share).sqrt()
        return share.sqrt() * noise - (1 - share).sqrt() * latents  # the velocity (Salimans and Ho 2022)

    monkeypatch.setattr(arldm.train.decoder, "predict", knowing)
    meant = Decoding(model).meant(batch, item_generators(1, range(1)))
    torch.testing.assert_close(meant, latents, rtol=1e-4, atol=1e-4)


def test_the_reader_run_leaves_a_reader_and_its_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arldm.train.reader, "CHECKED", 1)
    run(Reader(replace(TRAIN, steps=1, preview_every=0), scenes=2), tmp_path)
    assert (tmp_path / "model" / "model.safetensors").exists()
    shares = json.loads((tmp_path / "model" / "accuracy.json").read_text())
    assert {"facts", "mood", "hue"} <= set(shares)
    assert all(0 <= share <= 1 for share in shares.values())


def test_the_encoders_run_leaves_encoders_for_the_toonsv_run(
    recipe: ToonSV, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arldm.train.encoders, "EXAMINED", 4)
    run(Encoders(TINY, replace(TRAIN, preview_every=0), 6, 4, 40), tmp_path)
    shares = json.loads((tmp_path / "accuracy.json").read_text())
    assert set(shares) == {"seen", "past", "to draw, pictures", "to draw, captions", "to draw, none"}
    assert {"who", "mood", "hue"} <= set(shares["past"])
    assert {"who", "mood", "hue"} <= set(shares["to draw, pictures"])
    assert all(0 <= share <= 1 for each in shares.values() for share in each.values())
    with pytest.raises(ConfigError, match=r"--model.choices 8: .* knows \d+ values of [\w ]+; expected as many"):
        begin(replace(recipe, model=replace(TINY, choices=8), encoders=tmp_path / "encoders.safetensors"))
    fresh, taught = begin(recipe), begin(replace(recipe, encoders=tmp_path / "encoders.safetensors"))
    for name in ("text_encoder", "history_encoder", "conditioner"):
        before, after = getattr(fresh, name).state_dict(), getattr(taught, name).state_dict()
        assert any(not torch.equal(before[key], after[key]) for key in before)
    assert (
        begin(replace(recipe, model=replace(TINY, history="none"), encoders=tmp_path / "encoders.safetensors")).history_encoder
        is None
    )
    captions = begin(
        replace(recipe, model=replace(TINY, history="captions"), encoders=tmp_path / "encoders.safetensors")
    ).history_encoder
    assert captions is not None
    assert captions.vision is None
    assert torch.equal(fresh.unet.conv_in.weight, taught.unet.conv_in.weight)  # the U-Net learns afterwards
    with pytest.raises(ModelError, match=r"no encoders for this model .* run `arldm train toonsv-encoders` first"):
        begin(replace(recipe, encoders=tmp_path / "none"))


@pytest.mark.parametrize("summary", [len(TO_DRAW) - 1, len(TO_DRAW) + 1])
def test_a_summary_of_other_facts_is_refused_before_anything_is_drawn(summary: int, tmp_path: Path) -> None:
    """One of more was trained for hours, and refused by the decoder."""
    with pytest.raises(
        ConfigError, match=rf"--model.summary {summary} .*expected a context, and a summary of {len(TO_DRAW)} tokens"
    ):
        run(Encoders(replace(TINY, summary=summary), replace(TRAIN, preview_every=0), 6, 4, 40), tmp_path / "run")
    assert not list(tmp_path.rglob("*.npy"))


def test_pictures_of_odd_sides_are_worn(recipe: ToonSV) -> None:
    """Softened, they lost a row: a traceback, once all had been drawn."""
    odd, even = (worn(torch.zeros(2, 3, side, side), torch.Generator().manual_seed(0)) for side in (105, 104))
    assert odd.shape == (2, 3, 105, 105)
    assert 0 < odd.std() < 2 * even.std()


def test_the_embedded_model_is_known_by_its_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`arldm toonsv toonsv` makes a folder of that name, which was taken for the model that a run starts from."""
    held = asked(Enlarger())["starts_from"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toonsv").mkdir()
    (tmp_path / "toonsv" / "story.json").write_text("{}")
    assert asked(Enlarger())["starts_from"] == held
    assert set(held) == {"model"}


def test_a_folder_is_replaced_though_a_killed_process_of_this_number_had_set_it_aside(tmp_path: Path) -> None:
    """In containers numbers come again."""
    for folder in (tmp_path / "model", tmp_path / f".model.{os.getpid()}.old"):
        folder.mkdir()
        (folder / "before").touch()
    with replacing_folder(tmp_path / "model") as folder:
        (folder / "now").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "now"]


def test_the_context_learns_on_alone(recipe: ToonSV, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arldm.train.encoders, "EXAMINED", 4)
    train = replace(TRAIN, preview_every=0)
    run(Encoders(TINY, train, 6, 4, 40), tmp_path / "first")
    begun = tmp_path / "first" / "encoders.safetensors"
    run(Context(TINY, train, begun, stories=6, frames=4), tmp_path / "second")
    before, after = load_file(begun), load_file(tmp_path / "second" / "encoders.safetensors")
    assert set(before) == set(after)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"conditioner", "to_draw"}
    assert "to draw, pictures" in json.loads((tmp_path / "second" / "accuracy.json").read_text())
    taught = begin(replace(recipe, encoders=tmp_path / "second" / "encoders.safetensors")).conditioner.state_dict()
    assert torch.equal(taught["queries"], after["conditioner.queries"].float())
    monkeypatch.setattr(arldm.train.context, "MODES", ("none",))
    for doubt in (False, True):  # nothing tells whose landmark stands where, and only in doubt that is asked
        run(Context(TINY, train, begun, doubt, stories=6, frames=4), tmp_path / f"doubt {doubt}")
    learned = [load_file(tmp_path / f"doubt {doubt}" / "encoders.safetensors") for doubt in (False, True)]
    moved = [not torch.equal(one["to_draw.scene landmark.values"], before["to_draw.scene landmark.values"]) for one in learned]
    assert moved == [False, True]
    values = begin(replace(recipe, encoders=tmp_path / "doubt True" / "encoders.safetensors")).prior
    assert values is not None
    for k, (key, words) in enumerate(TO_DRAW.items()):
        free = kind(key) in FREE
        assert torch.equal(values.values[k, : len(words)], learned[1][f"to_draw.{kind(key)}.values"].float()) == free
        assert not values.values[k, len(words) if free else 0 :].any()
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"no encoders for this model .* run `arldm train toonsv-encoders` first"):
        run(Context(TINY, train, torn, stories=6, frames=4), tmp_path / "third")


def test_rare_questions_count_more_than_they_come() -> None:
    answered = torch.full((16, len(TO_DRAW)), ABSENT)
    weather, hat = (list(TO_DRAW).index(key) for key in (Key("scene", "weather"), Key("left", "hat")))
    answered[:, weather], answered[0, hat] = 0, 0
    even = [torch.zeros(16, len(values)) for values in TO_DRAW.values()]
    loss = [len(TO_DRAW[key]) for key in (Key("scene", "weather"), Key("left", "hat"))]
    expected = (16**0.5 * math.log(loss[0]) + math.log(loss[1])) / (16**0.5 + 1)
    assert evened(even, answered).item() == pytest.approx(expected)


def test_a_denoiser_learns_on_from_what_is_small(recipe: ToonSV, tmp_path: Path) -> None:
    run(recipe, tmp_path / "first")
    more = replace(recipe, denoiser=tmp_path / "first" / "model", details=2.0, train=replace(TRAIN, learning_rate=0.0))
    taught = ARLDM.from_pretrained(tmp_path / "first" / "model").unet.state_dict()
    begun = begin(more).unet.state_dict()
    assert all(torch.equal(begun[name], tensor) for name, tensor in taught.items())
    run(replace(more, train=TRAIN), tmp_path / "second")
    learned = ARLDM.from_pretrained(tmp_path / "second" / "model").unet.state_dict()
    assert not torch.equal(learned["conv_in.weight"], taught["conv_in.weight"])
    with pytest.raises(ModelError, match=r"diffusion_pytorch_model.safetensors: not there; expected a file of weights"):
        begin(replace(recipe, denoiser=tmp_path / "nowhere"))


def test_what_is_frozen_does_not_learn(recipe: ToonSV, tmp_path: Path) -> None:
    frozen = replace(recipe, freeze=("history_encoder",))
    run(frozen, tmp_path)
    fresh, taught = begin(recipe).state_dict(), ARLDM.from_pretrained(tmp_path / "model").state_dict()
    kept = {name for name in fresh if fresh[name].is_floating_point() and torch.equal(fresh[name].half(), taught[name].half())}
    assert {name for name in fresh if name.startswith("history_encoder") and fresh[name].is_floating_point()} <= kept
    assert not [name for name in kept if name.startswith("unet.conv_in")]
    assert begin(replace(frozen, model=replace(TINY, history="none"))).history_encoder is None


@pytest.mark.parametrize("history", ["pictures", "captions", "none"])
def test_what_is_read_once_teaches_the_same(recipe: ToonSV, tmp_path: Path, history: History) -> None:
    """The loss with cached conditions is that of encoders which read at every step, where frames lose their condition, too.

    Here nothing is decided: what decides is the picture's truth for the one and what is seen in it for the other.
    """
    frozen = replace(recipe, model=replace(TINY, history=history), freeze=("text_encoder", "history_encoder", "conditioner"))
    model = begin(frozen)
    model.conditioning_dropout = 0.5
    assert recipe.cache is not None
    stories = cached(model, recipe.cache, "train", recipe.stories)
    ready = read(model, stories, tmp_path, shown(recipe.stories, recipe.frames))
    for number in range(3):
        whole, short = stories.batch([number, 5]), ready.batch([number, 5])
        expected, found = (model.loss(batch, item_generators(number, range(2))) for batch in (whole, short))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
        gradients = [torch.autograd.grad(loss, model.unet.conv_in.weight)[0] for loss in (expected, found)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_conditions_are_read_again_only_by_other_encoders(recipe: ToonSV, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arldm.train.read, "BLOCK", 2)
    frozen = replace(recipe, freeze=("text_encoder", "history_encoder", "conditioner"))
    model = begin(frozen)
    assert reads_once(model)
    assert not reads_once(begin(replace(frozen, freeze=("text_encoder", "history_encoder"))))
    assert recipe.cache is not None
    stories, calls, condition = cached(model, recipe.cache, "train", recipe.stories), [], ARLDM.condition

    def watched(self: ARLDM, *arguments):
        if len(calls) == 1 and stop:
            raise KeyboardInterrupt
        calls.append(1)
        return condition(self, *arguments)

    monkeypatch.setattr(ARLDM, "condition", watched)
    stop, true = True, shown(frozen.stories, frozen.frames)
    with pytest.raises(KeyboardInterrupt):
        read(model, stories, tmp_path, true)
    stop = False
    broken = read(model, stories, tmp_path, true)
    assert len(calls) == 3  # of six stories, two at once
    assert np.array_equal(broken.tokens, read(model, stories, tmp_path / "whole", true).tokens)
    read(model, stories, tmp_path, true)
    assert len(calls) == 6
    with torch.no_grad():
        model.conditioner.types.weight.add_(1)
    read(model, stories, tmp_path, true)
    assert len(calls) == 9
    ids, *others = stories.captions
    read(model, replace(stories, captions=(ids.flip(0), *others)), tmp_path, true)
    assert len(calls) == 12  # the captions may change where the scenes do not


def test_the_toonsv_run_with_all_but_the_unet_frozen(recipe: ToonSV, tmp_path: Path) -> None:
    frozen = replace(recipe, freeze=("text_encoder", "history_encoder", "conditioner"), train=replace(TRAIN, preview_every=0))
    run(frozen, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arldm.train.toonsv, "reads_once", lambda model: False)
        run(frozen, tmp_path / "slow")
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "slow")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_same_command_with_other_options_is_refused(recipe: ToonSV, tmp_path: Path) -> None:
    run(replace(recipe, train=replace(TRAIN, steps=1)), tmp_path)
    assert from_dict(ModelConfig, json.loads((tmp_path / "config.json").read_text())["model"]) == TINY
    with pytest.raises(ConfigError, match=r"--model.denoiser.layers is 2; .* was begun with 1, keep it or choose another --out"):
        run(replace(recipe, model=replace(TINY, denoiser=replace(TINY.denoiser, layers=2))), tmp_path)
    with pytest.raises(ConfigError, match=r"--stories is 7; .* was begun with 6"):
        run(replace(recipe, stories=7, train=replace(TRAIN, steps=1)), tmp_path)


def test_an_autoencoder_that_is_not_there_or_of_another_size(recipe: ToonSV, tmp_path: Path) -> None:
    lost, torn = tmp_path / "none.safetensors", tmp_path / "torn.safetensors"
    with pytest.raises(ConfigError, match=r"none.safetensors is not there; run `arldm train toonsv-autoencoder` first"):
        run(replace(recipe, autoencoder=lost), tmp_path / "run")
    torn.write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"no autoencoder can be read .* run `arldm train toonsv-autoencoder` first"):
        run(replace(recipe, autoencoder=torn), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()  # or the mended command would be one with other options
    with pytest.raises(ConfigError, match=r"made with .*; expected .*, give --model.latents"):
        run(replace(recipe, model=replace(TINY, latents=replace(TINY.latents, channels=8))), tmp_path / "run")


def test_batches_depend_on_their_number_alone(recipe: ToonSV) -> None:
    assert recipe.cache is not None
    data = cached(begin(recipe), recipe.cache, "train", recipe.stories)
    first, again, other = (data.batch(turn(number, 4, len(data), seed=1)) for number in (2, 2, 3))
    assert first.latents.shape == (4, 5, 4, 16, 16)
    assert first.past_pictures.shape == (4, 5, 3, 16, 16)
    assert torch.equal(first.latents, again.latents)
    assert torch.equal(first.caption_ids, again.caption_ids)
    assert not torch.equal(first.latents, other.latents)
    pictures = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)
    crops = Crops(pictures, 2, 4, seed=0)
    assert torch.equal(crops(5), crops(5))
    assert not torch.equal(crops(5), crops(6))


def test_cached_stories_are_the_stories(recipe: ToonSV) -> None:
    assert recipe.cache is not None
    model = begin(recipe)
    model.latents = load_autoencoder(recipe.autoencoder)
    found = cached(model, recipe.cache, "train", recipe.stories).batch([4, 1])
    true = model.batch([story("train", index, 5, 64) for index in (4, 1)])
    torch.testing.assert_close(found.latents, true.latents, rtol=2e-3, atol=2e-3)  # kept as float16
    for name in ("caption_ids", "caption_keep", "past_ids", "past_keep", "past_pictures"):
        assert torch.equal(getattr(found, name), getattr(true, name)), name


def test_an_epoch_goes_through_everything_once() -> None:
    seen = [index for number in range(10) for index in turn(number, 3, 10, seed=1)]
    assert sorted(seen[:10]) == sorted(seen[10:20]) == sorted(seen[20:30]) == list(range(10))
    assert seen[:10] != seen[10:20]
    assert seen[:10] != turn(0, 10, 10, seed=2)


def test_drawing_is_continued_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arldm.rendered, "BLOCK", 2)
    whole = np.array(rendered(tmp_path / "whole", "val", 6, 48, 2))
    assert whole.shape == (12, 48, 48, 3)
    halves = drawn("val", range(6), 48, 2)
    with monkeypatch.context() as stopped:
        stopped.setattr(arldm.rendered, "drawn", lambda *_: (block for block, _ in zip(halves, range(1), strict=False)))
        rendered(tmp_path / "part", "val", 6, 48, 2)
    asked: list[range] = []
    with monkeypatch.context() as watched:
        watched.setattr(arldm.rendered, "drawn", lambda split, rows, *rest: (asked.append(rows), drawn(split, rows, *rest))[1])
        assert np.array_equal(rendered(tmp_path / "part", "val", 6, 48, 2), whole)
        rendered(tmp_path / "part", "val", 6, 48, 2)
    assert asked == [range(2, 6), range(6, 6)]


def test_scenes_for_two_pairs_of_eyes_are_two_files(tmp_path: Path) -> None:
    """The reader learned from what had been shrunk for encoders, in one cache."""
    bright, dark = (
        scene_stills(tmp_path, whose, 2, 8, lambda _, value=value: np.full((8, 8, 3), value, np.uint8))
        for whose, value in (("encoders", 255), ("reader", 0))
    )
    assert bright.min() == 255
    assert dark.max() == 0


def test_pictures_of_another_world_are_drawn_again(tmp_path: Path) -> None:
    rendered(tmp_path, "val", 1, 48, 2)
    notes = tmp_path / "val-1x2-48.json"
    notes.write_text(json.dumps(json.loads(notes.read_text()) | {"origin": "another"}))
    (tmp_path / "val-1x2-48.npy").write_bytes(b"not an array")
    assert rendered(tmp_path, "val", 1, 48, 2).any()


def test_a_kill_before_the_first_block_of_another_origin_leaves_nothing_that_looks_done(tmp_path: Path) -> None:
    def rows(origin: str) -> Rows:
        return Rows(tmp_path, "rows", (2, 3), np.float32, origin)

    rows("one").put(0, np.ones((2, 3), np.float32))
    assert rows("one").done == 2
    assert rows("another").done == 0  # and no row was put
    assert rows("one").done == 0


def test_rows_that_a_run_learns_from_stay_what_they_are(tmp_path: Path) -> None:
    """Another autoencoder's latents took their place in the same file, under the run."""
    first = Rows(tmp_path, "rows", (2, 3), np.float32, "one")
    first.put(0, np.ones((2, 3), np.float32))
    learned_from = first.array
    del first
    Rows(tmp_path, "rows", (2, 3), np.float32, "another").put(0, np.zeros((2, 3), np.float32))
    assert learned_from.all()


def test_rows_of_a_file_that_was_cut_off_are_not_done(tmp_path: Path) -> None:
    """They were read as zeros, and learned from."""

    def rows() -> Rows:
        return Rows(tmp_path, "rows", (20, 300), np.float32, "one")

    rows().put(0, np.ones((20, 300), np.float32))
    path, notes = tmp_path / "rows.npy", tmp_path / "rows.json"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert rows().done == 0
    rows().put(0, np.ones((20, 300), np.float32))
    assert rows().done == 20
    notes.write_text("")
    assert rows().done == 0


def test_a_cache_takes_its_room_at_once(tmp_path: Path) -> None:
    """A disk that filled up while rows were written killed the process."""
    with (tmp_path / "probe").open("wb") as file:
        file.truncate(2**22)
        sparse = os.stat(file.fileno()).st_blocks
        os.posix_fallocate(file.fileno(), 0, 2**22)
        if not sparse * 512 < 2**22 <= os.stat(file.fileno()).st_blocks * 512:
            pytest.skip("this disk does not tell how much it keeps of a file")
    rows = Rows(tmp_path, "rows", (2**10, 2**10), np.float32, "one")
    assert rows.done == 0
    assert (tmp_path / "rows.npy").stat().st_blocks * 512 >= 2**22


def test_a_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    """It swept away the checkpoint that the first was writing."""
    (tmp_path / ".checkpoint-0000004.1.new").mkdir()
    with alone_in(tmp_path), pytest.raises(OutputError, match="another process writes there; wait for it, or choose another"):
        run(SMALL_AUTOENCODER, tmp_path)
    assert (tmp_path / ".checkpoint-0000004.1.new").exists()


def test_others_wait_for_who_fills_a_cache(tmp_path: Path) -> None:
    held = Rows(tmp_path, "rows", (2, 3), np.float32, "one")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: Rows(tmp_path, "rows", (2, 3), np.float32, "one").done)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        held.put(0, np.ones((2, 3), np.float32))
        del held
        assert waiting.result(timeout=20) == 2


def test_a_disk_without_room_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"GiB are free and .* GiB are needed; free some or choose another folder"):
        rendered(tmp_path, "val", 10**9, 256)


def test_every_recipe_can_be_written_down() -> None:
    assert {"toonsv-autoencoder", "toonsv-reader", "toonsv-encoders", "toonsv"} <= set(RECIPES)
    for recipe in RECIPES.values():
        assert json.dumps(to_dict(recipe))
