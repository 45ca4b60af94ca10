locals {
  # Not "!", which checkov can't evaluate.
  public_access = var.private_network_enabled ? false : true
  own_network   = var.existing_network == null
}

resource "azurerm_virtual_network" "main" {
  count = local.own_network ? 1 : 0

  name                = local.names.network
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  address_space       = [var.address_space]
  tags                = local.tags
}

locals {
  # kubernetes/overlays/prod names the second: egress to Redis.
  subnets = merge(
    {
      aks       = { range = cidrsubnet(var.address_space, 4, 0), delegation = null }
      endpoints = { range = cidrsubnet(var.address_space, 8, 16), delegation = null }
    },
    var.gateway_in_network ? { gateway = { range = cidrsubnet(var.address_space, 8, 17), delegation = "Microsoft.Web/serverFarms" } } : {},
    var.agents_subnet == null ? {} : { agents = { range = cidrsubnet(var.address_space, 8, 18), delegation = var.agents_subnet.delegation } },
  )

  # Subnets whose machines call services on the internet themselves; AKS has its own way out.
  subnets_with_way_out = setintersection(keys(azurerm_subnet.main), ["agents", "gateway"])

  network_id = local.own_network ? one(azurerm_virtual_network.main[*].id) : var.existing_network.id
  subnet_ids = {
    aks       = local.own_network ? one([for name, subnet in azurerm_subnet.main : subnet.id if name == "aks"]) : var.existing_network.aks_subnet_id
    endpoints = local.own_network ? one([for name, subnet in azurerm_subnet.main : subnet.id if name == "endpoints"]) : var.existing_network.endpoints_subnet_id
  }
}

resource "azurerm_subnet" "main" {
  for_each = local.own_network ? local.subnets : {}

  name                              = each.key
  resource_group_name               = azurerm_resource_group.main.name
  virtual_network_name              = azurerm_virtual_network.main[0].name
  address_prefixes                  = [each.value.range]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled" # the security group applies to private endpoints too

  dynamic "delegation" {
    for_each = compact([each.value.delegation])
    content {
      name = "delegation"

      service_delegation {
        name = delegation.value
      }
    }
  }
}

resource "azurerm_public_ip" "way_out" {
  count = length(local.subnets_with_way_out) > 0 ? 1 : 0

  name                = "ip-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = local.tags
}

resource "azurerm_nat_gateway" "way_out" {
  count = length(azurerm_public_ip.way_out)

  name                = "nat-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_nat_gateway_public_ip_association" "way_out" {
  count = length(azurerm_public_ip.way_out)

  nat_gateway_id       = azurerm_nat_gateway.way_out[0].id
  public_ip_address_id = azurerm_public_ip.way_out[0].id
}

resource "azurerm_subnet_nat_gateway_association" "way_out" {
  for_each = local.subnets_with_way_out

  subnet_id      = azurerm_subnet.main[each.key].id
  nat_gateway_id = azurerm_nat_gateway.way_out[0].id
}

# Azure's default rules: in from the network itself and from load balancers, out to anywhere.
resource "azurerm_network_security_group" "main" {
  count = local.own_network ? 1 : 0

  name                = "nsg-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_subnet_network_security_group_association" "main" {
  for_each = azurerm_subnet.main

  subnet_id                 = each.value.id
  network_security_group_id = azurerm_network_security_group.main[0].id
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
    { for id in compact([var.image_registry_id]) : "images" => { resource = id, part = "registry", zones = ["privatelink.azurecr.io"] } },
    { for redis in azurerm_managed_redis.main : "redis" => { resource = redis.id, part = "redisEnterprise", zones = ["privatelink.redis.azure.net"] } },
    { for redis in azurerm_redis_cache.classic : "redis" => { resource = redis.id, part = "redisCache", zones = ["privatelink.redis.cache.windows.net"] } },
  ) : {}

  private_zones = toset(flatten([for endpoint in local.private_endpoints : endpoint.zones]))
  known_zones   = try(var.existing_network.private_dns_zone_ids, {})
  zone_ids      = merge(local.known_zones, { for name, zone in azurerm_private_dns_zone.main : name => zone.id })
}

resource "azurerm_private_dns_zone" "main" {
  for_each = setsubtract(local.private_zones, keys(local.known_zones))

  name                = each.key
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each = azurerm_private_dns_zone.main

  name                = local.names.network
  private_dns_zone_id = each.value.id
  virtual_network_id  = local.network_id
  tags                = local.tags
}

# The way in for agents: both networks are peered, and theirs resolves our names.
locals {
  agents_network = var.agents_network_id == null ? null : split("/", var.agents_network_id)
}

resource "azurerm_virtual_network_peering" "to_agents" {
  count = var.agents_network_id == null ? 0 : 1

  name                      = "agents"
  resource_group_name       = azurerm_resource_group.main.name
  virtual_network_name      = azurerm_virtual_network.main[0].name
  remote_virtual_network_id = var.agents_network_id
}

resource "azurerm_virtual_network_peering" "from_agents" {
  count = var.agents_network_id == null ? 0 : 1

  name                      = local.names.network
  resource_group_name       = local.agents_network[4]
  virtual_network_name      = local.agents_network[8]
  remote_virtual_network_id = local.network_id
}

resource "azurerm_private_dns_zone_virtual_network_link" "agents" {
  for_each = { for name, zone in azurerm_private_dns_zone.main : name => zone.id if var.agents_network_id != null }

  name                = "agents"
  private_dns_zone_id = each.value
  virtual_network_id  = var.agents_network_id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each = local.private_endpoints

  name                = "pe-${local.name}-${each.key}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  subnet_id           = local.subnet_ids.endpoints
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.resource
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [for zone in each.value.zones : local.zone_ids[zone]]
  }
}
