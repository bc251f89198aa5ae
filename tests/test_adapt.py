"""A new character from a few pictures: what is read, what learns, what a pack holds, and that it can be let go again."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from safetensors.torch import load_file, save_file

from arldm.adapt.adapt import FURTHER, HOLD, KEPT, Adapting, _hash, adapt
from arldm.adapt.former import Former
from arldm.adapt.lessons import (
    ASKED,
    DECOYS,
    FIGURE,
    HELD,
    MORE,
    NAMED,
    RECALLED,
    WHO,
    Lesson,
    _decided,
    _recall,
    always,
    as_read,
    decoyed,
    fresh,
    in_orders,
    newcomer,
    of_character,
    strayed,
    together,
)
from arldm.adapt.old import of_old
from arldm.adapt.pictures import read_pictures
from arldm.adapt.recasting import Part, Recast, recastings
from arldm.adapt.recipes import DRAWN, Adaptation
from arldm.adapt.school import School
from arldm.cli import main
from arldm.cli.adapting import Adapt
from arldm.cli.packs import parsed, recipe_of
from arldm.config import TellConfig, TrainConfig
from arldm.errors import ArldmError, ConfigError, DatasetError, ModelError, OutputError, PictureError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.noise import item_generators
from arldm.model.pack import CARD, LORA, NEWCOMER, TENSORS, Mode, read_card, read_pack, write_pack
from arldm.model.widening import add_words, take_up, texts
from arldm.sample import tell, tell_batch
from arldm.story import Frame, Story
from arldm.toonsv import painted
from arldm.toonsv.cutouts import SIZE, cut_out
from arldm.toonsv.plot import plot
from arldm.toonsv.questions import FREE, TO_DRAW, kind
from arldm.toonsv.recast import portraits
from arldm.toonsv.world import TRAINED
from conftest import TINY, build

TRAIN = TrainConfig(steps=2, batch=2, learning_rate=1e-2, warmup=0, ema=0.0, threads=1, preview_every=0, report_to="none")
STORY = Story("s", (Frame("Rumo sits down."), Frame("A stranger waves at Rumo!"), Frame("They sit down.")))
QUICK = TellConfig(steps=2)


def picture(number: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    build().save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (name, caption) in enumerate((("a.png", "Rumo waves."), ("b.jpg", "Rumo sits down at night."), ("c.png", ""))):
        picture(number).save(folder / name)
        if caption:
            (folder / name).with_suffix(".txt").write_text(caption)
    return folder


def recipe(base: Path, pictures: Path, mode: str = "full", **more) -> Adaptation:
    return Adaptation(pictures, ("rumo",), "stranger", str(base), mode, TRAIN, **more)  # type: ignore[arg-type]


@pytest.fixture(params=["full", "lora", "token", "pin"])
def pack(request: pytest.FixtureRequest, base: Path, pictures: Path, tmp_path: Path) -> Path:
    adapt(recipe(base, pictures, request.param, rank=2), tmp_path / "pack")
    return tmp_path / "pack"


def shown(model: ARLDM, story: Story = STORY) -> list[bytes]:
    return [frame.picture.tobytes() for frame in tell(model, story, QUICK) if frame.picture]


def test_a_pack_changes_what_is_told_and_leaves_no_trace(pack: Path, base: Path) -> None:
    model = ARLDM.from_pretrained(base)
    before, hash = shown(model), model.hash()
    model.load_pack(pack)
    assert model.hash() != hash
    assert model.unknown_words(["Rumo"]) == []
    assert shown(model) != before
    model.unload_packs()
    assert model.hash() == hash
    assert model.unknown_words(["Rumo"]) == ["rumo"]
    assert shown(model) == before


def test_packs_taken_up_on_either_side_of_a_move(pack: Path, base: Path, tmp_path: Path) -> None:
    """Tables of tokens came back as float32 into a model that was half as precise by then."""
    made = read_pack(pack)
    write_pack(replace(made, card=replace(made.card, names=("lulu",))), tmp_path / "second", picture(0))
    model = ARLDM.from_pretrained(base)
    model.load_pack(pack)
    model.to(torch.bfloat16)
    model.load_pack(tmp_path / "second")
    assert {part.get_input_embeddings().weight.dtype for part in texts(model)} == {torch.bfloat16}
    model.unload_packs()
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_a_pack_is_what_was_learned(base: Path, pictures: Path, tmp_path: Path) -> None:
    """The pack of mode full, taken up, is the adapted model, but for half precision; with half the weight, half the way there."""
    adapt(recipe(base, pictures), tmp_path / "pack")
    plain, taken, half = (ARLDM.from_pretrained(base) for _ in range(3))
    taken.load_pack(tmp_path / "pack")
    half.load_pack(tmp_path / "pack", 0.5)
    moved = 0
    for name, weight in taken.named_parameters():
        old, middle = plain.get_parameter(name), half.get_parameter(name)
        torch.testing.assert_close(middle[: len(old)], (old + weight[: len(old)]) / 2, rtol=1e-4, atol=1e-5)
        moved += int(not torch.equal(weight[: len(old)], old))
        assert not name.startswith("latents") or torch.equal(weight, old)
    assert moved > 50


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_a_pack_is_taken_further(base: Path, pictures: Path, tmp_path: Path, mode: str) -> None:
    adapt(recipe(base, pictures, mode, rank=2), tmp_path / "pack")
    further, heavier = (ARLDM.from_pretrained(base) for _ in range(2))
    take_up(further, read_pack(tmp_path / "pack").further(1.5), 1.0)
    take_up(heavier, read_pack(tmp_path / "pack"), 1.5)
    for name, weight in further.named_parameters():
        torch.testing.assert_close(weight, heavier.get_parameter(name), rtol=1e-3, atol=1e-4)  # in half precision


def test_low_ranks_are_those_of_peft_and_of_diffusers(base: Path, pictures: Path, tmp_path: Path) -> None:
    adapt(recipe(base, pictures, "lora", rank=2), tmp_path / "pack")
    state = load_file(tmp_path / "pack" / LORA)
    assert {name.split(".")[0] for name in state} == {"unet", "text_encoder", "history_encoder", "conditioner"}
    ours = ARLDM.from_pretrained(base).load_pack(tmp_path / "pack").unet
    theirs = UNet2DConditionModel.from_pretrained(base / "unet").eval()
    arguments = torch.randn(1, ours.config["in_channels"], 8, 8), torch.tensor(3), torch.randn(1, 5, 16)
    with torch.no_grad():
        plain = theirs(*arguments).sample
        theirs.load_lora_adapter({name: tensor.float() for name, tensor in state.items()}, prefix="unet")
        torch.testing.assert_close(ours(*arguments).sample, theirs(*arguments).sample, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(theirs(*arguments).sample, plain, atol=1e-4)


def test_only_what_the_mode_says_learns(base: Path, pictures: Path, tmp_path: Path) -> None:
    adapt(recipe(base, pictures, "token"), tmp_path / "pack")
    assert set(load_file(tmp_path / "pack" / TENSORS)) == {"token.clip", "token.blip"}
    assert (tmp_path / "pack" / TENSORS).stat().st_size < 100_000
    plain, taken = ARLDM.from_pretrained(base), ARLDM.from_pretrained(base).load_pack(tmp_path / "pack")
    for name, weight in plain.named_parameters():
        assert torch.equal(taken.get_parameter(name)[: len(weight)], weight), name


def test_pinned_pictures_are_seen_where_the_name_is_said(base: Path, pictures: Path, tmp_path: Path) -> None:
    adapt(recipe(base, pictures, "pin"), tmp_path / "pack")
    model = ARLDM.from_pretrained(base).load_pack(tmp_path / "pack")
    named, other = (Story("s", (Frame(caption), Frame("They sit down."))) for caption in ("Rumo waves.", "Momo waves."))
    alone = [shown(model, story) for story in (named, other)]
    plain = [shown(ARLDM.from_pretrained(base), story) for story in (named, other)]
    assert alone[1] == plain[1]
    assert alone[0] != plain[0]
    batch = [[frame.picture for frame in row] for row in tell_batch(model, [named, other], QUICK)]
    for k in range(2):
        for t in range(2):
            difference = np.asarray(batch[t][k], np.int16) - np.frombuffer(alone[k][t], np.uint8).reshape(32, 32, 3)
            assert np.abs(difference).max() <= 1
    (pictures / "a.txt").write_text("The dog waves.")
    adapt(replace(recipe(base, pictures, "pin"), names=("rumo", "dog")), tmp_path / "both")
    assert shown(ARLDM.from_pretrained(base).load_pack(tmp_path / "both"), Story("s", (Frame("The dog waves."),) * 2))
    with pytest.raises(ConfigError, match="pictures are looked at or not, leave the weight out"):
        ARLDM.from_pretrained(base).load_pack(tmp_path / "pack", 0.5)


def test_a_pack_that_is_refused_changes_nothing(pack: Path, base: Path) -> None:
    model, card = ARLDM.from_pretrained(base), read_pack(pack)
    hash = model.hash()
    for weight in (float("nan"), -1.0, 3.0):
        with pytest.raises(ConfigError, match=f"got weight {weight}; expected 0 to 2"):
            model.load_pack(pack, weight)
    with pytest.raises(ConfigError, match="nobody"):
        take_up(model, replace(card, card=replace(card.card, like="nobody")), 1.0)
    assert model.widened is None
    assert model.hash() == hash


def test_a_model_with_packs_is_not_saved_without_them(pack: Path, base: Path, tmp_path: Path) -> None:
    model = ARLDM.from_pretrained(base).load_pack(pack)
    with pytest.raises(ConfigError, match=r"has taken up packs.*unload_packs\(\) first"):
        model.save_pretrained(tmp_path / "saved")
    model.unload_packs()
    model.save_pretrained(tmp_path / "saved")


def test_a_card_is_written_whatever_its_words_are(base: Path, pictures: Path, tmp_path: Path, capfd) -> None:
    """A path's bytes need not be letters: they reach us as halves of characters."""
    adapt(recipe(base, pictures, "pin", author="Ren\udce9"), tmp_path / "pack")
    assert read_card(tmp_path / "pack").author == "Ren\udce9"
    assert main(["pack", "show", str(tmp_path / "pack")]) == 0
    assert "Ren\\udce9" in capfd.readouterr().out


