"""Story to comic page. No torch."""

from arldm.page.export import hard_to_read, left_over, render

__all__ = ["hard_to_read", "left_over", "render"]
