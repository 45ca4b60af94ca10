# What regions share. Each region is a run of the root above this one, with a state of its own, and works without this.

locals {
  name     = "${var.project}-global"
  location = keys(var.regions)[0] # of the resource group and the registry, which Azure wants somewhere

  # Front Door's host name must be unique in all of Azure.
  unique = substr(sha256("${var.subscription_id}/${local.name}"), 0, 5)

  tags = merge(var.tags, {
    project    = var.project
    managed_by = "terraform"
  })
}

# As in the root above: a plan on the state of a region is refused, which would end all of that region.
resource "terraform_data" "environment" {
  input = local.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.name
      error_message = "This state is that of ${self.output}, not of ${local.name}. Run `terraform -chdir=infrastructure/global init -reconfigure -backend-config=key=${local.name}.tfstate` first."
    }
  }
}

resource "azurerm_resource_group" "main" {
  name     = "rg-${local.name}"
  location = local.location
  tags     = local.tags

  lifecycle {
    ignore_changes = [location] # another first region does not move it
  }

  depends_on = [terraform_data.environment]
}
