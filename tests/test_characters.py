"""Who is in the pictures: counted as scikit-learn counts; the classifier's file; what cannot be looked at."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from arldm.cli import main
from arldm.errors import ConfigError, DatasetError, ModelError, PictureError
from arldm.evaluate.characters import FIGURES, character_f1, check_casts, frame_accuracy
from arldm.evaluate.classifier import CastBatch, CharacterClassifier, classify
from arldm.evaluate.inception import SIZE, FIDInception, Inception
from arldm.evaluate.judged import ClassifierJudge
from arldm.evaluate.measures import by_attribute, measure
from arldm.model.noise import seeded
from arldm.pictures import centred
from arldm.recipes import Classifier
from arldm.story import Frame, Story
from arldm.train.asked import asked
from arldm.train.classifier import Best, Clips, planned
from conftest import picture
from test_inception import scrambled

NAMES = ("pororo", "loopy", "crong", "eddy")


def told(table: np.ndarray) -> list[list[list[str]]]:
    """Zeros and ones (story, frame, character) as names."""
    return [[[name for name, one in zip(NAMES, frame, strict=True) if one] for frame in story] for story in table]


tables = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 2, (2, 3, 5, 4)))


@settings(deadline=None, max_examples=25)
@given(tables, st.integers(0, 4))
def test_figures_are_those_of_scikit_learn(both: np.ndarray, first: int) -> None:
    true, found = both
    tallies = {name: [*figure(told(true), told(found), first)] for name, figure in FIGURES.items()}
    flat = [table[:, first:].reshape(-1, 4) for table in (true, found)]
    assert measure(tallies["frame accuracy"]).value == pytest.approx(accuracy_score(*flat), abs=1e-12)
    for name, score in (("character F1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        measured = measure(tallies[name])
        assert measured.value == pytest.approx(score(*flat, average="micro", zero_division=0), abs=1e-12)
        if not np.isnan(measured.low):  # of one story there is no interval
            assert measured.low <= measured.value <= measured.high
    each = f1_score(*flat, average=None, zero_division=np.nan)
    by_character = by_attribute(tallies["character F1"])
    assert by_character.keys() == {name for name, value in zip(NAMES, each, strict=True) if not np.isnan(value)}
    for name, value in zip(NAMES, each, strict=True):
        if not np.isnan(value):
            assert by_character[name].value == pytest.approx(value, abs=1e-12)


def test_micro_is_not_macro() -> None:
    """Pororo is there ten times and always found, Eddy once and never: the field counts what there is, not who there is."""
    truth, found = [[["pororo"]] * 9 + [["pororo", "eddy"]]], [[["pororo"]] * 10]
    tallies = [*character_f1(truth, found)]
    assert measure(tallies).value == pytest.approx(20 / 21)
    by_character = by_attribute(tallies)
    assert np.mean([each.value for each in by_character.values()]) == 0.5
    assert list(by_character) == ["eddy", "pororo"]  # the worst first
    assert measure([*frame_accuracy(truth, found)]).value == 0.9


def test_stories_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ConfigError, match="1 stories were looked at and 2 are known"):
        [*frame_accuracy([[["eddy"]], [[]]], [[["eddy"]]])]
    with pytest.raises(ConfigError, match="story 0 has 2 pictures for 1 frames"):
        [*frame_accuracy([[["eddy"]]], [[["eddy"], []]])]


def test_labels_that_are_missing_or_unknown_are_one_line() -> None:
    story = Story("a", (Frame("x", characters=("eddy",)), Frame("y")))
    check_casts([story], NAMES, "ARCHIVE")
    with pytest.raises(DatasetError, match="ARCHIVE: no frame says who is in it"):
        check_casts([Story("a", (Frame("x"), Frame("y")))], NAMES, "ARCHIVE")
    with pytest.raises(ConfigError, match=r"ARCHIVE: shows 'eddy' \(1 such\), whom the classifier does not know"):
        check_casts([story], ("pororo",), "ARCHIVE")


@pytest.fixture(scope="module")
def classifier() -> CharacterClassifier:
    """Its weights keep numbers from vanishing on their way: what a picture shows matters."""
    module = CharacterClassifier(NAMES, thin=16).eval()
    scrambled(module.net)
    return module


def test_a_file_holds_all_of_a_classifier(classifier: CharacterClassifier, tmp_path: Path) -> None:
    weights, facts = classifier.held()
    save_file(weights, tmp_path / "classifier.safetensors", {"classifier": json.dumps(facts)})
    again = CharacterClassifier.from_file(tmp_path / "classifier.safetensors")
    pictures = [picture(seed, 40) for seed in range(3)]
    assert again.names == NAMES
    assert classify(again, pictures) == classify(classifier, pictures)
    assert all(torch.equal(value, classifier.state_dict()[name]) for name, value in again.state_dict().items())


def test_pictures_are_looked_at_alike_in_any_batch_and_above_a_half_is_yes(classifier: CharacterClassifier) -> None:
    pictures = [picture(seed, 40) for seed in range(5)]
    found = classify(classifier, pictures, batch=5)
    assert found == [classify(classifier, [one])[0] for one in pictures]
    with torch.no_grad():
        chances = classifier(torch.from_numpy(np.stack([np.asarray(centred(one, SIZE)) for one in pictures])))[0].sigmoid().round()
    assert found == [tuple(n for n, one in zip(NAMES, row, strict=True) if one) for row in chances.tolist()]


def test_published_weights_are_read_with_the_names_of_their_columns(tmp_path: Path) -> None:
    published = {f"module.{name}": value for name, value in Inception(4).state_dict().items()}  # as DataParallel saves them
    torch.save(published, tmp_path / "epoch-9.pt")  # noqa: TID251 - as they are published
    found = CharacterClassifier.from_file(tmp_path / "epoch-9.pt", NAMES, "imagenet")
    assert torch.equal(found.net.fc.weight, published["module.fc.weight"])
    with pytest.raises(ModelError, match="does not tell whom it knows"):
        CharacterClassifier.from_file(tmp_path / "epoch-9.pt")
    with pytest.raises(ModelError, match=r"has shape \(4,.*3 outputs"):
        CharacterClassifier.from_file(tmp_path / "epoch-9.pt", NAMES[:3])
    judge = ClassifierJudge.of(tmp_path / "epoch-9.pt", [Story("s", (Frame("", characters=NAMES),))], "truth", NAMES, "imagenet")
    assert judge.identity.endswith("scaling imagenet")


def test_both_scalings_are_those_of_torchvision(classifier: CharacterClassifier) -> None:
    """`transform_input` on what ImageNet's means were taken from is [-1, 1]."""
    pictures = torch.from_numpy(np.array(centred(picture(0), SIZE)))[None]
    values = pictures.movedim(-1, 1) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    normalised = (values - mean) / std
    other = CharacterClassifier(NAMES, 16, "imagenet").eval()
    other.load_state_dict(classifier.state_dict())
    with torch.no_grad():
        assert torch.allclose(classifier(pictures)[0], classifier.net(normalised * (std / 0.5) + (mean - 0.5) / 0.5)[0], atol=1e-4)
        assert torch.equal(other(pictures)[0], other.net(normalised)[0])


