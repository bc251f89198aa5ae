"""`arldm evaluate pictures`: looked at once, compared in one table, reported whole, refused in one line."""

import json
import re
import shutil
import tracemalloc
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from arldm.cli import main
from arldm.errors import ConfigError, DatasetError, ModelError, PictureError, ScriptError
from arldm.evaluate.characters import FIGURES
from arldm.evaluate.classifier import CharacterClassifier, classify
from arldm.evaluate.comparison import compare, table
from arldm.evaluate.features import ENTRY, Hashed, Store, digests
from arldm.evaluate.inception import FIDInception
from arldm.evaluate.judged import ClassifierJudge, EncoderJudge, ReaderJudge, judged, known, tells_facts
from arldm.evaluate.measures import by_attribute, measure
from arldm.evaluate.networks import WELL_KNOWN, inception
from arldm.evaluate.pictures import Pictures, aligned, find, opened
from arldm.evaluate.published import PUBLISHED, Task, differences
from arldm.evaluate.report import score
from arldm.evaluate.webpage import column, page
from arldm.model.noise import seeded
from arldm.story import Story
from arldm.toonsv import stories as toonsv
from arldm.truth_files import write_known
from arldm.writing import checksum
from conftest import picture, story
from test_similarity import write_clip


class Means:
    """A network of three features, a picture's mean colours, that counts what it looked at."""

    width = 3

    def __init__(self, identity: str = "means") -> None:
        self.identity, self.seen = identity, 0

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        self.seen += len(pictures)
        return np.stack([np.asarray(one, np.float32).mean((0, 1)) for one in pictures])


def stories(folder: Path, count: int = 12, first: int = 0, size: int = 32) -> Path:
    """A folder for each story of two frames."""
    for number in range(2 * count):
        path = folder / f"{number // 2:03}" / f"{number % 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(first + number, size).save(path)
    return folder


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    return [stories(tmp_path / "truth"), stories(tmp_path / "one", first=100), stories(tmp_path / "two", first=200, size=64)]


