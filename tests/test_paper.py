"""The paper's rows at toy width, the whole chain: published files -> archive -> model -> training -> a told split."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import arldm.train.stills
from arldm.cli import main
from arldm.config import TrainConfig
from arldm.datasets.archive import Archive
from arldm.datasets.importing import import_corpus
from arldm.datasets.pororo import CAST
from arldm.datasets.vist import read_vist
from arldm.errors import CaptionError, ConfigError, DatasetError, ModelError, OutputError
from arldm.evaluate.classifier import CharacterClassifier
from arldm.evaluate.inception import FIDInception
from arldm.evaluate.judged import known
from arldm.evaluate.pictures import find, opened
from arldm.model.arldm import ARLDM
from arldm.model.latents import drawn_from
from arldm.recipes import RECIPES, Judges, Paper
from arldm.story_files import read_told
from arldm.toonsv.questions import TO_DRAW
from arldm.train import run
from arldm.train.loading import Ahead
from arldm.train.paper import Readings, begin, planned, read_stories
from arldm.train.stills import cached_stills
from arldm.train.work import operations
from conftest import TINY, build
from published import still, write_folder, write_pororo, write_vist
from test_published import write_blip, write_sd
from test_similarity import write_clip, write_vit

TRAIN = TrainConfig(
    steps=6,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=2,
    threads=1,
    checkpoint_every=2,
    preview_every=0,
    report_to="none",
    seed=3,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PororoSV with its archive, and a small model of `arldm init paper`."""
    folder = tmp_path_factory.mktemp("paper")
    write_pororo(folder / "pororo")
    assert main(["prepare", "pororo", str(folder / "pororo"), str(folder / "archive"), "--workers", "1"]) == 0
    write_sd(folder / "sd")
    write_blip(folder / "blip", size=224)
    command = ["init", "paper", "--sd", str(folder / "sd"), "--blip", str(folder / "blip"), "--out", str(folder / "model")]
    assert main(command) == 0
    return folder


