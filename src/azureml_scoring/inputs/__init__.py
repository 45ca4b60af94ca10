"""The input of a request: the model's contract and the forms of a body."""
