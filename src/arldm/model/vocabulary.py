"""Tokenizers for a corpus of captions: CLIP's byte-level BPE and BERT's WordPiece; the same captions give the same ids.

The trainers of the `tokenizers` library follow the order of a hash map and give other ids in every process. So the merges are
learned here, and all else (splitting, encoding, saving, loading) is left to the ordinary transformers tokenizers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from tokenizers import Tokenizer, pre_tokenizers
from transformers import BertTokenizer, CLIPTokenizer

Word = tuple[str, ...]

BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]")  # [DEC] and [ENC] are BLIP's
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SEEN_AT_LEAST = 2  # a pair seen once is a misspelling or a name that never returns


def train_clip_tokenizer(captions: Iterable[str], vocabulary: int) -> CLIPTokenizer:
    """A tokenizer in CLIP's format with at most `vocabulary` tokens; every text can be encoded, for all bytes are in it."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = letters + [letter + "</w>" for letter in letters]
    words = _words(CLIPTokenizer(), captions)
    split: Counter[Word] = Counter({(*word[:-1], word[-1] + "</w>"): count for word, count in words.items()})
    merges = learn_merges(split, vocabulary - len(tokens) - 2, lambda left, right: left + right)
    tokens += dict.fromkeys(left + right for left, right in merges)
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: index for index, token in enumerate(tokens)}, merges=merges)  # type: ignore[arg-type]


def train_bert_tokenizer(captions: Iterable[str], vocabulary: int) -> BertTokenizer:
    """A tokenizer in BERT's format, with BLIP's [ENC] and [DEC], of at most `vocabulary` tokens."""
    words = _words(BertTokenizer(), captions)
    letters = sorted({letter for word in words for letter in word} | set(LETTERS))
    tokens = [*BERT_SPECIAL, *letters, *("##" + letter for letter in letters)]
    split: Counter[Word] = Counter({(word[0], *("##" + letter for letter in word[1:])): count for word, count in words.items()})
    merges = learn_merges(split, vocabulary - len(tokens), _join_pieces)
    tokens += dict.fromkeys(_join_pieces(left, right) for left, right in merges)
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return BertTokenizer(vocab=vocab, bos_token="[DEC]", additional_special_tokens=["[ENC]"])


def learn_merges(words: Counter[Word], limit: int, join: Callable[[str, str], str]) -> list[tuple[str, str]]:
    """The pairs of symbols to join, most frequent first, ties in the order of the alphabet; at most `limit` of them."""
    pieces = [list(word) for word in words]
    counts = list(words.values())
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[int]] = defaultdict(set)

    def count(index: int, sign: int) -> None:
        for pair in zip(pieces[index], pieces[index][1:], strict=False):
            pairs[pair] += sign * counts[index]
            where[pair].add(index)

    for index in range(len(pieces)):
        count(index, 1)
    merges: list[tuple[str, str]] = []
    while pairs and len(merges) < limit:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < SEEN_AT_LEAST:
            break
        merges.append(best)
        for index in where.pop(best):
            count(index, -1)
            pieces[index] = _merged(pieces[index], best, join)
            count(index, 1)
        del pairs[best]
    return merges


def _merged(pieces: list[str], pair: tuple[str, str], join: Callable[[str, str], str]) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] = join(*pair)
        else:
            merged.append(piece)
    return merged


def _join_pieces(left: str, right: str) -> str:
    return left + right.removeprefix("##")


def _words(tokenizer: CLIPTokenizer | BertTokenizer, captions: Iterable[str]) -> Counter[str]:
    """The words of the captions as this tokenizer splits them, with how often each occurs."""
    backend: Tokenizer = tokenizer.backend_tokenizer
    words: Counter[str] = Counter()
    for caption in captions:
        normal = backend.normalizer.normalize_str(caption)
        words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal))
    return Counter({word: words[word] for word in sorted(words)})
