provider "azurerm" {
  subscription_id = var.subscription_id

  # azurerm 5 registers no resource providers by itself. Cdn and PolicyInsights serve Azure ML and the cluster's policies.
  resource_providers_to_register = [
    "Microsoft.AlertsManagement",
    "Microsoft.ApiManagement",
    "Microsoft.Cache",
    "Microsoft.Cdn",
    "Microsoft.Compute",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Monitor",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.PolicyInsights",
    "Microsoft.Storage",
  ]

  # The storage account takes no keys.
  storage_use_azuread = true

  # A destroy ends everything. Azure puts a rule and an action group of its own beside Application Insights, and keeps a deleted
  # workspace, and so its name, for 14 days.
  features {
    application_insights {
      disable_generated_rule = true # azurerm then deletes it too; monitoring.tf has ours
    }

    machine_learning {
      purge_soft_deleted_workspace_on_destroy = true
    }

    resource_group {
      prevent_deletion_if_contains_resources = false
    }

    # A private account is reached only by its private endpoint, which is made after it.
    storage {
      data_plane_available = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}
