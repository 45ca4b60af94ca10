# Against a deletion by hand. Only on what can't be made again, and not on the workspace: its lock would hold for deployments
# too, which a rollout deletes.

resource "azurerm_management_lock" "main" {
  for_each = var.locks_enabled ? {
    logs    = azurerm_log_analytics_workspace.main.id
    storage = azurerm_storage_account.main.id
    vault   = azurerm_key_vault.main.id
  } : {}

  name       = "keep"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Set locks_enabled = false and apply, then delete."
}
