"""What is needed to check ``infrastructure/`` without Azure and without the registry of
providers."""