def test_two_packs_in_one_story(base: Path, pictures: Path, tmp_path: Path) -> None:
    adapt(recipe(base, pictures, "full"), tmp_path / "one")
    (pictures / "a.txt").write_text("Vesna waves.")
    (pictures / "b.txt").write_text("Vesna sits down.")
    adapt(replace(recipe(base, pictures, "lora", rank=2), names=("vesna", "deer"), like="momo"), tmp_path / "two")
    model = ARLDM.from_pretrained(base)
    hash = model.hash()
    model.load_pack(tmp_path / "one").load_pack(tmp_path / "two")
    assert model.unknown_words(["Rumo, Vesna, deer"]) == []
    other = ARLDM.from_pretrained(base).load_pack(tmp_path / "two").load_pack(tmp_path / "one")
    for name in ("rumo", "vesna", "deer"):
        ids = [one.tokenizer(name, add_special_tokens=False)["input_ids"] for one in (model.tokenizer, other.tokenizer)]
        rows = [texts(one)[0].get_input_embeddings().weight[row] for one, row in zip((model, other), ids, strict=True)]
        torch.testing.assert_close(*rows)
    for name, weight in model.unet.named_parameters():
        torch.testing.assert_close(other.unet.get_parameter(name), weight)
    model.unload_packs()
    assert model.hash() == hash


def test_old_stories_are_as_long_as_there_are_pictures(base: Path, pictures: Path) -> None:
    long = replace(TINY, text=replace(TINY.text, max_tokens=128), past=replace(TINY.past, max_tokens=128))
    old = of_old(build(long), replace(recipe(base, pictures), keep_old="toonsv", old=2), frames=7)
    assert old is not None
    assert old.stories.latents.shape[:2] == (2, 7)


def test_new_names_are_words_of_their_own(deciding: ARLDM) -> None:
    add_words(deciding, ("rumo",), "momo")
    tables = [part.get_input_embeddings().weight for part in texts(deciding)]
    before = [table.detach().clone() for table in tables]
    fresh(deciding, ("rumo",), 0)
    for table, old, tokenizer in zip(tables, before, (deciding.tokenizer, deciding.past_tokenizer), strict=False):
        assert torch.equal(table[:-1], old[:-1])
        assert abs(float(cosines(table[-1].detach(), old[-1]))) < 0.9
        cast = old[[tokenizer.ids(name)[0] for name in TRAINED]]
        lengths = (cast - cast.mean(0)).norm(dim=-1)
        torch.testing.assert_close((table[-1].detach() - cast.mean(0)).norm(), lengths.mean())
    alone = [table[-1].detach().clone() for table in tables]
    fresh(deciding, ("vesna",), 0)  # whose pack may be taken up beside Rumo's
    assert all(abs(float(cosines(table[-1].detach(), one))) < 0.9 for table, one in zip(tables, alone, strict=True))


def batches(model: ARLDM) -> tuple[StoryBatch, StoryBatch]:
    """Three pictures of Rumo, whom the model knows by then; four old stories."""
    add_words(model, ("rumo",), "momo")
    new = Story(
        "n", tuple(Frame(caption, picture(t)) for t, caption in enumerate(("Rumo sits down.", "They sit down.", "Rumo waves.")))
    )
    old = [Story(f"o{k}", tuple(Frame("Momo walks to the beach.", picture(9 + k)) for _ in range(3))) for k in range(4)]
    return model.batch([new]), model.batch(old)


