"""A login lasts as long as a rollout: azure-identity's own credentials, and stand-ins for Entra ID,
GitHub's runner and the Azure CLI whose assertions expire."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from arm.https import serving
from arm.proxy import proxy
from arm.sign_in import ASSERTION_LIFE_S, CLIENT, ENTRA, GITHUB, RUNNER, TENANT, SignIn
from mlops.rollout.azure_sign_in import IDENTITY, SCOPES, sign_in

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")

AZ = """#!/bin/sh
# Its login has expired once the file says so; tokens that it holds it still gives.
for resource; do :; done
case "$*" in *--scope*|*--resource*) ;; *) exit 2 ;; esac
held="$(dirname "$0")/$(echo "$resource" | tr -c 'a-z\\n' _)"
if [ -e "$(dirname "$0")/expired" ] && [ ! -e "$held" ]; then
  echo "ERROR: AADSTS700024: Client assertion is not within its valid time range." >&2
  exit 1
fi
touch "$held"
printf '{"accessToken": "token", "expires_on": 4000000000}\\n'
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignIn]:
    """Both behind their own names, in the environment of a job on GitHub."""
    authority = trustme.CA()
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    assert ssl.create_default_context(cafile=str(certificates))
    names = zip(IDENTITY, (TENANT, CLIENT), strict=True)
    standin = SignIn()
    with (
        serving(standin, authority, ENTRA, GITHUB) as server,
        proxy(server.port) as address,
    ):
        given = {"HTTPS_PROXY": address, "REQUESTS_CA_BUNDLE": str(certificates)}
        for name, value in {**given, **dict(names), **RUNNER}.items():
            monkeypatch.setenv(name, value)
        yield standin


def test_a_token_comes_after_the_first_assertion_has_expired(there: SignIn):
    """Hours later too: each token is asked for with a new assertion of GitHub's."""
    credential = sign_in()
    for _ in range(3):
        there.now += 2 * ASSERTION_LIFE_S
        for scope in SCOPES:
            assert credential.get_token(scope).token == f"entra-token for {scope}"


def test_a_login_with_one_assertion_would_expire(there: SignIn):
    """The stand-in refuses what Entra ID refuses."""
    credential = ClientAssertionCredential(TENANT, CLIENT, lambda: "assertion made at 0")
    credential.get_token(SCOPES[0])
    there.now += ASSERTION_LIFE_S
    with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        credential.get_token(SCOPES[0])


def test_all_tokens_are_asked_for_at_the_start(there: SignIn):
    """Those for the endpoint and its log too, though they are needed only after the deployment."""
    sign_in()
    assert tuple(there.scopes) == SCOPES


def test_a_fault_of_githubs_is_waited_out(there: SignIn):
    """The runner's service is asked again."""
    there.busy = 2
    assert sign_in().get_token(SCOPES[0]).token
    assert there.busy == 0


def test_the_cli_holds_each_token_before_its_login_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Away from GitHub the CLI's tokens, asked for at the start, outlast its assertion."""
    cli = tmp_path / "az"
    cli.write_text(AZ)
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    for name in RUNNER:
        monkeypatch.delenv(name, raising=False)
    credential = sign_in()
    (tmp_path / "expired").touch()
    for scope in SCOPES:
        assert credential.get_token(scope).token == "token"
    with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        credential.get_token("https://graph.microsoft.com/.default")
