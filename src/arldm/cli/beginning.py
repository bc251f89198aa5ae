"""`arldm init`."""

from typing import TYPE_CHECKING

from arldm.model.growth import GROWTHS
from arldm.model.published import from_published
from arldm.train.memory import sizes

if TYPE_CHECKING:
    from arldm.cli.laboratory import Init


def init_paper(options: "Init") -> int:
    """Make the full-size model and say how large it is."""
    growth = GROWTHS[options.corpus]
    model = from_published(options.sd, options.blip, growth, options.seed)
    model.save_pretrained(options.out)
    for name, count in sizes(model).items():
        print(f"{name:16} {count / 1e6:8.1f} M")
    print(f"names: {', '.join(growth.names) or 'none'}; captions of up to {growth.max_tokens} tokens")
    print(options.out)
    return 0