def test_every_third_story_that_is_drawn_is_an_old_one(base: Path) -> None:
    model = ARLDM.from_pretrained(base)
    story, others = batches(model)
    new, old = Lesson(in_orders(story, 0)), Lesson(others)
    same = replace(old, stories=replace(others, latents=others.latents + 100))
    school = School(new, old, same, 4, 2, 0)
    seen = [school(number).stories.latents for number in range(12)]
    assert torch.equal(school(3).stories.latents, seen[3])
    once = sorted(float(one.sum()) for one in new.stories.latents[0])
    drawn = torch.cat([latents[:2] for latents in seen])
    are_old = [any(torch.equal(latents, one) for one in old.stories.latents) for latents in drawn]
    assert are_old == [place % 3 == 2 for place in range(24)]
    for latents in drawn[[not is_old for is_old in are_old]]:
        assert sorted(float(one.sum()) for one in latents) == pytest.approx(once)
    assert len({tuple(latents.flatten(1).sum(1).tolist()) for latents in drawn[::3]}) > 1  # in other orders
    but_read = torch.cat([latents[2:] for latents in seen])
    both = torch.cat([old.stories.latents, same.stories.latents])
    assert {number for latents in but_read for number, one in enumerate(both) if torch.equal(latents, one)} == set(range(8))
    alone = School(new, None, None, 4, 2, 0)(0).stories.latents
    assert not any(torch.equal(latents, one) for latents in alone for one in old.stories.latents)


DECIDED = [k for k, key in enumerate(TO_DRAW) if kind(key) in FREE]  # the others are told as they are read
OPEN = [k for k in range(len(TO_DRAW)) if k not in DECIDED]


@pytest.fixture
def deciding() -> ARLDM:
    long = {"text": replace(TINY.text, max_tokens=160), "past": replace(TINY.past, max_tokens=160)}
    model = build(replace(TINY, summary=len(TO_DRAW), choices=4, **long))  # type: ignore[arg-type]
    assert model.prior is not None
    drawn = torch.Generator().manual_seed(1)
    kinds = {name: torch.randn(4, TINY.text.width, generator=drawn) for name in sorted(FREE)}
    for k in DECIDED:
        model.prior.values[k] = kinds[kind(list(TO_DRAW)[k])]
    return model


