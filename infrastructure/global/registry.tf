# azurerm has no resource for an Azure ML registry. It brings a storage account and a container registry in each region.
resource "azapi_resource" "models" {
  count = var.model_registry_enabled ? 1 : 0

  type      = "Microsoft.MachineLearningServices/registries@2025-12-01"
  name      = "mlr-${local.name}-${local.unique}"
  parent_id = azurerm_resource_group.main.id
  location  = azurerm_resource_group.main.location
  tags      = local.tags

  identity {
    type = "SystemAssigned"
  }

  body = {
    properties = {
      publicNetworkAccess = "Enabled"
      regionDetails = [
        for region in keys(var.regions) : {
          location = region
          acrDetails = [{
            systemCreatedAcrAccount = { acrAccountSku = "Premium" }
          }]
          storageAccountDetails = [{
            systemCreatedStorageAccount = {
              allowBlobPublicAccess    = false
              storageAccountHnsEnabled = false
              storageAccountType       = "Standard_LRS"
            }
          }]
        }
      ]
    }
  }
}

resource "azurerm_role_assignment" "models" {
  for_each = var.model_registry_enabled ? var.model_registry_user_ids : []

  scope                = azapi_resource.models[0].id
  role_definition_name = "AzureML Registry User"
  principal_id         = each.value
}
