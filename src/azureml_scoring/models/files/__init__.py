"""A model folder: its files, its manifest, and what may be wrong with them."""
