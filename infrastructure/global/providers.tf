provider "azurerm" {
  subscription_id = var.subscription_id

  resource_providers_to_register = [
    "Microsoft.Cdn",
    "Microsoft.Insights",
    "Microsoft.MachineLearningServices",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
  ]

  features {}
}

provider "azapi" {
  subscription_id = var.subscription_id
}
