"""Reads from estimators of scikit-learn and boosters what input they take, and calls them."""