@pytest.fixture
def recipe(place: Path) -> Paper:
    return Paper(TRAIN, place / "model", place / "archive", given=1, cache=place / "cache")


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_from_published_files_to_a_told_split(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", str(place / "model"), "--dataset", str(place / "archive"), "--out", str(tmp_path / "run")]
    few = [
        "--epochs",
        "2",
        "--train.batch-size",
        "2",
        "--train.threads",
        "1",
        "--train.precision",
        "no",
        "--train.report-to",
        "none",
    ]
    assert main(["train", "pororo-continuation", *options, *few, "--train.preview-every", "2"]) == 0
    assert "waited for data: " in capsys.readouterr().out
    assert len(losses(tmp_path / "run")) == 3  # two epochs of three stories, two at once
    assert (tmp_path / "run" / "samples" / "0000002.png").exists()
    asked = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (asked["epochs"], asked["train"]["steps"]) == (2, 0)  # as it was asked: how many steps these are depends on processes
    before, after = ARLDM.from_pretrained(place / "model"), ARLDM.from_pretrained(tmp_path / "run" / "model")
    changed = {
        name.split(".")[0] for name, value in after.state_dict().items() if not torch.equal(value, before.state_dict()[name])
    }
    assert changed == {"unet", "text_encoder", "history_encoder", "conditioner"}  # all but the autoencoder learn
    sample = ["sample", str(place / "archive"), "--model", str(tmp_path / "run" / "model"), "--given", "1", "--steps", "1"]
    assert main([*sample, "--stories", "1", "--out", str(tmp_path / "told")]) == 0
    folder = next(path for path in (tmp_path / "told").iterdir() if path.is_dir())
    assert len(read_told(folder).frames) == 5


def test_judges_say_how_far_a_run_is(recipe: Paper, tmp_path: Path) -> None:
    weights, facts = CharacterClassifier(CAST, thin=16).held()
    save_file(weights, tmp_path / "classifier.safetensors", {"classifier": json.dumps(facts)})
    save_file(FIDInception().state_dict(), tmp_path / "fid.safetensors")
    encoders = write_clip(tmp_path / "clip"), write_vit(tmp_path / "vit")
    judges = Judges(2, tmp_path / "fid.safetensors", tmp_path / "classifier.safetensors", CAST, "unit", encoders)
    few = replace(recipe, judges=judges, train=replace(TRAIN, steps=2, preview_every=2))
    run(few, tmp_path / "run")
    told = json.loads((tmp_path / "run" / "samples" / "0000002.json").read_text())
    always = {"fid", "kid", "frame_accuracy", "clip_to_truth", "clip_to_captions", "vit_to_truth"}
    sometimes = {"character_f1", "precision", "recall", "clip_self", "vit_self"}  # where anybody is found, or comes back
    assert always <= told.keys() <= always | sometimes
    assert told["fid"] > 0
    run(replace(few, judges=Judges()), tmp_path / "run")  # how it is judged is not what it learns
    with pytest.raises(ModelError, match="nowhere: no folder"):  # before anything is trained
        run(replace(few, judges=Judges(encoder=(tmp_path / "nowhere",))), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_true_pictures_of_a_split_are_a_reference(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "truth", str(place / "archive"), "--out", str(tmp_path / "truth"), "--split", "train"]) == 0
    found, stories = find(tmp_path / "truth"), Archive(place / "archive").stories("train")
    assert list(found.stories) == [f"{number:05}" for number in range(len(stories))]
    for known_story, paths, story in zip(known(found), found.stories.values(), stories, strict=True):
        assert [frame.caption for frame in known_story.frames] == [frame.caption for frame in story.frames]
        assert [frame.characters for frame in known_story.frames] == [frame.characters for frame in story.frames]
        shown = [frame.picture.tobytes() for frame in story.frames if frame.picture is not None]
        assert [opened(path).tobytes() for path in paths] == shown
    assert main(["evaluate", "truth", str(place / "archive"), "--out", str(tmp_path / "other"), "--stories", "-1"]) == 2
    assert "expected one or more of them" in capsys.readouterr().err


def test_a_row_is_what_the_paper_did() -> None:
    rows = {name: recipe for name, recipe in RECIPES.items() if isinstance(recipe, Paper)}
    assert [name for name, recipe in rows.items() if recipe.given == 1] == [
        f"{corpus}-continuation" for corpus in ("pororo", "flintstones", "vist-sis", "vist-dii")
    ]
    assert rows["pororo-visualization"].given == 0
    for recipe in rows.values():
        train = recipe.train
        assert (recipe.epochs, recipe.still, recipe.history) == (50, "random", "pictures")
        assert (
            train.learning_rate,
            train.weight_decay,
            train.max_grad_norm,
            train.conditioning_dropout,
            train.muon_learning_rate,
        ) == (1e-5, 1e-4, 1.0, 0.1, 0)
    assert (rows["vist-sis-continuation"].captions, rows["vist-dii-continuation"].captions) == ("sis", "dii")


def test_epochs_become_steps(recipe: Paper) -> None:
    assert planned(replace(recipe, train=replace(TRAIN, steps=0)), 3).steps == 75  # 50 epochs of 3 stories, 2 a step
    assert planned(replace(recipe, epochs=1, train=replace(TRAIN, steps=0)), 3).steps == 2
    assert planned(recipe, 3) == recipe.train


def test_a_run_of_epochs_says_which_items_a_step_it_needs(recipe: Paper, tmp_path: Path) -> None:
    """It named steps, which nobody had asked for."""
    few = replace(recipe, epochs=2, train=replace(TRAIN, steps=0, batch_size=1))
    run(few, tmp_path / "run")
    with pytest.raises(
        ConfigError, match=r"2 items a step \(1 processes x --train.batch-size 2 .* was begun with 1, change one of the"
    ):
        run(replace(few, train=replace(few.train, batch_size=2)), tmp_path / "run")


def test_frozen_encoders_learn_names(recipe: Paper) -> None:
    """Two that begin as a penguin would be one for ever."""
    model = begin(replace(recipe, freeze=("text_encoder", "history_encoder")), read_stories(recipe))
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad and "encoder" in name}
    assert len(learning) == 2
    assert all(name.endswith(("token_embedding.weight", "word_embeddings.weight")) for name in learning)


