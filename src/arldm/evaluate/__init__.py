"""Stories to numbers; nothing here knows which model drew them."""
