import pytest

from mlops import failure


@pytest.mark.parametrize(
    ("command", "extra"),
    [("load", "load"), ("slo", "load"), ("rehearse", "deploy"), ("rollout", "deploy")],
)
def test_a_missing_package_is_installed_by_the_commands_own_extra(command: str, extra: str):
    """After the printed command the package is there."""
    text = failure.sentence(ModuleNotFoundError(name="psutil"), command)
    assert text.startswith("This needs psutil; run `")
    assert f"[{extra}]" in text
