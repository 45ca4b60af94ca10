"""Entra ID, and GitHub's runner that says who a job is, as far as a federated login asks them."""

from __future__ import annotations

from urllib.parse import parse_qs

from arm.https import Reply, Request

TENANT = "00000000-0000-0000-0000-00000000000b"
CLIENT = "00000000-0000-0000-0000-00000000000c"
ENTRA, GITHUB = "login.microsoftonline.com", "pipelines.actions.githubusercontent.com"
RUNNER = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{GITHUB}/a/idtoken/b?api-version=2.0",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of this job",
}
"""What GitHub sets for a job that may ask who it is."""

ASSERTION_LIFE_S = 300
TOKEN_LIFE_S = 0
"""So short that the client keeps none: it asks anew each time."""


class SignIn:
    """Gives a token for an assertion that GitHub made less than five minutes ago. ``now``: the
    clock, in seconds. ``scopes``: for which it gave tokens, in order. ``busy``: how many requests
    GitHub refuses first."""

    def __init__(self) -> None:
        self.now = self.busy = 0
        self.scopes: list[str] = []

    def __call__(self, request: Request) -> Reply:
        if request.headers["host"].startswith(GITHUB):
            return self._assertion(request)
        if request.path.endswith("/openid-configuration"):
            endpoint = f"https://{ENTRA}/{TENANT}"
            return Reply(
                200,
                {
                    "issuer": f"{endpoint}/v2.0",
                    "authorization_endpoint": f"{endpoint}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{endpoint}/oauth2/v2.0/token",
                },
            )
        return self._token(
            {name: one for name, (one, *_) in parse_qs(request.body.decode()).items()}
        )

    def _assertion(self, request: Request) -> Reply:
        if self.busy:
            self.busy -= 1
            return Reply(503)
        assert request.headers["authorization"] == "Bearer of this job"
        assert request.query == {"api-version": "2.0", "audience": "api://AzureADTokenExchange"}
        return Reply(200, {"value": f"assertion made at {self.now}"})

    def _token(self, form: dict[str, str]) -> Reply:
        assert form["client_id"] == CLIENT
        made = int(form["client_assertion"].rpartition(" ")[2])
        if self.now - made >= ASSERTION_LIFE_S:
            sentence = "AADSTS700024: Client assertion is not within its valid time range."
            return Reply(401, {"error": "invalid_client", "error_description": sentence})
        (scope,) = (one for one in form["scope"].split() if one.startswith("https://"))
        self.scopes.append(scope)
        token = {"token_type": "Bearer", "expires_in": TOKEN_LIFE_S}
        return Reply(200, {**token, "access_token": f"entra-token for {scope}"})
