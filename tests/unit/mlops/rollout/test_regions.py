"""The file that names regions."""

from pathlib import Path

import pytest

from azureml_scoring.errors import StartupError
from mlops.rollout import regions
from mlops.rollout.targets import Workspace
from places import REPOSITORY
from regions_file import REGIONS


def test_regions_are_read_in_their_order(tmp_path: Path):
    """Each with its workspace and its weight."""
    (tmp_path / "regions.toml").write_text(REGIONS)
    read = regions.read(tmp_path / "regions.toml")
    assert [region.name for region in read.region] == ["westeurope", "swedencentral"]
    assert read.region[1].workspace == Workspace("s", "rg-prod2", "mlw-prod2", "log2")
    assert (read.front_door.profile, read.front_door.rollout_weight) == ("afd", 100)


def test_the_file_of_the_docs_can_be_used(tmp_path: Path):
    """Its weights are those that Terraform gives by default."""
    page = (REPOSITORY / "docs" / "regions.md").read_text()
    (tmp_path / "regions.toml").write_text(page.partition("```toml")[2].partition("```")[0])
    read = regions.read(tmp_path / "regions.toml")
    assert [region.weight for region in read.region] == [500, 500]
    assert read.front_door.rollout_weight / (500 + read.front_door.rollout_weight) < 0.1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[front_door]", "[front_door", "can't be read as TOML"),
        ("rollout_weight = 100", "rollout_weight = 0", "front_door.rollout_weight: "),
        ("rollout_weight = 100", "rollout_weight = 901", "less than rollout_weight"),
        ("weight = 900", 'weight = "900"', "region.0.weight: "),
        ("weight = 900", "", "region.0.weight: Field required"),
        ("weight = 900", "weight = 900\nhost = 1", "region.0.host: Extra inputs"),
        ('"swedencentral"', '"../west"', "region.1.name: "),
        ('"swedencentral"', '"WestEurope"', "names a region twice"),
        ('"swedencentral"', '""', "region.1.name: "),
        (
            '"rg-prod2"\nworkspace_name = "mlw-prod2"',
            '"rg-prod"\nworkspace_name = "mlw-prod"',
            "twice",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, message: str, tmp_path: Path):
    """Before Azure is asked."""
    file = tmp_path / "regions.toml"
    file.write_text(REGIONS.replace(old, new, 1))
    with pytest.raises(StartupError, match=message) as caught:
        regions.read(file)
    assert str(caught.value).startswith(str(file))
