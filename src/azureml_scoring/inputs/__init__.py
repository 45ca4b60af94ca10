"""What a request may hold: the model's contract and the forms of a body."""
