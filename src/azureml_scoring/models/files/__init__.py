"""A model's folder: its files, its manifest, and what may be wrong with them."""
