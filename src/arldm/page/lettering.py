"""Setting text: how wide words are in the comic font, where lines break, and the largest size that fits."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unicodedata import category, normalize

from fontTools.ttLib import TTFont
from PIL import ImageFont

FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = FONTS / "ComicNeue-Regular.ttf", FONTS / "ComicNeue-Bold.ttf"
LEADING = 1.22  # line height, in sizes
MEASURED_AT = 200  # pixels; large, so that rounding does not matter


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text of one size, to be centred one under the other."""

    lines: tuple[str, ...]
    size: float  # units
    bold: bool = False

    @property
    def height(self) -> float:
        """Of all lines."""
        return len(self.lines) * self.size * LEADING

    @property
    def width(self) -> float:
        """Of the longest line."""
        return max((width(line, self.size, self.bold) for line in self.lines), default=0.0)


@lru_cache(maxsize=2)
def _letters(bold: bool) -> frozenset[str]:
    with TTFont(BOLD if bold else REGULAR) as font:
        return frozenset(map(chr, font.getBestCmap() or ()))


def seen(text: str) -> str:
    """What of a text is to be seen: soft hyphens and the like, which come along with what is pasted, are not, and some printers set
    or count them. Accents stand on their letters: macOS writes é as two, of which the font has the first."""
    return "".join(letter for letter in normalize("NFC", text) if category(letter) != "Cf")


def missing(text: str, bold: bool = False) -> str:
    """The letters of a text that the font does not have, each once."""
    return "".join(letter for letter in dict.fromkeys(seen(text)) if not letter.isspace() and letter not in _letters(bold))


@lru_cache(maxsize=2)
def _measuring(bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(BOLD if bold else REGULAR), MEASURED_AT)


@lru_cache(maxsize=4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line is at a size."""
    return _measuring(bold).getlength(text) * size / MEASURED_AT


def wrapped(text: str, size: float, room: float, bold: bool = False) -> tuple[str, ...]:
    """Text broken into lines no wider than `room`; a word that is wider by itself is broken too."""
    lines: list[str] = []
    line = ""
    for piece in (piece for word in text.split() for piece in _pieces(word, size, room, bold)):
        longer = f"{line} {piece}".strip()
        if line and width(longer, size, bold) > room:
            lines.append(line)
            line = piece
        else:
            line = longer
    return tuple([*lines, line] if line else lines)


def _pieces(word: str, size: float, room: float, bold: bool) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and width(pieces[-1] + letter, size, bold) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def balanced(text: str, size: float, room: float, bold: bool = False) -> tuple[str, ...]:
    """Text in as few lines as fit, and these as equal in length as can be: no word is left alone on the last."""
    best = wrapped(text, size, room, bold)
    widest = max((width(word, size, bold) for word in text.split()), default=room)  # narrower, a word would be broken for nothing
    while (room := room * 0.95) >= widest > 0 and len(narrower := wrapped(text, size, room, bold)) == len(best):
        best = narrower
    return best


def fitted(text: str, room: tuple[float, float], largest: float, smallest: float = 9.0, bold: bool = False) -> Block:
    """The text at the largest size at which it fits into (width, height); at the smallest, it keeps what lines it needs."""
    text, size = seen(text), largest
    while True:
        block = Block(balanced(text, size, room[0], bold), size, bold)
        if block.height <= room[1] or size <= smallest:
            return block
        size = max(smallest, size * 0.94)
