"""`arldm evaluate pictures`, and `arldm evaluate truth`, which makes its reference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import localtime, strftime
from typing import TYPE_CHECKING

from tqdm import tqdm

from arldm.cli.preparing import check_installed
from arldm.config import to_dict
from arldm.errors import ConfigError
from arldm.evaluate.classifier import check_of_classifier
from arldm.evaluate.comparison import compare, table
from arldm.evaluate.judged import ClassifierJudge, EncoderJudge, Judge, ReaderJudge, check_told, known, tells_facts
from arldm.evaluate.networks import FILE, WELL_KNOWN, inception, reader
from arldm.evaluate.pictures import Pictures, aligned, called, find, write_vistorybench
from arldm.evaluate.report import write
from arldm.evaluate.webpage import page
from arldm.story import Story
from arldm.truth_files import write_known
from arldm.writing import check_writable, put_text

if TYPE_CHECKING:
    from arldm.cli.evaluations import EvaluatePictures, WriteTruth


def evaluate_pictures(options: "EvaluatePictures") -> int:
    """Look at all pictures, print the table, write the report and the page."""
    _check(options)
    reference, methods = _sets(options)
    networks = reader() if options.network == "reader" else inception(_weights(options))
    truths = [] if options.unpaired else known(reference)
    found = compare(
        methods,
        reference,
        networks,
        options.cache.expanduser(),
        options.given,
        not options.unpaired,
        _judges(options, reference, truths),
        truths,
    )
    print(table(found))
    notes = [*_of_the_network(options, networks), *found.notes]
    for note in notes:
        print(f"note: {note}")
    told = to_dict(options)
    report = {**found.to_dict(), "notes": notes, "options": told}
    if options.json is not None:
        write(options.json, report)
    if options.page is not None:
        put_text(options.page, page(report, methods, reference.after(options.given)))
    if options.tree is not None:
        time = strftime("%Y%m%d-%H%M%S", localtime())
        for name, folder in _apart(options.methods).items():  # as they were found: given frames are shots, too
            print(write_vistorybench(find(folder, name), options.tree, "base", "en", time))
    return 0


def _apart(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by their own names, with a number where several have one."""
    found: dict[str, Path] = {}
    for folder in folders:
        names = (called(folder), *(f"{called(folder)}-{number}" for number in range(2, len(folders) + 1)))
        found[next(name for name in names if name not in found)] = folder
    return found


def _check(options: "EvaluatePictures") -> None:
    if not options.methods:
        raise ConfigError("arldm evaluate pictures: no methods; expected one folder of pictures or more")
    if options.given < 0:
        raise ConfigError(f"--given: got {options.given}; expected 0 or more pictures given at the start of each story")
    if options.characters and not options.encoder:
        raise ConfigError("--characters: given without --encoder; expected one or more that look at them")
    check_of_classifier(options)
    if options.network == "inception" and options.weights is None:
        raise ConfigError(f"--weights: not given; expected {FILE} of pytorch-fid, or --network reader")
    if options.network == "reader" and options.weights is not None:
        raise ConfigError(f"--weights: got {options.weights} with --network reader, which has its own; leave one of them out")
    for name, path in (("--json", options.json), ("--page", options.page)):
        if path is not None:  # better said now than after hours
            check_writable(path, name)


def _weights(options: "EvaluatePictures") -> Path:
    assert options.weights is not None
    return options.weights


def _judges(options: "EvaluatePictures", reference: Pictures, truths: Sequence[Story]) -> list[Judge]:
    """Those whom the user names; the reader, where it is asked and there is a truth to be read."""
    if options.unpaired and (options.classifier or options.encoder):
        raise ConfigError("--unpaired: frames of other stories cannot be judged; expected it without --classifier and --encoder")
    if options.classifier or options.encoder:
        check_told(reference)
    looks = _looks(options.characters, truths) if options.characters else None
    judges: list[Judge] = [EncoderJudge.of(folder, truths, looks) for folder in options.encoder]
    if options.classifier:
        names, scaling = options.classifier_names, options.classifier_scaling
        judges.append(ClassifierJudge.of(options.classifier, truths, called(options.reference), names, scaling))
    if options.network == "reader" and truths and tells_facts(truths):
        judges.append(ReaderJudge.embedded())
    return judges


def _looks(folder: Path, truths: Sequence[Story]) -> Pictures:
    """The reference pictures of characters, by their names as stories have them, of whom one at least is there."""
    found, cast = find(folder), {who for story in truths for frame in story.frames for who in frame.characters}
    looks = {who.lower(): pictures for who, pictures in found.stories.items()}
    if not cast & looks.keys():
        expected = f"a folder for each character ({', '.join(sorted(cast)) or 'whom story.json names'})"
        raise ConfigError(f"--characters: {folder} holds {next(iter(found.stories))}, who is in no story; expected {expected}")
    return replace(found, stories=looks)


def _sets(options: "EvaluatePictures") -> tuple[Pictures, list[Pictures]]:
    """The reference and the methods by their folders' names, or by whole paths where two folders have the same name."""
    alike = len({called(path) for path in options.methods}) < len(options.methods)
    methods = [find(path, str(path) if alike else "") for path in options.methods]
    reference = find(options.reference)
    if not options.unpaired:
        methods = [aligned(method, reference, options.given) for method in methods]
    elif options.given:
        methods = [method.after(options.given) for method in methods]
    return reference, methods


def _of_the_network(options: "EvaluatePictures", networks: object) -> list[str]:
    if options.network == "reader":
        return ["The features are those of ToonSV's reader: these figures compare with nobody else's."]
    assert isinstance(networks, dict)
    if next(iter(networks.values())).weights != WELL_KNOWN:
        return [f"The weights are not the file that the field uses ({FILE}): these figures compare with nobody else's."]
    return []


def write_truth(options: "WriteTruth") -> int:
    """Write the stories of an archive's split, numbered as `arldm sample` numbers them; the same command goes on."""
    check_installed()
    from arldm.datasets.archive import Archive

    split = Archive(options.dataset).stories(options.split, options.captions)
    if options.stories < 0 or not len(split):
        got = f"{options.dataset}: {len(split)} stories in its split {options.split}, --stories {options.stories}"
        raise ConfigError(f"{got}; expected one or more of them, 0 for all")
    for number, story in enumerate(tqdm(split.first(options.stories or len(split)), unit="story", leave=False)):
        write_known(story, options.out / f"{number:05}")
    print(options.out)
    return 0