def cosines(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor:
    assert one is not None
    assert other is not None
    return torch.nn.functional.cosine_similarity(one, other, dim=-1)


def test_what_was_read_before_is_to_be_read_after(deciding: ARLDM) -> None:
    _, others = batches(deciding)
    old = as_read(deciding, others)
    kept = torch.zeros(old.read.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        answers = deciding.conditioner.answers(deciding.condition(others, kept).tokens)
        assert float(strayed(answers, old, kept)) == pytest.approx(0, abs=1e-6)
        other = answers.clone()
        other[:, 0, 0] *= -1
        assert float(strayed(other, old, kept)) == pytest.approx(2 / 3 / len(TO_DRAW), abs=1e-5)
        kept[:, 0] = True
        assert float(strayed(other, old, kept)) == pytest.approx(0, abs=1e-6)


def test_the_denoiser_is_told_what_a_picture_shows(deciding: ARLDM) -> None:
    """One of the values where the model decides, what it sees in the picture where not."""
    _, others = batches(deciding)
    old = as_read(deciding, others)
    assert deciding.prior is not None
    values = torch.nn.functional.normalize(deciding.prior.values, dim=-1)
    told = torch.nn.functional.normalize(old.told, dim=-1)
    likest = torch.einsum("bfsd,scd->bfsc", told, values).amax(-1)[:, :, DECIDED]
    torch.testing.assert_close(likest, torch.ones_like(likest))
    assert torch.equal(old.told[:, :, OPEN], deciding.looked_at(others)[:, :, OPEN])


def test_figures_of_the_old_cast_count_more_than_places(deciding: ARLDM, base: Path, pictures: Path) -> None:
    old = of_old(deciding, replace(recipe(base, pictures), keep_old="toonsv", old=2), frames=3)
    assert old is not None
    least, most = old.cells.min(), old.cells.max()
    assert float(most) == pytest.approx(float(least) * (1 + MORE))
    assert float(old.cells.mean()) == pytest.approx(1)
    for row in range(2):
        for t, shot in enumerate(plot("train", row, 3)):
            assert bool((old.cells[row, t] == most).any()) == bool(shot.scene.figures)


@pytest.fixture
def cast_in(deciding: ARLDM, monkeypatch: pytest.MonkeyPatch) -> tuple[ARLDM, list[Recast], list[Frame], Callable[..., Lesson]]:
    """Pako in the parts of six old stories."""
    monkeypatch.setattr("arldm.adapt.lessons.RECAST", 6)
    add_words(deciding, (*DECOYS, "pako", "vesna"), "momo")
    shots = portraits("pako", 0)
    frames = list(painted(shots, "pako").frames)
    cutouts = [cut_out(frame.picture) for frame in frames if frame.picture is not None]
    actions = [shot.scene.figures[0].action for shot in shots]
    monkeypatch.setattr("arldm.adapt.lessons.done", lambda _: actions)
    stories = recastings(cutouts, actions, ("pako",), "momo", 6, 0)

    def lesson(name: str = "pako", which: int = 0) -> Lesson:
        new, old = of_character(deciding, frames, cutouts, (name,), "momo", 0)
        return (new, together((old, decoyed(deciding, old, new.stories, (name,)))))[which]

    return deciding, stories, frames, lesson


def test_a_new_character_is_read_as_somebody_of_its_own(cast_in: tuple) -> None:
    model, stories, _, lesson = cast_in
    found, old = lesson(), as_read(model, model.batch([story.old for story in stories]))
    assert torch.equal(found.stories.caption_ids, model.batch([story.new for story in stories]).caption_ids)
    who = torch.zeros(found.read.shape[:3], dtype=torch.bool)
    for row, story in enumerate(stories):
        for t, part in enumerate(story.parts):
            if part is not None:
                who[row, t, WHO[part.figure]] = True
    assert who.any()
    ours = found.read[who]
    torch.testing.assert_close(cosines(ours, ours[:1]), torch.ones(len(ours)))
    torch.testing.assert_close(ours.norm(dim=-1), old.read[who].norm(dim=-1))
    assert cosines(ours, old.read[who]).abs().max() < 0.9
    assert (found.counts[:, :, WHO] == NAMED).all()
    recalled = [FIGURE[figure][ASKED.index(asked)] for figure in range(len(FIGURE)) for asked in RECALLED]
    who[:, :, recalled] = True
    torch.testing.assert_close(found.read[~who], old.read[~who])


@pytest.mark.parametrize("asked", ["mood", "clothes"])
def test_what_only_earlier_frames_tell_is_read_as_they_show_it(cast_in: tuple, asked: str) -> None:
    """It was to be read as with whom the part was for, from pictures that showed another mood; stories forgot moods and shirts."""
    model, stories, frames, lesson = cast_in
    found, old = lesson(), as_read(model, model.batch([story.old for story in stories]))
    with torch.no_grad():
        looks = _decided(model, model.looked_at(model.batch([Story(str(k), (frame,)) for k, frame in enumerate(frames)])))[:, 0]
    place, recalled = ASKED.index(asked), 0
    for row, story in enumerate(stories):
        last = None
        for t, part in enumerate(story.parts):
            if part is None:
                continue
            at = FIGURE[part.figure][place]
            shown = last is not None and last.cutout is not None and (asked == "mood" or not last.posed)
            if shown and part.recalled & set(RECALLED[asked]):
                torch.testing.assert_close(found.read[row, t, at], looks[last.cutout][FIGURE[0][place]])
                recalled += 1
            else:
                torch.testing.assert_close(found.read[row, t, at], old.read[row, t, at])
            last = part
    assert recalled


def test_a_strangers_look_is_recalled(cast_in: tuple) -> None:
    """Hat and skin were to be read as those of whom the part was for, whose last picture a cutout had covered."""
    model, stories, _, _ = cast_in
    lesson = as_read(model, model.batch([story.old for story in stories]))
    looks = torch.randn(5, *lesson.read.shape[2:])
    before = lesson.read.clone()
    told = Part(1, 0, recalled=frozenset(("hat", "skin")))
    _recall(lesson, (2, 3), told, Part(0, 4), looks)
    for asked in ("hat", "skin"):
        place = ASKED.index(asked)
        assert torch.equal(lesson.read[2, 3, FIGURE[1][place]], looks[4, FIGURE[0][place]])
    assert (lesson.read != before).any(-1).sum() == 2


MOOD = next(place for place, k in enumerate(FIGURE[0]) if list(TO_DRAW)[k].attribute == "mood")


def test_two_characters_are_told_apart(cast_in: tuple) -> None:
    """Each in a direction of its own, though their packs were made with one seed."""
    _, stories, _, lesson = cast_in
    row, t, part = next(
        (row, t, part) for row, story in enumerate(stories) for t, part in enumerate(story.parts) if part is not None
    )
    pako, vesna = (lesson(name).read[row, t, WHO[part.figure]] for name in ("pako", "vesna"))
    assert abs(float(cosines(pako, vesna))) < 0.9
    assert float(cosines(pako, lesson("pako").read[row, t, WHO[part.figure]])) == pytest.approx(1)


def test_it_is_told_as_its_cutout_shows_it_and_the_rest_as_it_was(cast_in: tuple) -> None:
    model, stories, frames, lesson = cast_in
    found, old = lesson(), as_read(model, model.batch([story.old for story in stories]))
    shown = as_read(model, model.batch([Story(str(k), (frame,)) for k, frame in enumerate(frames)])).told
    for row, story in enumerate(stories):
        for t, part in enumerate(story.parts):
            others = set(range(len(TO_DRAW)))
            if part is not None and part.posed:
                mood = FIGURE[part.figure][MOOD]
                assert float(cosines(found.told[row, t, mood], shown[part.cutout, 0, FIGURE[0][MOOD]])) > 0.999
                others -= {WHO[part.figure], mood}
            elif part is not None and part.cutout is not None:
                mine, theirs = FIGURE[part.figure][1:], FIGURE[0][1:]
                torch.testing.assert_close(cosines(found.told[row, t, mine], shown[part.cutout, 0, theirs]), torch.ones(len(mine)))
                assert float(cosines(found.told[row, t, WHO[part.figure]], found.read[row, t, WHO[part.figure]])) > 0.999
                if part.prop:
                    torch.testing.assert_close(found.told[row, t, HELD], shown[part.cutout, 0, HELD])
                others -= {*FIGURE[part.figure], *(HELD if part.prop else ())}
            torch.testing.assert_close(found.told[row, t, list(others)], old.told[row, t, list(others)])


def test_what_a_cutout_covers_counts_more(cast_in: tuple) -> None:
    model, stories, _, lesson = cast_in
    found, old = lesson(), model.batch([story.old for story in stories])
    least, most = found.cells.min(), found.cells.max()
    assert float(most) == pytest.approx(float(least) * (1 + MORE))
    assert float(found.cells.mean()) == pytest.approx(1)
    differs = (found.stories.latents != old.latents).any(2)
    assert not differs[found.cells == most].logical_not().any()
    for row, story in enumerate(stories):
        for t, part in enumerate(story.parts):
            assert bool((found.cells[row, t] == most).any()) == (part is not None and part.cutout is not None)


def test_beside_the_stories_with_it_are_the_same_without_it(cast_in: tuple) -> None:
    model, stories, _, lesson = cast_in
    new, was = lesson(), lesson(which=1)
    old = as_read(model, model.batch([story.old for story in stories]))
    assert len(was) == 2 * len(old)
    own = was.stories.caption_ids[: len(old), :, : old.stories.caption_ids.shape[2]]
    assert torch.equal(own[old.stories.caption_keep], old.stories.caption_ids[old.stories.caption_keep])
    for name in ("read", "told", "counts"):
        assert torch.equal(getattr(was, name)[: len(old)], getattr(old, name))
    assert torch.equal(was.cells[: len(old)] > 1, new.cells > 1)
    assert torch.equal(new.kept, new.cells < 1)
    assert was.kept.all()
    first = together([was.one(row) for row in range(len(old))])
    for one in (new, first, old):  # what is kept is as it was without whom the model does not know
        assert torch.equal(one.latents_before, old.stories.latents)
        assert torch.equal(one.told_before, old.told)


def test_other_new_names_are_to_be_read_as_before(cast_in: tuple) -> None:
    model, stories, _, lesson = cast_in
    new, count = lesson(), len(stories)
    others = [lesson(which=1).one(count + row) for row in range(count)]
    nothing = torch.zeros(1, new.read.shape[1], dtype=torch.bool)
    for kind_, tokenizer in (("caption", model.tokenizer), ("past", model.past_tokenizer)):
        pako = tokenizer.id("pako")
        for row, one in enumerate(others):
            ids, keep = (getattr(one.stories, f"{kind_}_{what}")[0] for what in ("ids", "keep"))
            named = getattr(new.stories, f"{kind_}_ids")[row]
            named, ids = (some[: min(len(named), len(ids)), : min(named.shape[1], ids.shape[1])] for some in (named, ids))
            keep = keep[: ids.shape[0], : ids.shape[1]]
            assert (named[keep] == pako).any()
            assert (ids[keep][named[keep] == pako] == tokenizer.id(DECOYS[row])).all()
            assert torch.equal(ids[keep][named[keep] != pako], named[keep][named[keep] != pako])
    for one in others:
        with torch.no_grad():
            answers = model.conditioner.answers(model.condition(one.stories, nothing).tokens)
        assert float(strayed(answers, one, nothing)) == pytest.approx(0, abs=1e-5)
        assert one.kept.all()


def test_what_all_pictures_show_is_what_the_name_is_to_tell(cast_in: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    model, stories, _, lesson = cast_in
    clothes, hat = (FIGURE[0][ASKED.index(name)] for name in ("clothes", "hat"))
    sure = torch.full((1, len(TO_DRAW)), -1)
    sure[0, clothes], sure[0, hat] = 3, 1
    monkeypatch.setattr(model.prior, "sure", lambda answers: sure.expand(len(answers), -1))
    found = lesson()
    for row, story in enumerate(stories):
        for t, part in enumerate(story.parts):
            if part is not None:
                where = FIGURE[part.figure][ASKED.index("clothes")]
                assert torch.equal(found.read[row, t, where], model.prior.values[where, 3])
                bare = FIGURE[part.figure][ASKED.index("hat")]
                assert not torch.equal(found.read[row, t, bare], model.prior.values[bare, 1])  # no stranger has a hat of its own


def test_a_look_is_what_pictures_tell_together(cast_in: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one of them told as something else. Of a stranger's four pictures two showed that he is pale; one was seen as tan."""
    model, stories, _, lesson = cast_in
    clothes = FIGURE[0][ASKED.index("clothes")]

    def coats(*numbers: int) -> dict[int, int]:
        return always(torch.tensor(numbers)[:, None].expand(-1, len(ASKED)), ("clothes",))

    own = {ASKED.index("clothes"): 1}
    assert coats(1, 1, 1, 1) == coats(-1, 1, 1, -1) == coats(2, 1, 1, -1) == coats(1, 1, 2, 1, 1) == own
    assert coats(1, 2, 2, 1) == coats(1, 1, 1, 2, 2) == coats(-1, 1, -1, -1) == coats(-1, -1) == {}
    monkeypatch.setattr("arldm.adapt.lessons.always", lambda *_: own)
    found = lesson()
    for row, story in enumerate(stories):
        for t, part in enumerate(story.parts):
            if part is not None and part.cutout is not None and not part.posed:
                told = found.told[row, t, FIGURE[part.figure][ASKED.index("clothes")]]
                assert torch.cosine_similarity(told, model.prior.values[clothes, 1], dim=0) > 0.999


@pytest.mark.parametrize("mode", ["full", "lora"])
@pytest.mark.parametrize("drawn", ["world", "paper"])
def test_a_pack_of_cutouts(deciding: ARLDM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, drawn: str) -> None:
    monkeypatch.setattr("arldm.adapt.lessons.RECAST", 2)
    deciding.save_pretrained(tmp_path / "model")
    (tmp_path / "pictures").mkdir()
    for number, frame in enumerate(painted(portraits("pako", 0)[:2], "pako").frames):
        assert frame.picture is not None
        shown = frame.picture
        if drawn == "paper":  # the same figure, on nothing
            shown = Image.new("RGB", (80, 120), "white")
            shown.paste(frame.picture.crop((100, 100, 140, 160)), (20, 30))
        shown.save(tmp_path / "pictures" / f"{number}.png")
        (tmp_path / "pictures" / f"{number}.txt").write_text("Pako waves.")
    asked = Adaptation(
        tmp_path / "pictures", ("pako",), "momo", str(tmp_path / "model"), mode, TRAIN, keep_old="toonsv", old=2, rank=2
    )  # type: ignore[arg-type]
    adapt(asked, tmp_path / "pack")
    with monkeypatch.context() as patch:
        patch.setattr("arldm.adapt.adapt.FURTHER", 1.0)
        adapt(asked, tmp_path / "learned")
    learned, further = (read_pack(tmp_path / name).deltas() for name in ("learned", "pack"))
    for name, delta in learned.items():
        torch.testing.assert_close(FURTHER * delta, further[name], rtol=1e-2, atol=1e-5)
    model = ARLDM.from_pretrained(tmp_path / "model")
    before = shown_by(model)
    model.load_pack(tmp_path / "pack")
    assert shown_by(model) != before
    assert model.prior is not None
    assert torch.equal(model.prior.newcomers, newcomer(("pako",), TRAIN.seed, TINY.text.width)[None])
    model.unload_packs()
    assert shown_by(model) == before
    assert not len(model.prior.newcomers)
    bad = read_pack(tmp_path / "pack")
    with pytest.raises(ModelError, match="are not of this model"):
        take_up(model, replace(bad, tensors={**bad.tensors, NEWCOMER: torch.ones(3)}), 1.0)


def shown_by(model: ARLDM) -> list[bytes]:
    return shown(model, Story("s", (Frame("Momo sits down."), Frame("They sit down."))))


def test_pictures_that_cannot_be_cut_out_are_named(deciding: ARLDM, pictures: Path, tmp_path: Path) -> None:
    deciding.save_pretrained(tmp_path / "model")
    with pytest.raises(PictureError, match=r"a\.png: the character cannot be told from what is behind it"):
        adapt(recipe(tmp_path / "model", pictures), tmp_path / "pack")
    assert not (tmp_path / "pack").exists()
    first = Image.new("RGB", (80, 80), "white")
    first.paste((200, 0, 0), (30, 20, 60, 70))
    first.save(pictures / "a.png")
    with pytest.raises(PictureError, match=r"b\.jpg: the character cannot be told"):
        adapt(recipe(tmp_path / "model", pictures), tmp_path / "pack")


def test_adapting_learns_to_read_and_to_draw_apart(deciding: ARLDM) -> None:
    _, others = batches(deciding)
    old = as_read(deciding, others)
    deciding.dropout = 0.0
    old = replace(old, kept=torch.zeros_like(old.kept))
    adapting = Adapting(deciding, Former.of(deciding))

    def loss(lesson: Lesson) -> torch.Tensor:
        deciding.zero_grad()
        found = adapting.loss(lesson, item_generators(0, range(len(old))))
        found.backward()
        return found.detach()

    right = loss(old)
    table = texts(deciding)[0].get_input_embeddings().weight
    assert isinstance(table.grad, torch.Tensor)
    assert table.grad.abs().max() < 1e-4  # all is read as it is to be: the denoiser does not move that
    gradient = deciding.unet.conv_out.weight.grad
    assert isinstance(gradient, torch.Tensor)
    assert gradient.abs().max() > 0
    assert float(loss(replace(old, read=-old.read)) - right) == pytest.approx(2 * HOLD * float(old.counts.mean()), abs=1e-3)
    assert not torch.equal(loss(replace(old, told=-old.told)), right)
    assert float(loss(replace(old, cells=2 * old.cells))) == pytest.approx(2 * float(right), rel=1e-4)
    plain = deciding.loss(others, item_generators(0, range(len(old)))).item()
    assert float(loss(Lesson(others))) == pytest.approx(plain)


def test_what_is_kept_is_learned_from_the_denoiser_as_it_was(deciding: ARLDM) -> None:
    _, others = batches(deciding)
    old = as_read(deciding, others)
    assert old.kept.all()
    deciding.dropout = 0.0
    adapting = Adapting(deciding, Former.of(deciding))
    assert not any("was" in name for name, _ in adapting.named_parameters())

    def loss(lesson: Lesson) -> float:
        return adapting.loss(lesson, item_generators(0, range(len(old)))).item()

    assert loss(old) == pytest.approx(0, abs=1e-5)
    assert loss(replace(old, latents_before=-others.latents)) > 0.01
    assert loss(replace(old, told_before=-old.told)) > 1e-5
    deciding.dropout = 1.0
    assert loss(old) == pytest.approx(0, abs=1e-5)  # told nothing, too
    deciding.dropout = 0.0
    half = old.kept.clone()
    half[:, 0] = False
    assert loss(replace(old, kept=half)) > 0.01
    with torch.no_grad():
        deciding.unet.conv_out.bias.add_(1)  # type: ignore[union-attr]
    assert loss(old) == pytest.approx(KEPT, abs=1e-3)


def test_what_was_said_before_stays(deciding: ARLDM) -> None:
    """It moved with the queries, which learn."""
    _, others = batches(deciding)
    old, was = as_read(deciding, others), Former.of(deciding)
    noisy, timesteps, _ = deciding.noised(others.latents, item_generators(0, range(len(old))))
    told = torch.zeros(old.told.shape[:2], dtype=torch.bool)

    def same(now: Former) -> list[bool]:
        return [torch.equal(now.said(noisy, timesteps, old.told, dropped), before) for dropped, before in said]

    said = [(dropped, was.said(noisy, timesteps, old.told, dropped)) for dropped in (told, ~told)]
    assert not torch.equal(said[0][1], said[1][1])
    assert deciding.conditioner.queries is not None
    with torch.no_grad():
        deciding.conditioner.queries.add_(1)
    assert same(was) == [True, True]
    assert same(Former.of(deciding)) == [False, False]
    deciding.unet.conv_out.weight.detach().zero_()
    assert same(was) == [True, True]


def test_all_of_a_batch_are_read_and_the_first_drawn(deciding: ARLDM) -> None:
    _, others = batches(deciding)
    old = as_read(deciding, others)
    deciding.dropout = 0.0
    assert len(old) > DRAWN
    old = replace(old, kept=torch.zeros_like(old.kept))
    adapting = Adapting(deciding, Former.of(deciding))

    def loss(lesson: Lesson) -> float:
        return adapting.loss(lesson, item_generators(0, range(len(old)))).item()

    def turned_round(of: torch.Tensor, story: int) -> torch.Tensor:
        of = of.clone()
        of[story] *= -1
        return of

    right = loss(old)
    assert loss(replace(old, told=turned_round(old.told, DRAWN))) == right
    assert loss(replace(old, told=turned_round(old.told, 0))) != right
    assert loss(replace(old, read=turned_round(old.read, DRAWN))) > right + 0.1


def test_an_interrupted_adaptation_goes_on(base: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapt(recipe(base, pictures), tmp_path / "whole")
    school = School.__call__

    def stopping(self: School, number: int):
        if number == 1:
            raise KeyboardInterrupt
        return school(self, number)

    slow = replace(recipe(base, pictures), train=replace(TRAIN, checkpoint_every=1))
    with monkeypatch.context() as stopped:
        stopped.setattr(School, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt):
            adapt(slow, tmp_path / "part")
    assert not (tmp_path / "part").exists()
    numbers: list[int] = []
    with monkeypatch.context() as noted:
        noted.setattr(School, "__call__", lambda self, number: (numbers.append(number), school(self, number))[1])
        adapt(slow, tmp_path / "part")
    assert numbers[0] == 1  # what was learned is not learned again
    whole, part = (load_file(tmp_path / name / TENSORS) for name in ("whole", "part"))
    assert all(torch.equal(part[name], tensor) for name, tensor in whole.items())
    assert not list((tmp_path / "part.run").glob("checkpoint-*"))
    with pytest.raises(OutputError, match="is there already; expected a new folder for the pack"):
        adapt(slow, tmp_path / "part")


def test_the_commands(base: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, script = tmp_path / "pack", tmp_path / "script.txt"
    script.write_text("Rumo sits down.\nThey sit down.\n")
    options = ["--pictures", str(pictures), "--name", "Rumo", "--like", "stranger", "--out", str(out), "--threads", "1"]
    made = ["--mode", "token", "--epochs", "2", "--author", "Ann", "--licence", "CC0-1.0", "--include-pictures"]
    picture(1, (64, 96)).save(pictures / "a.png")
    assert main(["adapt", str(base), *options, *made]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "pack.safetensors", "pictures", "preview.webp"]
    assert main(["pack", "show", str(out)]) == 0
    said = capsys.readouterr()
    assert "a.png is 64 x 96: only the square in its middle is looked at" in said.err
    card = json.loads(said.out.partition("\n{")[2].join("{ "))
    assert (card["names"], card["author"], card["licence"]) == (["rumo"], "Ann", "CC0-1.0")
    assert not any(str(path) in (out / CARD).read_text() for path in (tmp_path, base.parent))  # nobody learns where it was made
    assert main(["pack", "check", str(out), "--model", str(base)]) == 0
    telling = ["tell", str(script), "--model", str(base), "--steps", "1", "--threads", "1"]
    assert main([*telling, "--out", str(tmp_path / "told"), "--pack", f"{out}:0.7"]) == 0
    assert main(["replay", str(tmp_path / "told")]) == 0
    out.rename(tmp_path / "moved")
    assert main(["replay", str(tmp_path / "told")]) == 2
    assert main(["replay", str(tmp_path / "told"), "--pack", f"{tmp_path / 'moved'}:0.7"]) == 0
    assert main(["replay", str(tmp_path / "told"), "--pack", str(tmp_path / "moved")]) == 2  # with another weight
    assert main([*telling, "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "told" / "strip.png").read_bytes() != (tmp_path / "plain" / "strip.png").read_bytes()


@pytest.mark.parametrize(("mode", "kept", "steps"), [("full", "", 30), ("full", "toonsv", 45), ("token", "toonsv", 30)])
def test_an_epoch_draws_the_new_story_once(tmp_path: Path, mode: Mode, kept: str, steps: int) -> None:
    """Batches of published models are of one story; every third is an old one."""
    build(replace(TINY, context=0, summary=0)).save_pretrained(tmp_path / "base")
    options = Adapt(str(tmp_path / "base"), tmp_path, ("rumo",), "momo", tmp_path / "out", mode, kept, epochs=30)
    assert recipe_of(options).train.steps == steps


class TestBadInput:
    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, tmp_path: Path) -> Iterator[None]:
        yield
        assert not list(tmp_path.glob("*.new"))

    def refused(self, base: Path, pictures: Path, tmp_path: Path, error: type[ArldmError], said: str, **more) -> None:
        with pytest.raises(error, match=said):
            adapt(replace(recipe(base, pictures), **more), tmp_path / "pack")
        assert not (tmp_path / "pack").exists()
        assert not (tmp_path / "pack.run").exists()

    def test_too_few_and_too_many(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        for number in range(200):
            picture(0, (8, 8)).save(pictures / f"{number}.png")
        self.refused(base, pictures, tmp_path, DatasetError, "has 203 pictures; expected 2 to 20, 4 or 5 different ones are best")
        for path in list(pictures.iterdir())[1:]:
            path.unlink()
        self.refused(base, pictures, tmp_path, DatasetError, "has [01] pictures; expected 2 to 20")
        self.refused(base, tmp_path / "none", tmp_path, DatasetError, "is no folder; expected one with 2 to 20 pictures")

    def test_what_is_no_picture_is_named(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        (pictures / "d.png").write_bytes((pictures / "a.png").read_bytes()[:300])
        self.refused(base, pictures, tmp_path, PictureError, r"d\.png: cannot be decoded")

    def test_captions(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        (pictures / "a.txt").write_text("A dog waves.")
        self.refused(base, pictures, tmp_path, DatasetError, r"a\.png: its caption 'A dog waves\.' does not say rumo")
        (pictures / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "Rumo waves."}\n')
        self.refused(base, pictures, tmp_path, DatasetError, r"metadata\.jsonl: has no line for b\.jpg")
        (pictures / "metadata.jsonl").write_text('{"file_name": "a.png"')
        self.refused(base, pictures, tmp_path, DatasetError, r"metadata\.jsonl, line 1: cannot be understood")
        (pictures / "metadata.jsonl").write_text('{"file_name": "a.png", "text": ["Rumo waves."]}')
        self.refused(base, pictures, tmp_path, DatasetError, r"metadata\.jsonl, line 1: cannot be understood .*in quotes")
        (pictures / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "Rumo waves."}\n' * 2)
        self.refused(base, pictures, tmp_path, DatasetError, r"metadata\.jsonl, line 2: .*a\.png has a line already")
        (pictures / "metadata.jsonl").write_text("")
        self.refused(base, pictures, tmp_path, DatasetError, r"metadata\.jsonl: has no line for a\.png")

    def test_names(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        for name, path in (("a", "Momo"), ("b", "Momo sits."), ("c", "Momo.")):
            (pictures / f"{name}.txt").write_text(path)
        self.refused(base, pictures, tmp_path, ConfigError, "--name momo: is a word that the model knows already", names=("momo",))
        for name in "abc":
            (pictures / f"{name}.txt").unlink()
        said = r"--like zebra: is \d tokens to the model \(.*\); expected a word that is one, such as"
        self.refused(base, pictures, tmp_path, ConfigError, said, like="zebra")
        for name in "abc":
            (pictures / f"{name}.txt").write_text("Søren waves.")
        adapt(
            replace(recipe(base, pictures, "pin"), names=("søren",)), tmp_path / "new"
        )  # no vocabulary has it: that is not to know it

    @pytest.mark.parametrize(
        ("option", "got"), [("threads", -1), ("seed", 2**64), ("ema", -1.0), ("epochs", -1), ("rank", 0), ("preview-every", -1)]
    )
    def test_options(self, base: Path, pictures: Path, tmp_path: Path, option: str, got: float) -> None:
        named = {"model": str(base), "pictures": pictures, "name": ("rumo",), "like": "momo", "out": tmp_path / "pack"}
        with pytest.raises(ConfigError, match=f"--{option}: got {got}; expected"):
            recipe_of(Adapt(**named | {option.replace("-", "_"): got}))  # type: ignore[arg-type]

    def test_more_pictures_than_the_model_has_positions(self, pictures: Path, tmp_path: Path) -> None:
        build(replace(TINY, positions="absolute", context=0, summary=0, window=1)).save_pretrained(tmp_path / "base")
        self.refused(tmp_path / "base", pictures, tmp_path, ConfigError, "3 frames")

    def test_a_run_goes_on_with_what_it_was_begun_with(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        adapt(recipe(base, pictures, "token"), tmp_path / "pack")
        shutil.rmtree(tmp_path / "pack")
        adapt(recipe(base, shutil.copytree(pictures, tmp_path / "moved"), "token"), tmp_path / "pack")  # wherever they lie
        shutil.rmtree(tmp_path / "pack")
        (pictures / "a.txt").write_text("Rumo jumps.")
        with pytest.raises(ConfigError, match=r"--pictures-hash is .* was begun with"):
            adapt(recipe(base, pictures, "token"), tmp_path / "pack")

    def test_it_says_so_by_its_own_options(
        self, base: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        out = str(tmp_path / "pack")
        command = ["adapt", str(base), "--pictures", str(pictures), "--name", "rumo", "--like", "stranger", "--out", out]
        command += ["--mode", "token", "--epochs", "2"]
        assert main(command) == 0
        shutil.rmtree(tmp_path / "pack")
        for more, said in ((["--epochs", "4"], "--epochs (in steps) is 2"), (["--learning-rate", "0.5"], "--learning-rate is 0.5")):
            assert main([*command, *more]) == 2
            assert said in capfd.readouterr().err
        (pictures / "a.txt").write_text("Rumo jumps.")
        assert main(command) == 2
        assert "--pictures (as a hash) is" in capfd.readouterr().err

    def test_nothing_is_kept_of_what_is_not_there(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        named = {"model": str(base), "pictures": pictures, "name": ("rumo",), "like": "momo", "out": tmp_path / "pack"}
        with pytest.raises(ConfigError, match="--keep-old: nowhere is no folder; expected toonsv, an archive"):
            recipe_of(Adapt(**named, keep_old="nowhere"))  # type: ignore[arg-type]

    def test_a_run_goes_on_with_the_weights_it_was_begun_with(self, pictures: Path, tmp_path: Path) -> None:
        for seed, begun in ((1, False), (2, True)):
            shutil.rmtree(tmp_path / "base", ignore_errors=True)
            build(seed=seed).save_pretrained(tmp_path / "base")
            if begun:
                shutil.rmtree(tmp_path / "pack")
                with pytest.raises(ConfigError, match=r"--model-hash is .* was begun with"):
                    adapt(recipe(tmp_path / "base", pictures, "token"), tmp_path / "pack")
            else:
                adapt(recipe(tmp_path / "base", pictures, "token"), tmp_path / "pack")

    def test_one_name_twice(self, base: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        command = ["adapt", str(base), "--pictures", str(pictures), "--like", "stranger", "--out", str(tmp_path / "pack")]
        assert main([*command, "--name", "Rumo", "rumo"]) == 2
        assert "--name 'rumo': got twice" in capfd.readouterr().err
        assert main([*command, "--name"]) == 2
        assert "--name: got none; expected what captions call the character" in capfd.readouterr().err

    @pytest.mark.parametrize("mode", ["full", "lora", "pin"])
    def test_a_pack_whose_tensors_fit_nowhere(self, base: Path, pictures: Path, tmp_path: Path, mode: str) -> None:
        adapt(recipe(base, pictures, mode, rank=2), tmp_path / "pack")
        model, whole = ARLDM.from_pretrained(base), read_pack(tmp_path / "pack")
        first = next(iter(whole.deltas()), "")
        harm = {
            "full": [
                {"delta.odd": torch.zeros(3)},
                {f"delta.{first}": torch.tensor(1.0)},
                {"delta.unet.conv_in.weight": torch.zeros(1, 1)},
            ],
            "lora": [{next((name for name in whole.lora if "lora_B" in name), ""): None}],
            "pin": [{"past.keep": torch.zeros(1)}, {"past.tokens": torch.zeros(1, 2, 3)}, {"past.keep": None}],
        }
        for change in harm[mode]:
            part = whole.lora if mode == "lora" else whole.tensors
            left = {name: tensor for name, tensor in {**part, **change}.items() if tensor is not None}
            with pytest.raises(ModelError, match=r"fetch the pack again"):
                take_up(model, replace(whole, **{"lora" if mode == "lora" else "tensors": left}), 1.0)
            assert model.widened is None

    def test_one_pack_twice(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        adapt(recipe(base, pictures, "token"), tmp_path / "pack")
        model = ARLDM.from_pretrained(base).load_pack(tmp_path / "pack")
        with pytest.raises(ModelError, match=r"pack of 'rumo': the model has the word rumo already, by a pack"):
            model.load_pack(tmp_path / "pack")

    def test_a_pack_that_was_tampered_with(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        pack = tmp_path / "pack"
        adapt(recipe(base, pictures, "token"), pack)
        model, card = ARLDM.from_pretrained(base), json.loads((pack / CARD).read_text())
        hash = model.hash()

        def refused(said: str, **changed) -> None:
            (pack / CARD).write_text(json.dumps(card | changed))
            with pytest.raises(ModelError, match=said):
                model.load_pack(pack)
            assert model.hash() == hash
            assert model.widened is None

        refused("is not the card of a pack", mode="magic")
        refused("is not the card of a pack", names=["../rumo"])
        (pack / CARD).write_text("[" * 100_000)
        with pytest.raises(ModelError, match="is not the card of a pack"):
            read_card(pack)
        refused("of another format, written by arldm 9; this is arldm", format=9, arldm="9")
        refused("lists no files; expected pack.safetensors", files={})
        refused("is not the card of a pack", like=3)
        refused("is not the card of a pack", files={TENSORS: 3})
        refused("is not the card of a pack", files=[TENSORS])
        for altered in ({"names": ["rumo", "vesna"]}, {"names": ["vesna"]}, {"like": "momo"}, {"base": "0123"}):
            refused(r"card\.json: says another names, like, mode, base than its pack\.safetensors", **altered)
        tensors = load_file(pack / TENSORS)
        save_file({name: tensor + 1 for name, tensor in tensors.items()}, pack / TENSORS)
        refused("has SHA-256 .*, its card says .*; it was altered, fetch the pack again")
        (pack / TENSORS).unlink()
        refused("cannot be read")
        (pack / CARD).unlink()
        with pytest.raises(ModelError, match="not there; expected a pack of `arldm adapt`"):
            read_pack(pack)

    def test_a_pack_of_another_model(self, base: Path, pictures: Path, tmp_path: Path) -> None:
        adapt(recipe(base, pictures, "token"), tmp_path / "pack")
        other, made = build(seed=7), ARLDM.from_pretrained(base).hash()
        with pytest.raises(ModelError, match="take up packs in float32, and make it less afterwards"):
            ARLDM.from_pretrained(base, torch.bfloat16).load_pack(tmp_path / "pack")
        with pytest.raises(ModelError, match=f"made for the model {made}; this is {other.hash()}"):
            other.load_pack(tmp_path / "pack")

    def test_pictures_in_a_pack_that_are_not_its_own(
        self, base: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        adapt(recipe(base, pictures, "pin", include_pictures=True), tmp_path / "pack")
        assert main(["pack", "check", str(tmp_path / "pack"), "--model", str(base)]) == 0
        picture(77).save(tmp_path / "pack" / "pictures" / "000.png")
        assert main(["pack", "check", str(tmp_path / "pack"), "--model", str(base)]) == 2
        assert "are other pictures than the card says" in capfd.readouterr().err

    def test_a_disk_that_is_full_at_the_end(
        self, base: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("arldm.model.pack.put", full)
            with pytest.raises(OutputError, match="No space left on device"):
                adapt(recipe(base, pictures, "token"), tmp_path / "pack")
        assert not (tmp_path / "pack").exists()
        half = tmp_path / ".pack.123.new"
        half.mkdir()  # as a killed process leaves it
        monkeypatch.setattr(School, "__call__", full)  # what was learned is not learned again
        adapt(recipe(base, pictures, "token", licence="CC0-1.0"), tmp_path / "pack")
        assert read_card(tmp_path / "pack").name == "rumo"
        assert not half.exists()


def test_pictures_of_any_mode_are_read(tmp_path: Path) -> None:
    Image.new("L", (20, 30), 100).save(tmp_path / "0.png")
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(tmp_path / "1.png")
    Image.new("CMYK", (20, 20)).save(tmp_path / "2.jpg")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "3.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # held upright, stored on its side
    Image.new("RGB", (30, 20)).save(tmp_path / "4.jpg", exif=exif)
    frames = read_pictures(tmp_path, ("rumo",))
    assert [frame.caption for frame in frames] == ["Rumo."] * 5
    assert frames[4].picture is not None
    assert frames[4].picture.size == (20, 30)
    found = [frame.picture.getpixel((4, 4)) for frame in frames if frame.picture]
    assert found[:3] == [(100, 100, 100), (255, 255, 255), (255, 255, 255)]
    assert found[3] == (156, 156, 156)


@given(st.from_regex(r"[a-z/.]{1,20}", fullmatch=True), st.one_of(st.none(), st.floats(0, 2)))
def test_packs_on_the_command_line(folder: str, weight: float | None) -> None:
    text = folder if weight is None else f"{folder}:{weight:.3f}"
    found, read = parsed(text)
    assert found == Path(folder)
    assert read == (1.0 if weight is None else pytest.approx(weight, abs=1e-3))


def test_a_folder_may_end_in_a_number(tmp_path: Path) -> None:
    (tmp_path / "pako:2").mkdir()
    assert parsed(f"{tmp_path}/pako:2") == (tmp_path / "pako:2", 1.0)
    assert parsed(f"{tmp_path}/pako:2:0.5") == (tmp_path / "pako:2", 0.5)


def test_weights_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="got weight 3 in 'pack:3'; expected 0 to 2"):
        parsed("pack:3")


def test_what_is_cut_out_is_what_a_run_was_begun_with(
    cast_in: tuple[ARLDM, list[Recast], list[Frame], Callable[..., Lesson]],
) -> None:
    """The pictures may look the same, flattened, while other parts of them are transparent."""
    model, _, frames, _ = cast_in
    cutouts = [cut_out(frame.picture) for frame in frames if frame.picture is not None]
    holed = [replace(one, opaque=one.opaque * (np.arange(SIZE) % 64 < 32)) for one in cutouts]
    hashes = {_hash(of_character(model, frames, some, ("pako",), "momo", 0)[0].stories) for some in (cutouts, cutouts, holed)}
    assert len(hashes) == 2
