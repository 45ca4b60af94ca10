locals {
  redis_managed = var.enable_redis_cache && var.redis_tier == "managed"
  redis_classic = var.enable_redis_cache && var.redis_tier == "classic"
  redis_signed  = var.enable_redis_cache && var.redis_sign_values
}

resource "azurerm_managed_redis" "main" {
  count = local.redis_managed ? 1 : 0

  name                      = local.names.redis
  location                  = azurerm_resource_group.main.location
  resource_group_name       = azurerm_resource_group.main.name
  sku_name                  = var.managed_redis_sku
  high_availability_enabled = var.redis_high_availability
  public_network_access     = var.private_network_enabled ? "Disabled" : "Enabled"
  tags                      = local.tags

  dynamic "identity" {
    for_each = local.own_key
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = local.own_key
    content {
      key_vault_key_id          = customer_managed_key.value.key_id
      user_assigned_identity_id = customer_managed_key.value.identity_id
    }
  }

  default_database {
    client_protocol   = "Encrypted"         # TLS 1.2 or later; there is no plain port
    clustering_policy = "EnterpriseCluster" # one address for any client; OSSCluster needs one that follows MOVED
    eviction_policy   = "AllKeysLRU"

    access_keys_authentication_enabled = false
  }
}

# Each identity signs in by Entra ID: there is no password.
resource "azurerm_managed_redis_access_policy_assignment" "endpoint" {
  count = local.redis_managed ? 1 : 0

  managed_redis_id = azurerm_managed_redis.main[0].id
  object_id        = azapi_resource.endpoint.identity[0].principal_id
}

resource "azurerm_managed_redis_access_policy_assignment" "workload" {
  count = local.redis_managed && var.enable_aks_deployment ? 1 : 0

  managed_redis_id = azurerm_managed_redis.main[0].id
  object_id        = azurerm_user_assigned_identity.workload[0].principal_id
}

# Azure Cache for Redis, for tenants that can still create one.
resource "azurerm_redis_cache" "classic" {
  count = local.redis_classic ? 1 : 0

  name                          = local.names.redis
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  sku_name                      = "Standard"
  family                        = "C"
  capacity                      = 1
  redis_version                 = "6"
  minimum_tls_version           = "1.2"
  non_ssl_port_enabled          = false
  public_network_access_enabled = local.public_access
  tags                          = local.tags

  redis_configuration {
    maxmemory_policy = "allkeys-lru"
  }

  # Azure Managed Redis chooses its own time.
  patch_schedule {
    day_of_week    = var.maintenance_window.day
    start_hour_utc = var.maintenance_window.hour
  }
}

# Lets Azure ML's own network reach a private Redis.
resource "azurerm_machine_learning_workspace_network_outbound_rule_private_endpoint" "redis" {
  count = local.redis_classic && var.private_network_enabled ? 1 : 0

  name                = "redis"
  workspace_id        = azurerm_machine_learning_workspace.main.id
  service_resource_id = azurerm_redis_cache.classic[0].id
  sub_resource_target = "redisCache"

  depends_on = [azurerm_role_assignment.workspace_approves]
}

# azurerm's rule has no such target. Never tried on Azure.
resource "azapi_resource" "redis_outbound" {
  count = local.redis_managed && var.private_network_enabled && var.managed_redis_outbound_rule ? 1 : 0

  type      = "Microsoft.MachineLearningServices/workspaces/outboundRules@2025-12-01"
  name      = "redis"
  parent_id = azurerm_machine_learning_workspace.main.id

  body = {
    properties = {
      type     = "PrivateEndpoint"
      category = "UserDefined"
      destination = {
        serviceResourceId = azurerm_managed_redis.main[0].id
        subresourceTarget = "redisEnterprise"
        sparkEnabled      = false
      }
    }
  }

  depends_on = [azurerm_role_assignment.workspace_approves]
}
