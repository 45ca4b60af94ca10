"""``mlops quality``: how good predictions were, once the truth is known."""
