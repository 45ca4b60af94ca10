"""``/docs``: a page with a form that scores a row, made from the model's contract."""