class TestStore:
    def test_another_process_that_waited_adds_to_the_rows_at_once(self, sets: list[Path], tmp_path: Path, monkeypatch) -> None:
        """They were mapped after the lock was let go, and a half row was a traceback."""
        paths = find(sets[0]).frames

        @contextmanager
        def let_go_to_another(path: Path):
            yield
            with (path.parent / "rows").open("ab") as rows:
                rows.write(b"half")

        monkeypatch.setattr("arldm.evaluate.features.locked", let_go_to_another)
        features, _ = Store(tmp_path / "cache", Means()).features(paths, digests(paths))
        assert len(np.concatenate(list(features.chunks()))) == len(paths)

    def test_a_picture_is_looked_at_once(self, sets: list[Path], tmp_path: Path) -> None:
        paths, network = find(sets[0]).frames, Means()
        features, sizes = Store(tmp_path / "cache", network).features(paths, digests(paths), batch=5)
        assert network.seen == 24
        assert sizes.tolist() == [[32, 32]] * 24
        rows = np.concatenate(list(features.chunks()))
        again, _ = Store(tmp_path / "cache", network).features(paths[::-1], digests(paths[::-1]))
        assert network.seen == 24
        assert np.array_equal(np.concatenate(list(again.chunks())), rows[::-1])
        other = Means("others")
        Store(tmp_path / "cache", other).features(paths[:3], digests(paths[:3]))
        assert other.seen == 3  # another network's rows are not taken for its own

    def test_the_same_picture_twice_is_one_row(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            picture(1).save(tmp_path / name)
        paths, network = find(tmp_path).frames, Means()
        features, _ = Store(tmp_path / "cache", network).features(paths, digests(paths))
        assert (network.seen, len(features)) == (1, 2)

    @pytest.mark.parametrize("cut", [("rows", 5), ("index", 7), ("rows", 3 * 4 * 4)])
    def test_what_a_killed_process_left_half_is_made_again(self, sets: list[Path], tmp_path: Path, cut: tuple[str, int]) -> None:
        paths, network = find(sets[0]).frames, Means()
        names = digests(paths)
        expected = np.concatenate(list(Store(tmp_path / "cache", network).features(paths, names)[0].chunks()))
        (file,) = (tmp_path / "cache").glob(f"*/{cut[0]}")
        file.write_bytes(file.read_bytes()[: -cut[1]])
        found, _ = Store(tmp_path / "cache", network).features(paths, names)
        assert np.array_equal(np.concatenate(list(found.chunks())), expected)
        assert 24 < network.seen < 30
        assert [one.stat().st_size for one in sorted(file.parent.glob("[ir]*"))] == [24 * ENTRY.itemsize, 24 * 3 * 4]

    def test_a_picture_that_was_replaced_meanwhile_is_not_taken_for_the_old_one(self, sets: list[Path], tmp_path: Path) -> None:
        paths = find(sets[0]).frames
        before = digests(paths)
        picture(999).save(paths[3])
        with pytest.raises(PictureError, match=r"001/1.png: was written anew meanwhile; .* run the same command again"):
            Store(tmp_path / "cache", Means()).features(paths, before)
        features, _ = Store(tmp_path / "cache", Means()).features(paths, digests(paths))
        assert features.of(np.array([3]))[0] == pytest.approx(np.asarray(picture(999), float).mean((0, 1)), rel=1e-5)

    def test_stories_that_share_pictures_are_a_group(self, tmp_path: Path) -> None:
        """Windows of a film, a frame apart; a black frame in all of them joins none."""
        films = [[picture(100 * film + frame) for frame in range(6)] for film in range(3)]
        windows = [[*film[start : start + 4], picture(999)] for film in films for start in range(3)]
        for number, window in enumerate(windows):
            for frame, one in enumerate(window):
                (tmp_path / f"{number}").mkdir(exist_ok=True)
                one.save(tmp_path / f"{number}/{frame}.png")
        assert Hashed.of(find(tmp_path)).groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]

    @pytest.mark.parametrize("given", [0, 1])
    def test_stories_of_the_same_pictures_are_a_group(self, tmp_path: Path, given: int) -> None:
        """Six people told a story of each album, of VIST for instance; the albums have a black picture in common."""
        for number in range(12):
            (tmp_path / f"{number:02}").mkdir()
            for frame in range(4):
                one = picture(999) if frame == 3 else picture(10 * (number // 6) + frame)
                one.save(tmp_path / f"{number:02}/{frame}.png")
        assert Hashed.of(find(tmp_path).after(given)).groups.tolist() == [0] * 6 + [1] * 6

    def test_stories_are_read_one_at_a_time(self, sets: list[Path], tmp_path: Path) -> None:
        class Wide(Means):
            width = 100_000

            def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
                return np.repeat(super().features(pictures)[:, :1], self.width, 1)

        hashed, network = Hashed.of(find(sets[0])), Wide("wide")
        hashed.seen_by(network, tmp_path / "cache")
        tracemalloc.start()
        assert [rows.shape for rows in hashed.stories_by(network, tmp_path / "cache")] == [(2, 100_000)] * 12
        assert tracemalloc.get_traced_memory()[1] < 6e6  # a story is 1.6 MB, the set 19
        tracemalloc.stop()

    def test_features_that_are_no_numbers(self, sets: list[Path], tmp_path: Path) -> None:
        class Broken(Means):
            def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
                found = super().features(pictures)
                found[2] = np.nan
                return found

        paths = find(sets[0]).frames
        with pytest.raises(ModelError, match=r"001/0.png: the network makes features of it that are no numbers"):
            Store(tmp_path / "cache", Broken()).features(paths, digests(paths))
        network = Means("means")
        Store(tmp_path / "cache", network).features(paths, digests(paths))
        assert network.seen == 24  # nothing of the broken batch was kept


class TestCompare:
    def test_several_methods_give_one_table(self, sets: list[Path], tmp_path: Path) -> None:
        reference, *methods = (find(one) for one in sets)
        found = compare([*methods, reference], reference, {"means": Means()}, tmp_path / "cache")
        lines = table(found).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["one", "two", "truth"]
        assert found.methods[2].measured["means"].fid.value == pytest.approx(0, abs=1e-6)
        assert found.methods[0].measured["means"].fid.value > 1
        assert found.methods[1].sizes == {"64 x 64": 24}
        assert sum(found.methods[0].measured["means"].pulls.values()) == pytest.approx(0, abs=1e-6)

    def test_what_was_measured_is_not_measured_again(
        self, sets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference, method = find(sets[0]), find(sets[1])
        first = compare([method], reference, {"means": Means()}, tmp_path / "cache")
        monkeypatch.setattr("arldm.evaluate.comparison.frechet", None)
        again = compare([method], reference, {"means": Means()}, tmp_path / "cache")
        assert again == first
        picture(999).save(sets[1] / "000" / "0.png")
        with pytest.raises(TypeError):  # other pictures are
            compare([method], reference, {"means": Means()}, tmp_path / "cache")

    def test_the_reference_is_named_by_what_it_holds(self, sets: list[Path], tmp_path: Path) -> None:
        reference = find(sets[0])
        found = [compare([reference], one, {"means": Means()}, tmp_path / "cache").reference for one in (reference, find(sets[1]))]
        assert found[0].hash != found[1].hash
        assert len(found[0].hash) == 64

    def test_notes_say_what_must_be_known(self, sets: list[Path], tmp_path: Path) -> None:
        picture(1, 48).save(sets[1] / "000" / "0.png")
        stories(tmp_path / "more", 13)
        reference, method = find(sets[0]), find(sets[1])
        found = compare([method, find(tmp_path / "more")], reference, {"means": Means()}, tmp_path / "cache", paired=False)
        few, unequal, sizes, unpaired = found.notes
        assert few.startswith("Fewer than 2,048 pictures in truth, one, more")
        assert unequal == "The sets are not equally large (truth 24, one 24, more 26): FID depends on the number of pictures."
        assert sizes == "one has pictures of 2 sizes: 1 of 48 x 48, 23 of 32 x 32."
        assert "different stories" in unpaired
        shown = compare([find(sets[2])], reference, {"means": Means()}, tmp_path / "cache", given=0)
        assert "Pictures of two are 64 x 64, and those of truth 32 x 32: what sees detail" in " ".join(shown.notes)

    def test_intervals_are_over_what_shares_no_picture(self, tmp_path: Path) -> None:
        """Stories of PororoSV overlap; taken as independent, they gave intervals of half the width and less."""
        films = [[picture(100 * film + frame) for frame in range(6)] for film in range(8)]
        for film, shots in enumerate(films):
            for start in range(4):
                for frame, shot in enumerate(shots[start : start + 3]):
                    folder = tmp_path / "truth" / f"{10 * film + start:03}"
                    folder.mkdir(parents=True, exist_ok=True)
                    shot.save(folder / f"{frame}.png")
        stories(tmp_path / "apart", 32, first=5000)
        reference = find(tmp_path / "truth")
        ours = {name: (*frames, frames[0]) for name, frames in find(tmp_path / "apart").stories.items()}
        method = aligned(Pictures("ours", "", dict(zip(reference.stories, ours.values(), strict=True))), reference)
        found = compare([method], reference, {"means": Means()}, tmp_path / "cache")
        assert (found.reference.stories, found.reference.groups, found.methods[0].groups) == (32, 8, 8)
        assert "The 32 stories of truth share pictures: intervals are over the 8 groups of them that share none." in found.notes
        alone = compare([method], replace(reference, stories=method.stories), {"means": Means()}, tmp_path / "cache")
        assert alone.reference.groups == 32
        loose = find(shutil.copytree(tmp_path / "apart" / "000", tmp_path / "loose"))
        noted = compare([loose], loose, {"means": Means()}, tmp_path / "cache", given=0, paired=False).notes
        assert any(note.startswith("Single pictures in loose, loose: each counts as a story.") for note in noted)


class TestJudges:
    @pytest.fixture
    def told(self, tmp_path: Path) -> list[Path]:
        """True stories that say who is in them, and others."""
        for name, shift in (("truth", 0), ("ours", 7)):
            for number in range(4):
                frames = story(4, given=4, shift=number + shift).frames
                who = [("momo",), ("ann", "momo"), (), ("ann",)]
                write_known(
                    Story(f"s{number}", tuple(replace(frame, characters=cast) for frame, cast in zip(frames, who, strict=True))),
                    tmp_path / name / f"{number:05}-s",
                )
        return [tmp_path / "truth", tmp_path / "ours"]

    def weights(self, path: Path, names: list[str]) -> Path:
        with seeded(1):
            held, facts = CharacterClassifier(names, thin=16).held()
        held["fc.bias"] += 1  # or it would find nobody
        save_file(held, path, {"classifier": json.dumps(facts)})
        return path

    def test_single_frames_stand_beside_the_distances(self, told: list[Path], tmp_path: Path) -> None:
        encoder = EncoderJudge.of(write_clip(tmp_path / "clip"))
        shutil.copytree(tmp_path / "clip", tmp_path / "other")
        assert EncoderJudge.of(tmp_path / "other").identity == encoder.identity
        config = json.loads((tmp_path / "other/preprocessor_config.json").read_text())
        (tmp_path / "other/preprocessor_config.json").write_text(json.dumps(config | {"image_mean": [0.4, 0.4, 0.4]}))
        assert EncoderJudge.of(tmp_path / "other").identity != encoder.identity
        reference, method = find(told[0]), find(told[1])
        truths = known(reference)
        classifier = ClassifierJudge.of(self.weights(tmp_path / "c.safetensors", ["momo", "ann"]), truths, "truth")
        judges = [encoder, classifier]
        found = compare([reference, method], reference, {"means": Means()}, tmp_path / "cache", judges=judges, known=truths)
        assert found.judges == {"clip": encoder.identity, "classifier": classifier.identity}
        perfect, ours = (row.judged for row in found.methods)
        of_classifier = ["character F1", "precision", "recall", "frame accuracy"]
        assert list(perfect) == ["clip to truth", "clip self", *of_classifier]
        assert perfect["clip to truth"].value == pytest.approx(1, abs=1e-5)
        assert ours["clip to truth"].value < 0.9999
        seen = classify(classifier.body, [opened(path) for path in method.frames])
        stories = [seen[first : first + 4] for first in range(0, 16, 4)]
        truth = [[frame.characters for frame in story.frames] for story in truths]
        expected = {name: [*figure(truth, stories)] for name, figure in FIGURES.items()}
        assert {name: ours[name] for name in FIGURES} == {name: measure(some) for name, some in expected.items()}
        row = found.methods[1]
        assert row.by_attribute["character F1"] == by_attribute(expected["character F1"])
        assert set(row.by_attribute) == {"clip self", "character F1", "precision", "recall"}
        assert row.by_story["frame accuracy"].keys() == method.stories.keys()
        assert np.mean([*row.by_story["frame accuracy"].values()]) == pytest.approx(ours["frame accuracy"].value)
        assert "clip to truth" in table(found)
        text = page(found.to_dict(), [reference, method], reference)
        assert "frame accuracy" in text
        assert "character F1, each by itself" in text

    def test_a_figure_without_an_interval_is_drawn_inside_its_scale(self) -> None:
        """A kernel distance may be negative, and of few stories it has no interval: its mark lay far outside."""
        cells = column("KID", [(-0.5, nan, nan), (-0.1, nan, nan), (nan, nan, nan)], min, 2).cells
        assert [cell and (cell.value, cell.low, cell.places) for cell in cells] == [
            ("-0.50", "–", (0, 0, 0)),
            ("-0.10", "–", (80, 80, 80)),
            None,
        ]
        assert [cell.best for cell in cells if cell] == [True, False]

    def test_captions_and_reference_pictures_are_compared_with(self, told: list[Path], tmp_path: Path) -> None:
        for who, seed in (("momo", 900), ("ann", 901), ("nobody", 902)):
            (tmp_path / "cast" / who).mkdir(parents=True)
            picture(seed).save(tmp_path / "cast" / who / "1.png")
        reference, method = find(told[0]), aligned(find(told[1]), find(told[0]))
        truths = known(reference)
        encoder = EncoderJudge.of(write_clip(tmp_path / "clip"), truths, find(tmp_path / "cast"))
        found = compare([method], reference, {"means": Means()}, tmp_path / "cache", judges=[encoder], known=truths)
        pictures = [[opened(path) for path in frames] for frames in method.stories.values()]
        expected = judged(encoder, truths, pictures)
        for name in ("clip to captions", "clip cross"):
            measured, same = found.methods[0].judged[name], expected[name]
            assert (measured.value, measured.count) == (pytest.approx(same.value, abs=1e-6), same.count)
        assert set(found.methods[0].by_attribute["clip cross"]) == {"momo", "ann"}

    def test_given_frames_are_not_judged(self, told: list[Path], tmp_path: Path) -> None:
        """They are compared with, as where a model learns: a character is to stay as it was given."""
        reference, encoder = find(told[0]), EncoderJudge.of(write_clip(tmp_path / "clip"))
        truths, drawn = known(reference), aligned(find(told[1]), reference, given=1)
        judges = [encoder, ClassifierJudge.of(self.weights(tmp_path / "c.safetensors", ["momo", "ann"]), truths, "truth")]
        found = compare([drawn], reference, {"means": Means()}, tmp_path / "cache", 1, judges=judges, known=truths)
        assert found.methods[0].judged["frame accuracy"].count == 4 * 3
        assert (found.reference.pictures, found.methods[0].pictures) == (12, 12)
        pictures = [
            [opened(path) for path in (true[0], *own)]
            for true, own in zip(reference.stories.values(), drawn.stories.values(), strict=True)
        ]
        expected = judged(encoder, truths, pictures, given=1)["clip self"]
        assert found.methods[0].judged["clip self"].value == pytest.approx(expected.value, abs=1e-6)
        assert found.methods[0].judged["clip self"].count == expected.count == 8  # momo and ann of each story

    def test_encoders_of_one_name_are_refused(self, told: list[Path], tmp_path: Path) -> None:
        reference, encoder = find(told[0]), EncoderJudge.of(write_clip(tmp_path / "clip"))
        with pytest.raises(ConfigError, match="two judges are called clip; expected different names, rename"):
            compare([reference], reference, {"means": Means()}, tmp_path / "cache", judges=[encoder] * 2, known=known(reference))
        (tmp_path / "link").symlink_to(tmp_path / "clip")
        assert EncoderJudge.of(tmp_path / "link").name == "link"

    def test_who_cannot_be_judged_is_said_before_anything_is_looked_at(
        self, told: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        strange = self.weights(tmp_path / "c.safetensors", ["fred"])
        options = ["--network", "reader", "--classifier", str(strange), "--cache", str(tmp_path / "cache")]
        for reference, said in ((told[0], "truth: shows 'ann'"), (stories(tmp_path / "nobody", 2), "nobody: no frame says")):
            assert main(["evaluate", "pictures", str(reference), "--reference", str(reference), *options]) == 2
            assert said in capsys.readouterr().err
        names = ["--classifier-names", "ann", "momo", "--classifier-scaling", "imagenet"]
        assert main(["evaluate", "pictures", str(told[0]), "--reference", str(told[0]), *options, *names]) == 2
        assert "says itself that it knows fred; expected no other names" in capsys.readouterr().err
        assert not (tmp_path / "cache").exists()

    def test_a_story_that_says_nothing_is_not_taken_for_an_empty_one(
        self, told: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody was to be in it."""
        for name in ("story.json", "strip.png"):
            (told[0] / "00001-s" / name).unlink()
        classifier = self.weights(tmp_path / "c.safetensors", ["ann", "momo"])
        options = ["--network", "reader", "--classifier", str(classifier), "--cache", str(tmp_path / "cache")]
        assert main(["evaluate", "pictures", str(told[1]), "--reference", str(told[0]), *options]) == 2
        assert "00001-s: has no story.json, as other stories have (1 such)" in capsys.readouterr().err

    def test_a_scaling_that_the_file_denies(self, tmp_path: Path) -> None:
        """It was passed over in silence."""
        path = self.weights(tmp_path / "c.safetensors", ["ann"])
        assert CharacterClassifier.from_file(path, (), "unit").scaling == CharacterClassifier.from_file(path).scaling == "unit"
        with pytest.raises(ModelError, match="says itself that its scaling is unit; expected no other, leave it out"):
            CharacterClassifier.from_file(path, (), "imagenet")

    def test_a_story_json_of_another_story(self, told: list[Path]) -> None:
        (told[0] / "00000-s" / "story.json").write_text('{"frames": [{"caption": "a"}]}')
        with pytest.raises(DatasetError, match="tells of 1 frames where 4 pictures lie"):
            known(find(told[0]))


@pytest.fixture(scope="module")
def toons(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three stories of ToonSV, and the same with their pictures in another order."""
    folder = tmp_path_factory.mktemp("toons")
    for told in toonsv("test", 3, 3, 128):
        pictures = [frame.picture for frame in told.frames]
        mixed = [replace(one, picture=other) for one, other in zip(told.frames, pictures[1:] + pictures[:1], strict=True)]
        write_known(told, folder / "truth" / told.id)
        write_known(replace(told, frames=tuple(mixed)), folder / "mixed" / told.id)
    return [folder / "truth", folder / "mixed"]


class TestReaderJudge:
    @pytest.mark.parametrize("given", [0, 1])
    def test_it_counts_as_the_evaluation_of_toonsv_does(self, toons: list[Path], tmp_path: Path, given: int) -> None:
        reference, judge = find(toons[0]), ReaderJudge.embedded()
        methods = [aligned(find(one), reference, given) for one in toons]
        methods = [method.after(given) for method in methods] if len(methods[0].frames) == len(reference.frames) else methods
        found = compare(methods, reference, {"means": Means()}, tmp_path / "cache", given, judges=[judge], known=known(reference))
        truths = list(toonsv("test", 3, 3, 128))
        for row, folder in zip(found.methods, toons, strict=True):
            pictures = [[opened(path) for path in frames] for frames in find(folder).stories.values()]
            if given:  # what is given is the truth
                pictures = [[true.frames[0].picture, *own[1:]] for true, own in zip(truths, pictures, strict=True)]
            expected = score(pictures, truths, judge.body, given).metrics  # type: ignore[arg-type]
            assert list(row.judged.values()) == list(expected.values())
        perfect, mixed = (row.judged["reader's relevance"].value for row in found.methods)
        assert perfect > 0.95 > mixed

    def test_it_needs_a_truth_for_every_story(self, toons: list[Path], sets: list[Path], tmp_path: Path) -> None:
        assert tells_facts(known(find(toons[0])))
        assert not tells_facts(known(find(sets[0])))
        copy = Path(shutil.copytree(toons[0], tmp_path / "copy"))
        path = copy / "test-000000" / "truth.json"
        away = path.rename(copy / "truth.json")
        with pytest.raises(DatasetError, match=r"test-000000: has no truth.json, as other stories have \(1 such\)"):
            tells_facts(known(find(copy)))
        away.rename(path)
        path.write_text('[[["zuzi", "present", "yes", "rumour"]], [], []]')
        with pytest.raises(ScriptError, match=r"truth.json: holds no facts .*write the stories again"):
            known(find(copy))

    def test_the_command_takes_it_where_it_can(self, toons: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = ["--network", "reader", "--cache", str(tmp_path / "cache"), "--page", str(tmp_path / "r.html")]
        assert main(["evaluate", "pictures", str(toons[1]), "--reference", str(toons[0]), *options]) == 0
        assert "reader's consistency" in capsys.readouterr().out
        assert "reader&#39;s consistency" in (tmp_path / "r.html").read_text()


class TestPage:
    def test_it_needs_nothing_else(self, sets: list[Path], tmp_path: Path) -> None:
        reference = find(sets[0])
        method = aligned(find(sets[1], "<ours> & co"), reference)
        found = compare([method], reference, {"means": Means()}, tmp_path / "cache")
        text = page(found.to_dict(), [method], reference)
        assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|<script", text)
        assert "&lt;ours&gt; &amp; co" in text
        assert "<ours>" not in text
        assert text.count("data:image/webp;base64,") == 2 * 4  # two stories at each end, with their truth
        fid = found.methods[0].measured["means"].fid
        assert f"<b>{fid.value:.2f}</b><span>[{fid.low:.2f}, {fid.high:.2f}]" in text
        assert all(task.name in text for task in PUBLISHED)

    def test_what_could_not_be_measured_is_a_dash(self, tmp_path: Path) -> None:
        one, two = (find(stories(tmp_path / name, count=1, first=first)) for name, first in (("one", 0), ("two", 50)))
        found = compare([two], one, {"means": Means()}, tmp_path / "cache")  # one story has no KID
        text = page(found.to_dict(), [two], one)
        assert '<td class="figure">–</td>' in text
        assert "<b>nan" not in text

    def test_published_figures_are_marked(self) -> None:
        tasks = {task.name: task for task in PUBLISHED}
        here, pororo = {"paper": f"weights {WELL_KNOWN}", "clean": f"weights {WELL_KNOWN}"}, tasks["PororoSV continuation"]
        always = [
            "another data set, unless truth is PororoSV",
            "reference frames chosen at random there, given by you here",
        ]

        def found(task: Task, protocols: dict[str, str], given: int = 1, count: int = 8832) -> list[str]:
            tags = differences(task, protocols, "truth", given, {count}, WELL_KNOWN)
            return [tag for tag in tags if tag not in always]

        assert differences(pororo, here, "truth", 1, {8832}, WELL_KNOWN) == always
        assert found(pororo, {"paper": "weights of mine"}, count=24) == ["other weights", "8,832 pictures there, 24 here"]
        assert found(pororo, {"reader": "reader of ToonSV"}) == ["another network"]
        assert found(pororo, here, given=0) == ["given pictures: 1 there, 0 here"]
        assert found(tasks["PororoSV, captions with pronouns"], here) == ["another chain"]


class TestCommand:
    def test_with_the_reader(self, sets: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = ["--network", "reader", "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "r.json")]
        options += ["--page", str(tmp_path / "r.html"), "--tree", str(tmp_path / "tree")]
        assert main(["evaluate", "pictures", str(sets[1]), str(sets[2]), "--reference", str(sets[0]), *options]) == 0
        shown = capsys.readouterr().out
        assert "FID reader" in shown
        assert "compare with nobody else's" in shown
        report = json.loads((tmp_path / "r.json").read_text())
        assert [one["name"] for one in report["methods"]] == ["one", "two"]
        assert report["schema"] == 5
        assert report["options"]["methods"] == [str(sets[1]), str(sets[2])]
        assert report["options"]["reference"] == str(sets[0])
        assert {"scipy", "transformers"} < report["versions"].keys()
        assert "2000 resamples, seed 0" in report["intervals"]["judged"]
        assert set(report["methods"][0]["measured"]["reader"]) == {"fid", "kid", "pulls"}
        assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
        assert len(find(tmp_path / "tree" / "one").frames) == 24

    def test_methods_of_one_name_have_a_tree_each(self, sets: list[Path], tmp_path: Path) -> None:
        for number, folder in enumerate(("a/ours", "b/ours", "c/ours-2"), 1):
            shutil.copytree(sets[(number + 1) // 2], tmp_path / folder)
        options = ["--network", "reader", "--cache", str(tmp_path / "cache"), "--given", "1", "--tree", str(tmp_path / "tree")]
        methods = [str(tmp_path / folder) for folder in ("a/ours", "b/ours", "c/ours-2")]
        assert main(["evaluate", "pictures", *methods, "--reference", str(sets[0]), *options]) == 0
        assert {one.name for one in (tmp_path / "tree").iterdir()} == {"ours", "ours-2", "ours-2-2"}
        assert len(find(tmp_path / "tree" / "ours-2").frames) == 24  # given ones are shots, too
        assert not (tmp_path / "a" / "ours" / "base").exists()

    def test_weights_are_named_by_their_hash(self, tmp_path: Path) -> None:
        save_file(FIDInception().state_dict(), tmp_path / "weights.safetensors")
        networks = inception(tmp_path / "weights.safetensors")
        assert list(networks) == ["paper", "clean"]
        assert all(checksum(tmp_path / "weights.safetensors") in one.identity for one in networks.values())
        assert {one.width for one in networks.values()} == {2048}

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["ours"], "--weights: not given; expected pt_inception-2015-12-05-6726825d.pth"),
            (["ours", "--weights", "other.safetensors"], "other.safetensors: "),
            (["ours", "--network", "reader", "--given", "-1"], "--given: got -1"),
            (["ours", "--network", "reader", "--given", "2"], "no more than the 2 given pictures"),
            (["ours", "--network", "reader", "--json", "."], "--json: . cannot be written (is a folder)"),
            (["empty", "--network", "reader"], "empty: holds no pictures"),
            (["ours", "--network", "reader", "--characters", "ours"], "--characters: given without --encoder"),
            (
                ["ours", "--network", "reader", "--characters", "ours", "--encoder", "x"],
                "--characters: ours holds 000, who is in no",
            ),
            (["ours", "--network", "reader", "--classifier-names", "a"], "--classifier-names: given without --classifier"),
            (["ours", "--network", "reader", "--classifier-scaling", "unit"], "--classifier-scaling: given without --classifier"),
            (["nowhere", "--network", "reader"], "nowhere: is no folder"),
            (["fewer", "--network", "reader"], "fewer: lacks 1 story (002)"),
            (["single", "--network", "reader", "--unpaired"], "1 picture to compare; expected 2 or more"),
            (
                ["whole", "--network", "reader", "--weights", "own.pth"],
                "--weights: got own.pth with --network reader, which has its own",
            ),
            (["half", "--network", "reader"], "0.png: cannot be decoded"),
            (["--network", "reader"], "no methods; expected"),
        ],
    )
    def test_what_cannot_be_compared(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name, count in (("ours", 3), ("truth", 3), ("fewer", 2), ("half", 3)):
            stories(Path(name), count)
        half = Path("half/000/0.png")
        half.write_bytes(half.read_bytes()[:90])
        Path("empty").mkdir()
        Path("single").mkdir()
        picture(1).save("single/a.png")
        save_file({"conv.weight": FIDInception(thin=8).fc.weight}, "other.safetensors")
        assert main(["evaluate", "pictures", *options, "--reference", "truth", "--cache", "cache"]) == 2
        lines = [line.rpartition("\r")[2] for line in capsys.readouterr().err.split("\n")]
        (line,) = [line for line in lines if line.strip()]
        assert line.startswith("arldm: ")
        assert said in line
