# Who changed and read what beside the endpoint, the vault, the cluster and the gateway, whose logs stand with them. Reads of
# blobs are left out: Azure ML reads the model at each start, and each line is charged.

locals {
  diagnostics = merge(
    {
      storage   = { resource = "${azurerm_storage_account.main.id}/blobServices/default", logs = ["StorageDelete", "StorageWrite"] }
      registry  = { resource = azurerm_container_registry.main.id, logs = ["ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"] }
      workspace = { resource = azurerm_machine_learning_workspace.main.id, logs = ["DataStoreChangeEvent", "EnvironmentChangeEvent", "ModelsActionEvent", "ModelsChangeEvent"] }
    },
    { for redis in azurerm_managed_redis.main : "redis" => { resource = "${redis.id}/databases/default", logs = ["ConnectionEvents"] } },
    { for redis in azurerm_redis_cache.classic : "redis" => { resource = redis.id, logs = ["ConnectedClientList"] } },
  )
}

resource "azurerm_monitor_diagnostic_setting" "audit" {
  for_each = local.diagnostics

  name                       = "audit"
  target_resource_id         = each.value.resource
  log_analytics_workspace_id = azurerm_log_analytics_workspace.main.id

  dynamic "enabled_log" {
    for_each = each.value.logs
    content {
      category = enabled_log.value
    }
  }
}