@pytest.mark.parametrize("given", [0, 1, 2])
def test_a_batch_is_the_stories_that_the_archive_tells(recipe: Paper, given: int) -> None:
    stories = read_stories(recipe)
    model = begin(recipe, stories)
    assert recipe.cache is not None
    readings = Readings.made(model, stories, given, recipe.cache)
    batch = readings.batch([(7, 2), (1, 0)])
    true = model.batch([stories.story(2, draw=7), stories.story(0, draw=1)])
    assert batch.given == given
    assert batch.latents.shape == true.latents[:, given:].shape
    assert torch.equal(batch.past_pictures, true.past_pictures)
    assert torch.equal(batch.past_ids, true.past_ids)
    length = batch.caption_ids.shape[-1]
    assert torch.equal(batch.caption_ids, true.caption_ids[:, given:, :length])
    drawn = [(*reading, t) for reading in ((7, 2), (1, 0)) for t in range(given, 5)]
    noise = torch.stack([torch.randn(true.latents.shape[2:], generator=readings._generator(*one)) for one in drawn])
    shown = [still for epoch, story in ((7, 2), (1, 0)) for still in stories.shown(story, epoch)[given:]]
    parts = readings.stills._taken(readings.stills.posteriors, shown)
    spread = (0.5 * torch.from_numpy(parts[:, 1]).float()).exp() * noise
    torch.testing.assert_close(batch.latents.flatten(0, 1) - spread, true.latents[:, given:].flatten(0, 1), rtol=2e-3, atol=2e-3)
    assert spread.std() > 1e-3  # drawn, and not the middle of the posterior


