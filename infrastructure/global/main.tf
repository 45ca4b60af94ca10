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

resource "azurerm_resource_group" "main" {
  name     = "rg-${local.name}"
  location = local.location
  tags     = local.tags

  lifecycle {
    ignore_changes = [location] # another first region does not move it
  }
}
