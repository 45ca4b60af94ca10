locals {
  # Not "!", which checkov can't evaluate.
  public_access = var.private_network_enabled ? false : true
}

resource "azurerm_virtual_network" "main" {
  name                = local.names.network
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  address_space       = [var.address_space]
  tags                = local.tags
}

locals {
  subnets = {
    aks       = cidrsubnet(var.address_space, 4, 0)
    endpoints = cidrsubnet(var.address_space, 8, 16)
  }
}

resource "azurerm_subnet" "main" {
  for_each = local.subnets

  name                              = each.key
  resource_group_name               = azurerm_resource_group.main.name
  virtual_network_name              = azurerm_virtual_network.main.name
  address_prefixes                  = [each.value]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled" # the security group holds for private endpoints too
}

# Azure's default rules: in from the network itself and from load balancers, out to anywhere.
resource "azurerm_network_security_group" "main" {
  name                = "nsg-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_subnet_network_security_group_association" "main" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.main[each.key].id
  network_security_group_id = azurerm_network_security_group.main.id
}

locals {
  private_endpoints = var.private_network_enabled ? merge(
    {
      vault     = { resource = azurerm_key_vault.main.id, part = "vault", zones = ["privatelink.vaultcore.azure.net"] }
      blob      = { resource = azurerm_storage_account.main.id, part = "blob", zones = ["privatelink.blob.core.windows.net"] }
      file      = { resource = azurerm_storage_account.main.id, part = "file", zones = ["privatelink.file.core.windows.net"] }
      registry  = { resource = azurerm_container_registry.main.id, part = "registry", zones = ["privatelink.azurecr.io"] }
      workspace = { resource = azurerm_machine_learning_workspace.main.id, part = "amlworkspace", zones = ["privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"] }
    },
    { for redis in azurerm_managed_redis.main : "redis" => { resource = redis.id, part = "redisEnterprise", zones = ["privatelink.redis.azure.net"] } },
    { for redis in azurerm_redis_cache.classic : "redis" => { resource = redis.id, part = "redisCache", zones = ["privatelink.redis.cache.windows.net"] } },
  ) : {}

  private_zones = toset(flatten([for endpoint in local.private_endpoints : endpoint.zones]))
}

resource "azurerm_private_dns_zone" "main" {
  for_each = local.private_zones

  name                = each.key
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each = azurerm_private_dns_zone.main

  name                = local.names.network
  private_dns_zone_id = each.value.id
  virtual_network_id  = azurerm_virtual_network.main.id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each = local.private_endpoints

  name                = "pe-${local.name}-${each.key}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  subnet_id           = azurerm_subnet.main["endpoints"].id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.resource
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [for zone in each.value.zones : azurerm_private_dns_zone.main[zone].id]
  }
}
