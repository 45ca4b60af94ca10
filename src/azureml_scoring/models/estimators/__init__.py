"""What scikit-learn's estimators, and those like them, tell about their input."""
