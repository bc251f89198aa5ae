"""What is learned of a new character cut out of its pictures: how it is read, how it is drawn, and what stays as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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
from arldm.adapt.recasting import Part, Recast, recastings
from arldm.adapt.recipes import DRAWN, Adaptation
from arldm.adapt.school import School
from arldm.errors import ModelError, PictureError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.noise import item_generators
from arldm.model.pack import NEWCOMER, read_pack
from arldm.model.widening import add_words, take_up, texts
from arldm.story import Frame, Story
from arldm.toonsv import painted
from arldm.toonsv.cutouts import SIZE
from arldm.toonsv.plot import plot
from arldm.toonsv.questions import FREE, TO_DRAW, kind
from arldm.toonsv.recast import portraits
from arldm.toonsv.world import TRAINED
from conftest import TINY, build, noise
from newcomers import TRAIN, cut_out, recipe, shown


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
        "n", tuple(Frame(caption, noise(t)) for t, caption in enumerate(("Rumo sits down.", "They sit down.", "Rumo waves.")))
    )
    old = [Story(f"o{k}", tuple(Frame("Momo walks to the beach.", noise(9 + k)) for _ in range(3))) for k in range(4)]
    return model.batch([new]), model.batch(old)


def test_every_third_story_that_is_drawn_is_an_old_one(toy_folder: Path) -> None:
    model = ARLDM.from_pretrained(toy_folder)
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


def test_figures_of_the_old_cast_count_more_than_places(deciding: ARLDM, toy_folder: Path, rumo: Path) -> None:
    old = of_old(deciding, replace(recipe(toy_folder, rumo), keep_old="toonsv", old=2), frames=3)
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


def test_pictures_that_cannot_be_cut_out_are_named(deciding: ARLDM, rumo: Path, tmp_path: Path) -> None:
    deciding.save_pretrained(tmp_path / "model")
    with pytest.raises(PictureError, match=r"a\.png: the character cannot be told from what is behind it"):
        adapt(recipe(tmp_path / "model", rumo), tmp_path / "pack")
    assert not (tmp_path / "pack").exists()
    first = Image.new("RGB", (80, 80), "white")
    first.paste((200, 0, 0), (30, 20, 60, 70))
    first.save(rumo / "a.png")
    with pytest.raises(PictureError, match=r"b\.jpg: the character cannot be told"):
        adapt(recipe(tmp_path / "model", rumo), tmp_path / "pack")


def test_adapting_learns_to_read_and_to_draw_apart(deciding: ARLDM) -> None:
    _, others = batches(deciding)
    old = as_read(deciding, others)
    deciding.conditioning_dropout = 0.0
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
    deciding.conditioning_dropout = 0.0
    adapting = Adapting(deciding, Former.of(deciding))
    assert not any("was" in name for name, _ in adapting.named_parameters())

    def loss(lesson: Lesson) -> float:
        return adapting.loss(lesson, item_generators(0, range(len(old)))).item()

    assert loss(old) == pytest.approx(0, abs=1e-5)
    assert loss(replace(old, latents_before=-others.latents)) > 0.01
    assert loss(replace(old, told_before=-old.told)) > 1e-5
    deciding.conditioning_dropout = 1.0
    assert loss(old) == pytest.approx(0, abs=1e-5)  # told nothing, too
    deciding.conditioning_dropout = 0.0
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
    deciding.conditioning_dropout = 0.0
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


def test_what_is_cut_out_is_what_a_run_was_begun_with(
    cast_in: tuple[ARLDM, list[Recast], list[Frame], Callable[..., Lesson]],
) -> None:
    """The pictures may look the same, flattened, while other parts of them are transparent."""
    model, _, frames, _ = cast_in
    cutouts = [cut_out(frame.picture) for frame in frames if frame.picture is not None]
    holed = [replace(one, opaque=one.opaque * (np.arange(SIZE) % 64 < 32)) for one in cutouts]
    hashes = {_hash(of_character(model, frames, some, ("pako",), "momo", 0)[0].stories) for some in (cutouts, cutouts, holed)}
    assert len(hashes) == 2
