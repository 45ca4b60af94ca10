provider "azurerm" {
  subscription_id = var.subscription_id

  # azurerm 5 registers no resource providers by itself.
  resource_providers_to_register = [
    "Microsoft.ApiManagement",
    "Microsoft.Cache",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
  ]

  # The storage account takes no keys.
  storage_use_azuread = true

  features {
    # A private account is reached only by its private endpoint, which is made after it.
    storage {
      data_plane_available = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}