def test_the_loss_adds_four_tenths_of_the_middle(classifier: CharacterClassifier) -> None:
    arrays = np.stack([np.asarray(centred(picture(seed), SIZE)) for seed in range(3)])
    batch = CastBatch(torch.from_numpy(arrays), torch.eye(3, 4))
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    flips = [torch.rand((), generator=torch.Generator().manual_seed(seed)).item() < 0.5 for seed in range(3)]
    turned = torch.stack([one.flip(1) if flip else one for one, flip in zip(batch.pictures, flips, strict=True)])
    classifier.train()
    with torch.no_grad(), seeded(0):
        loss = classifier.loss(batch, generators)
    with torch.no_grad(), seeded(0):
        scores = classifier(turned)
    classifier.eval()
    last, middle = (torch.nn.functional.binary_cross_entropy_with_logits(one, batch.labels) for one in scores if one is not None)
    assert loss.item() == pytest.approx((last + 0.4 * middle).item(), rel=1e-5)
    assert 0 < sum(flips) < 3


def test_what_cannot_be_looked_at_is_one_line() -> None:
    broken = CharacterClassifier(NAMES, thin=16).eval()
    torch.nn.init.constant_(broken.net.fc.weight, torch.nan)
    with pytest.raises(ModelError, match="no numbers"):
        classify(broken, [picture(0)])
    with pytest.raises(PictureError, match="no picture"):
        classify(broken, [])


@pytest.mark.parametrize("size", [(128, 128), (64, 200), (301, 299), (5, 4)])
def test_a_picture_of_any_shape_becomes_its_middle(size: tuple[int, int]) -> None:
    assert centred(picture(0, 32).resize(size), SIZE).size == (299, 299)


