"""Decides who is computed now, who waits, and who is refused at once."""
