# Against a deletion by hand. A lock holds for all that lies in a resource, so there is none on the workspace, where a rollout
# deletes deployments, nor on Log Analytics, where an apply replaces saved searches; Azure keeps both for 14 days.

resource "azurerm_management_lock" "main" {
  for_each = var.locks_enabled ? {
    storage = azurerm_storage_account.main.id
    vault   = azurerm_key_vault.main.id
  } : {}

  name       = "keep"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Set locks_enabled = false and apply, then delete."
}