def write_archive(folder: Path, labels: bool = True, count: int = 12) -> Path:
    """Pictures of one colour a character, two frames a story, as an archive."""
    colours = {"ann": "red", "bob": "blue"}
    for split in ("train", "val"):
        (folder / "own" / split).mkdir(parents=True)
        lines = []
        for number in range(count):
            name = list(colours)[number % 2]
            shade = Image.new("RGB", (32, 32), colours[name])
            shade.putpixel((number, len(split)), (0, 255, 0))  # no two alike
            shade.save(folder / "own" / split / f"{number}.png")
            cast = {"characters": [name]} if labels else {}
            lines.append(
                json.dumps({"file_name": f"{number}.png", "text": "x.", "story": str(number // 2), "frame": number} | cast)
            )
        (folder / "own" / split / "metadata.jsonl").write_text("\n".join(lines))
    assert main(["prepare", "folder", str(folder / "own"), str(folder / "archive"), "--workers", "1"]) == 0
    return folder / "archive"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("labelled"))


def command(archive: Path, out: Path, *more: str) -> list[str]:
    few = ["--thin", "16", "--train.batch-size", "4", "--train.threads", "1", "--train.report-to", "none"]
    rates = ["--train.learning-rate", "1e-2", "--train.checkpoint-every", "2"]
    return ["train-classifier", str(archive), "--out", str(out), *few, *rates, *more]


def test_a_classifier_is_trained_and_the_best_is_kept(archive: Path, tmp_path: Path) -> None:
    assert main(command(archive, tmp_path / "run", "--train.steps", "48", "--train.preview-every", "12")) == 0
    told = [json.loads(path.read_text())["frame_accuracy"] for path in sorted((tmp_path / "run" / "samples").glob("*.json"))]
    assert len(told) == 4
    with safe_open(tmp_path / "run" / "classifier.safetensors", "pt") as file:
        assert json.loads(file.metadata()["classifier"])["frame_accuracy"] == max(told) > 0.9
    found = CharacterClassifier.from_file(tmp_path / "run" / "classifier.safetensors")
    assert found.names == ("ann", "bob")
    clips = Clips.of(Classifier(dataset=archive), "val")
    kept, others = (Best(found, some, tmp_path / "run" / "classifier.safetensors") for some in (clips, replace(clips, ids=("a",))))
    assert (kept._kept(), others._kept()) == (max(told), -1.0)  # figures of other clips do not compare
    assert classify(found, [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]) == [("ann",), ("bob",)]


def test_clips_of_training_do_not_validate(archive: Path) -> None:
    """Of four of five windows that overlap, the best was chosen by what it had learned from."""
    trained, held = (Clips.of(Classifier(dataset=archive), split) for split in ("train", "val"))
    mixed = replace(held, rows=(*held.rows, *trained.rows[:3]), ids=(*held.ids, *trained.ids[:3]))
    kept = mixed.without(trained)
    assert (kept.rows, kept.ids) == (held.rows, held.ids)
    with pytest.raises(DatasetError, match="all its validation clips are training's, too; expected some that are not"):
        trained.without(trained)


def test_epochs_become_steps_with_a_validation_each(archive: Path) -> None:
    train = planned(Classifier(dataset=archive, epochs=5), 12)
    assert (train.steps, train.preview_every) == (5, 1)  # 12 clips, 32 at once
    few = planned(Classifier(replace(train, steps=0, batch_size=5, preview_every=0), archive, epochs=5), 12)
    assert (few.steps, few.preview_every) == (15, 3)
    assert planned(Classifier(few, archive), 12) == few


def test_a_run_that_was_stopped_is_the_unbroken_run_with_all_that_batch_norms_counted(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["--train.steps", "4", "--train.preview-every", "4"]
    assert main(command(archive, tmp_path / "whole", *steps)) == 0
    batch, calls = Clips.batch, []

    def power_cut(self: Clips, readings: list[tuple[int, int]]) -> CastBatch:
        if len(calls) == 3:
            raise RuntimeError("power cut")
        calls.append(1)
        return batch(self, readings)

    with monkeypatch.context() as broken:
        broken.setattr(Clips, "batch", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            main(command(archive, tmp_path / "broken", *steps))
    assert main(command(archive, tmp_path / "broken", *steps)) == 0
    whole, mended = (load_file(tmp_path / name / "checkpoint-0000004" / "statistics.safetensors") for name in ("whole", "broken"))
    assert whole
    assert all(torch.equal(value, mended[name]) for name, value in whole.items())
    assert (tmp_path / "whole" / "classifier.safetensors").read_bytes() == (
        tmp_path / "broken" / "classifier.safetensors"
    ).read_bytes()


def test_training_starts_from_imagenet_but_for_the_last_layers(tmp_path: Path) -> None:
    published = Inception(1000, thin=16)
    save_file(published.state_dict(), tmp_path / "imagenet.safetensors")
    module = CharacterClassifier(NAMES, thin=16).begin(tmp_path / "imagenet.safetensors")
    assert torch.equal(module.net.Mixed_7c["branch1x1"].conv.weight, published.Mixed_7c["branch1x1"].conv.weight)
    assert module.net.fc.weight.shape == (4, 128)
    assert "weights" in asked(Classifier(weights=tmp_path / "imagenet.safetensors"))["starts_from"]  # others are refused later
    save_file(FIDInception(thin=16).state_dict(), tmp_path / "fid.safetensors")
    with pytest.raises(ModelError, match=r"AuxLogits\S+ is missing"):
        CharacterClassifier(NAMES, thin=16).begin(tmp_path / "fid.safetensors")


def test_a_run_that_cannot_be_is_one_line(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = write_archive(tmp_path, labels=False, count=4)
    out = tmp_path / "run"
    for arguments, message in (
        (command(bare, out), "does not say who is in its pictures"),
        (command(archive, out, "--train.fsdp"), "--train.fsdp"),
        (command(archive, out, "--weights", str(tmp_path / "none.pth")), "none.pth: not there"),
        (command(tmp_path / "nowhere", out), "nowhere is not there"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("arldm: ")
        assert message in said
        assert not (out / "classifier.safetensors").exists()
