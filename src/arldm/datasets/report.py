"""What an import found: the stories that can be told, and what was missing, broken, repeated, over-long or leaking."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from arldm.datasets.corpus import Corpus, Outline
from arldm.datasets.shards import MISSING, Shard

#: how CLIP's tokenizer parts a text before it knows any word: letters together, each digit alone, marks together
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def make_report(corpus: Corpus, shards: Sequence[Shard]) -> tuple[dict[str, Any], dict[str, tuple[Outline, ...]]]:
    """The report, and the stories of each split that have all their pictures."""
    digests = {id: digest for shard in shards for id, digest in shard.clips.items()}
    unread = {id: reason for shard in shards for id, reason in shard.unread.items()}
    stories, duplicated, incomplete = {}, [], corpus.incomplete
    for split, outlines in corpus.stories.items():
        distinct = {outline.id: outline for outline in reversed(outlines)}
        duplicated += [f"story {split}/{outline.id}" for outline in outlines if distinct[outline.id] is not outline]
        whole = tuple(one for one in outlines if distinct[one.id] is one and all(clip in digests for clip in one.clips))
        incomplete += len(distinct) - len(whole)
        stories[split] = whole
    counts = {split: len(outlines) for split, outlines in stories.items()}
    report = {
        "corpus": corpus.name,
        "stories": counts,
        "official": corpus.official,
        "as_official": counts == corpus.official if corpus.official else None,
        "clips": len(digests),
        "stills": sum(shard.stills for shard in shards),
        "incomplete": incomplete,
        "missing": [*corpus.missing, *(id for id, reason in unread.items() if reason == MISSING)],
        "broken": [*corpus.broken, *(f"{id}: {reason}" for id, reason in unread.items() if reason != MISSING)],
        "duplicated": [*duplicated, *_repeated(digests)],
        "too_long": _too_long(corpus, stories),
        "empty_captions": sorted({f"{clip} ({kind})" for clip, kind, caption in _captions(stories) if not caption}),
        "leaks": _leaks(corpus, stories, digests),
    }
    return report, stories


def _repeated(digests: dict[str, str]) -> list[str]:
    first: dict[str, str] = {}
    return [f"{id} = {first[digest]}" for id, digest in digests.items() if first.setdefault(digest, id) != id]


def _too_long(corpus: Corpus, stories: dict[str, tuple[Outline, ...]]) -> list[str]:
    found = {
        f"{clip} ({kind}): {tokens(caption)} tokens or more of {corpus.longest[kind]}"
        for clip, kind, caption in _captions(stories)
        if tokens(caption) > corpus.longest[kind]
    }
    return sorted(found)


def _captions(stories: dict[str, tuple[Outline, ...]]) -> Iterator[tuple[str, str, str]]:
    """Every caption, with its clip and of which kind it is."""
    for outlines in stories.values():
        for outline in outlines:
            for kind, captions in outline.captions.items():
                yield from ((clip, kind, caption) for clip, caption in zip(outline.clips, captions, strict=True))


def tokens(caption: str) -> int:
    """The least number of CLIP tokens that a caption can have, its beginning and end counted; rare words are parted further."""
    return len(PIECES.findall(caption.lower())) + 2


def _leaks(corpus: Corpus, stories: dict[str, tuple[Outline, ...]], digests: dict[str, str]) -> list[dict[str, Any]]:
    """Test stories that share pictures or episodes with training."""
    episodes = {clip.id: clip.episode for clip in corpus.clips}
    trained = {clip for outline in stories.get("train", ()) for clip in outline.clips}
    pictures = {digests[clip] for clip in trained}
    places = {episodes[clip] for clip in trained} - {""}
    found = []
    for outline in stories.get("test", ()):
        clips = [clip for clip in outline.clips if digests[clip] in pictures]
        shared = sorted({episodes[clip] for clip in outline.clips} & places)
        if clips or shared:
            found.append({"story": outline.id, "clips": clips, "episodes": shared})
    return found
