"""Story to comic page. No torch."""

from arldm.page.export import render

__all__ = ["render"]
