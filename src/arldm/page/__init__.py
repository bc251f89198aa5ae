"""Story to comic page. No torch."""

from arldm.page.export import left_over, render

__all__ = ["left_over", "render"]
