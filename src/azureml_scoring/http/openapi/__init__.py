"""The OpenAPI document of the service, made from the model's contract: ``/swagger.json``."""