def test_the_posterior_is_stock_diffusers_normalised(place: Path) -> None:
    latents = ARLDM.from_pretrained(place / "model").latents
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    scale = latents.vae.config["scaling_factor"]
    with torch.no_grad():
        theirs, (mean, logvar) = latents.vae.encode(pictures).latent_dist, latents.posterior(pictures)
    torch.testing.assert_close(mean, theirs.mean * scale)
    torch.testing.assert_close((0.5 * logvar).exp(), theirs.std * scale)
    drawn = drawn_from(mean, logvar, [torch.Generator().manual_seed(seed) for seed in (5, 6)])
    noise = torch.stack([torch.randn(mean.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in (5, 6)])
    torch.testing.assert_close(drawn, (theirs.mean + theirs.std * noise) * scale)


def test_each_epoch_draws_another_point_of_the_same_posterior(recipe: Paper) -> None:
    stories = read_stories(replace(recipe, still="middle"))
    assert recipe.cache is not None
    readings = Readings.made(begin(recipe, stories), stories, 0, recipe.cache)
    first, again, later = (readings.batch([(epoch, 1)]).latents for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert torch.equal(first, readings.batch([(1, 0), (0, 1)]).latents[1:])  # whatever else is in the batch
    assert not torch.equal(first, later)
    assert not torch.equal(later[0, 0] - first[0, 0], later[0, 1] - first[0, 1])  # each frame by itself


def test_two_processes_share_a_cache_and_train(place: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "arldm"]
    options = ["--model", str(place / "model"), "--dataset", str(place / "archive"), "--out", str(tmp_path), "--epochs", "2"]
    few = ["--train.threads", "1", "--train.precision", "no", "--train.report-to", "none", "--train.preview-every", "0"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, "train", "pororo-continuation", *options, *few], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(losses(tmp_path)) == 3  # two epochs of three stories, one at a time on each of two
    assert done.stdout.count("waited for data") == 1
    assert ARLDM.from_pretrained(tmp_path / "model").config.history == "pictures"


def test_frames_that_are_given_are_seen_and_not_drawn(recipe: Paper) -> None:
    """Continuation's loss is that of frames 2 to 5 of visualization, frame for frame."""
    stories = read_stories(recipe)
    model = begin(recipe, stories)
    assert recipe.cache is not None
    whole, rest = (Readings.made(model, stories, given, recipe.cache).batch([(0, 0), (0, 1)]) for given in (0, 1))
    assert torch.equal(whole.latents[:, 1:], rest.latents)
    none = torch.zeros(2, 5, dtype=torch.bool)
    with torch.no_grad():
        all_frames, later = model.condition(whole, none), model.condition(rest, none[:, 1:])
        noisy, timesteps = (
            torch.randn(8, *rest.latents.shape[2:], generator=torch.Generator().manual_seed(0)),
            torch.tensor([500] * 8),
        )
        said = [
            model.unet(noisy, timesteps, condition.tokens.flatten(0, 1), encoder_attention_mask=condition.keep.flatten(0, 1)).sample
            for condition in (replace(all_frames, tokens=all_frames.tokens[:, 1:], keep=all_frames.keep[:, 1:]), later)
        ]
    torch.testing.assert_close(*said, rtol=1e-4, atol=1e-5)


def test_each_epoch_shows_other_stills_by_a_rule_that_does_not_move(recipe: Paper) -> None:
    stories = read_stories(recipe)
    assert stories.shown(0, 3) == stories.shown(0, 3)
    assert len({tuple(stories.shown(0, epoch)) for epoch in range(20)}) > 5
    again = Archive(recipe.dataset).stories("train", "captions", "random", seed=4)
    assert [again.shown(0, epoch) for epoch in range(9)] != [stories.shown(0, epoch) for epoch in range(9)]
    assert set(stories.ever_shown) >= {still for epoch in range(20) for still in stories.shown(2, epoch)}
    middle = read_stories(replace(recipe, still="middle"))
    assert set(middle.ever_shown) == {still for story in range(3) for still in middle.shown(story, 5)}


def test_a_run_that_was_stopped_is_the_unbroken_run(recipe: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(recipe, tmp_path / "whole")
    batch = Readings.batch

    def power_cut(self: Readings, readings: list[tuple[int, int]]):
        if len(calls) == 4:
            raise RuntimeError("power cut")
        calls.append(1)
        return batch(self, readings)

    calls: list[int] = []
    with monkeypatch.context() as broken:
        broken.setattr(Readings, "batch", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            run(recipe, tmp_path / "broken")
    assert not (tmp_path / "broken" / "model").exists()
    run(recipe, tmp_path / "broken")
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    for path in (tmp_path / "whole" / "model").rglob("*.safetensors"):
        other = tmp_path / "broken" / path.relative_to(tmp_path / "whole")
        assert all(torch.equal(value, load_file(other)[name]) for name, value in load_file(path).items()), path.name


def test_a_cache_that_not_every_process_sees_is_refused(recipe: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others had made was taken for black pictures."""

    class Second:
        """Of two processes, each with a disk of its own."""

        process_index, num_processes, is_main_process, device = 1, 2, False, torch.device("cpu")

        def wait_for_everyone(self) -> None:
            pass

    monkeypatch.setattr(arldm.train.stills, "PART", 7)
    monkeypatch.setattr(arldm.train.stills, "PartialState", Second)
    stories = read_stories(recipe)
    with pytest.raises(OutputError, match="cache: lacks what other processes put there; expected a --cache on a disk that all"):
        cached_stills(begin(recipe, stories), stories.archive, stories.ever_shown, tmp_path / "cache")


def test_encoding_is_continued_and_not_repeated(recipe: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arldm.train.stills, "PART", 7)
    monkeypatch.setattr(arldm.train.stills, "BLOCK", 2)
    stories = read_stories(recipe)
    model = begin(recipe, stories)
    wanted = stories.ever_shown
    whole = cached_stills(model, stories.archive, wanted, tmp_path / "whole")
    assert len(whole.posteriors) == -(-len(wanted) // 7)
    read: list[tuple[int, int]] = []
    true = Archive.still

    def watched(self: Archive, row: int, number: int):
        if len(read) == 11 and stop:
            raise KeyboardInterrupt
        read.append((row, number))
        return true(self, row, number)

    stop = True
    monkeypatch.setattr(Archive, "still", watched)
    with pytest.raises(KeyboardInterrupt):
        cached_stills(model, stories.archive, wanted, tmp_path / "part")
    stop = False
    read.clear()
    part = cached_stills(model, stories.archive, wanted, tmp_path / "part")
    assert 0 < len(read) < len(wanted)
    everything = [whole._taken(each.posteriors, wanted) for each in (whole, part)]
    assert (everything[0] == everything[1]).all()
    assert torch.equal(whole.small(wanted), part.small(wanted))
    read.clear()
    cached_stills(model, stories.archive, wanted, tmp_path / "part")
    assert not read


def test_a_baseline_is_a_model_that_looks_at_less(recipe: Paper, tmp_path: Path) -> None:
    run(replace(recipe, history="captions", train=replace(TRAIN, steps=1)), tmp_path)
    model = ARLDM.from_pretrained(tmp_path / "model")
    assert model.config.history == "captions"
    assert model.history_encoder is not None
    assert model.history_encoder.vision is None
    with pytest.raises(ConfigError, match="history 'pictures' asked of a model built with 'captions'"):
        run(replace(recipe, model=tmp_path / "model"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def too_long(place: Path, folder: Path) -> Paper:
    captions = {"text": "A penguin and a beaver " * 60}
    write_folder(folder / "own")
    lines = [json.loads(line) | captions for line in (folder / "own" / "train" / "metadata.jsonl").read_text().splitlines()]
    (folder / "own" / "train" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["prepare", "folder", str(folder / "own"), str(folder / "archive"), "--workers", "1"]) == 0
    return Paper(TRAIN, place / "model", folder / "archive")


def too_long_to_judge_by(place: Path, folder: Path) -> Paper:
    """A run was ended by its first sample, and again by the same command."""
    write_folder(folder / "own")
    shutil.copytree(folder / "own" / "test", folder / "own" / "val")
    path = folder / "own" / "val" / "metadata.jsonl"
    path.write_text(path.read_text().replace("Ann does", "A penguin and a beaver " * 60))
    assert main(["prepare", "folder", str(folder / "own"), str(folder / "archive"), "--workers", "1"]) == 0
    return Paper(TRAIN, place / "model", folder / "archive")


def of_vist(place: Path, folder: Path) -> Paper:
    write_vist(folder / "vist")
    import_corpus(read_vist(folder / "vist"), folder / "archive", 1)
    return Paper(TRAIN, place / "model", folder / "archive")


def of_several_lengths(place: Path, folder: Path) -> Paper:
    (folder / "own" / "train").mkdir(parents=True)
    names = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]
    for story, frame in names:
        still(frame).save(folder / "own" / "train" / f"{story}{frame}.png")
    lines = [json.dumps({"file_name": f"{s}{t}.png", "text": "Ann.", "story": s, "frame": t}) for s, t in names]
    (folder / "own" / "train" / "metadata.jsonl").write_text("\n".join(lines))
    assert main(["prepare", "folder", str(folder / "own"), str(folder / "archive"), "--workers", "1"]) == 0
    return Paper(TRAIN, place / "model", folder / "archive")


BAD = {
    "no archive": (lambda place, _: Paper(TRAIN, place / "model", place / "pororo"), DatasetError, "is no finished archive"),
    "other captions": (of_vist, DatasetError, r"has no captions 'captions'; expected one of sis, dii"),
    "too long": (too_long, CaptionError, r'caption "A penguin .*" has \d+ tokens; the limit is 85, shorten it'),
    "too long to judge by": (too_long_to_judge_by, CaptionError, r'caption "A penguin .*" has \d+ tokens; the limit is 85'),
    "too many given": (
        lambda place, _: Paper(TRAIN, place / "model", place / "archive", given=5),
        ConfigError,
        "--given: got 5 for stories of 5 frames",
    ),
    "several lengths": (of_several_lengths, ConfigError, "has stories of 2 to 3 frames; .* use --train.batch-size 1"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_trained_with_is_one_line(place: Path, tmp_path: Path, name: str) -> None:
    made, kind, said = BAD[name]
    recipe = made(place, tmp_path)
    with pytest.raises(kind, match=said) as caught:
        run(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_continued_with_another_archive(place: Path, tmp_path: Path) -> None:
    """Captions were others from there on, and nothing was said."""
    write_folder(tmp_path / "own")
    command = ["prepare", "folder", str(tmp_path / "own"), str(tmp_path / "archive"), "--workers", "1"]
    assert main(command) == 0
    recipe = Paper(replace(TRAIN, steps=2, batch_size=1), place / "model", tmp_path / "archive")
    run(recipe, tmp_path / "run")
    run(recipe, tmp_path / "run")
    shutil.copytree(tmp_path / "archive", tmp_path / "moved")
    run(replace(recipe, dataset=tmp_path / "moved"), tmp_path / "run")
    run(recipe, tmp_path / "run")
    shutil.rmtree(tmp_path / "archive")
    path = tmp_path / "own" / "train" / "metadata.jsonl"
    path.write_text(path.read_text().replace("Ann does", "Ben does"))
    assert main(command) == 0
    with pytest.raises(ConfigError, match=r"--dataset: .*archive holds others than what .*run was begun with; expected the same"):
        run(recipe, tmp_path / "run")


def test_stories_of_several_lengths_are_trained_with_one_by_one(place: Path, tmp_path: Path) -> None:
    recipe = of_several_lengths(place, tmp_path)
    run(replace(recipe, train=replace(TRAIN, batch_size=1, steps=2)), tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 2


def test_what_is_not_there_is_one_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--dataset", str(tmp_path / "none")], "--dataset: .* is not there; run `arldm prepare` first"),
        (["--dataset", str(place / "archive"), "--model", str(tmp_path)], r"arldm\.json: not there"),
        (
            ["--dataset", str(place / "archive"), "--out", str(place / "archive/run")],
            "--out: .*run lies in --dataset .*archive; exp",
        ),
        (
            ["--dataset", str(place / "archive"), "--cache", str(place / "archive/cache")],
            "--cache: .*cache lies in --dataset .*archive; exp",
        ),
        (
            ["--dataset", str(place / "archive"), "--judges.classifier-scaling", "unit"],
            "given without --judges.classifier; expected",
        ),
    ):
        options = ["train", "pororo-continuation", "--model", str(place / "model"), "--out", str(tmp_path / "run"), *options]
        assert main(options) == 2
        error = capsys.readouterr().err
        assert re.search(said, error), error
        assert len(error.strip().splitlines()) == 1


def test_a_dry_run_says_what_would_be_and_does_nothing(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", str(place / "model"), "--dataset", str(place / "archive"), "--out", str(tmp_path / "run"), "--dry-run"]
    assert main(["train", "pororo-visualization", *options, "--freeze", "text_encoder"]) == 0
    said = capsys.readouterr().out
    config = json.loads(said[: said.index("\n}\n") + 2])
    assert config["train"]["steps"] == 150  # 50 epochs of three stories
    model = ARLDM.from_pretrained(place / "model")
    learning = sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith(("latents", "text_encoder")))
    assert f"that learn            {learning / 1e6:.1f} M" in said
    assert "150 steps; 3 stories" in said
    assert "hours, predicted" in said
    assert not (tmp_path / "run").exists()


def test_a_steps_work_grows_with_what_is_drawn(place: Path) -> None:
    model = ARLDM.from_pretrained(place / "model")
    whole, rest = (operations(model, 5, given, 20) for given in (0, 1))
    model.unet.requires_grad_(False)
    assert operations(model, 5, 1, 20) < rest < whole
    assert not any(weight.grad is not None for weight in model.parameters())


def test_the_work_of_a_model_that_decides_is_counted_too() -> None:
    """The counter stumbled over what is looked at without a gradient."""
    deciding = build(replace(TINY, summary=len(TO_DRAW), choices=4))
    assert operations(deciding, 5, 0, 20) > operations(deciding, 4, 0, 20) > 0


@pytest.mark.parametrize("stride", [1, 3])
def test_batches_made_early_are_the_same_in_any_order(stride: int) -> None:
    made: list[int] = []

    def square(number: int) -> int:
        made.append(number)
        return number * number

    with Ahead(square, stride, end=60) as batches:
        assert batches(0) == 0
        end = time.monotonic() + 20
        while len(made) < 5 and time.monotonic() < end:
            time.sleep(0.01)
        assert sorted(made) == [0, stride, 2 * stride, 3 * stride, 4 * stride]
        for number in (0, stride, 2 * stride, 30, 30 + stride, 30, 59):
            assert batches(number) == number * number
    assert max(made) < 60


def test_what_goes_wrong_in_the_background_is_raised_where_it_is_asked_for() -> None:
    def broken(number: int) -> int:
        if number == 2:
            raise ConfigError("no such batch")
        return number

    with Ahead(broken) as batches:
        assert batches(0) == 0
        assert batches(1) == 1
        with pytest.raises(ConfigError, match="no such batch"):
            batches(2)
