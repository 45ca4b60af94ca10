resource "azurerm_key_vault" "main" {
  name                          = local.names.key_vault
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = local.public_access
  tags                          = local.tags

  network_acls {
    bypass         = "AzureServices"
    default_action = var.private_network_enabled ? "Deny" : "Allow"
  }
}

# Whoever runs Terraform writes the secrets below.
resource "azurerm_role_assignment" "secrets_officer" {
  count = local.redis_classic || local.redis_signed ? 1 : 0

  scope                = azurerm_key_vault.main.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

# A role holds some time after it is assigned.
resource "time_sleep" "secrets_officer" {
  count = length(azurerm_role_assignment.secrets_officer)

  create_duration = "60s"
  triggers        = { role = azurerm_role_assignment.secrets_officer[0].id }
}

# In a private network a secret is written through the vault's private endpoint, from the agents' network.
#
# value_wo is not kept in the state. The key itself still is, as an attribute of the classic cache: guard the state, or
# take the managed tier, which has no key.
resource "azurerm_key_vault_secret" "redis" {
  #checkov:skip=CKV_AZURE_41:The key doesn't expire; it is replaced by raising value_wo_version after a rotation
  count = local.redis_classic ? 1 : 0

  name             = "redis-password"
  key_vault_id     = azurerm_key_vault.main.id
  value_wo         = azurerm_redis_cache.classic[0].primary_access_key
  value_wo_version = 1
  content_type     = "text/plain"

  depends_on = [
    time_sleep.secrets_officer,
    azurerm_private_endpoint.main,
    azurerm_private_dns_zone_virtual_network_link.main,
    azurerm_private_dns_zone_virtual_network_link.agents,
    azurerm_virtual_network_peering.to_agents,
    azurerm_virtual_network_peering.from_agents,
  ]
}

resource "azurerm_key_vault_secret" "signing" {
  #checkov:skip=CKV_AZURE_41:The key doesn't expire; it is replaced by raising value_wo_version
  count = local.redis_signed ? 1 : 0

  name             = "scoring-cache-key"
  key_vault_id     = azurerm_key_vault.main.id
  value_wo         = var.redis_signing_key
  value_wo_version = 1
  content_type     = "text/plain"

  depends_on = [
    time_sleep.secrets_officer,
    azurerm_private_endpoint.main,
    azurerm_private_dns_zone_virtual_network_link.main,
    azurerm_private_dns_zone_virtual_network_link.agents,
    azurerm_virtual_network_peering.to_agents,
    azurerm_virtual_network_peering.from_agents,
  ]
}

resource "azurerm_monitor_diagnostic_setting" "key_vault" {
  name                       = "audit"
  target_resource_id         = azurerm_key_vault.main.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.main.id

  enabled_log {
    category = "AuditEvent"
  }
}
