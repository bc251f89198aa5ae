"""A new character: a few pictures become a pack."""
