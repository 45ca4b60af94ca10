"""Azure's side of an online endpoint, on this machine: what azure-ai-ml and other clients talk
to."""
