"""The two pipelines, read step by step and run on this machine against a stand-in for Azure."""
