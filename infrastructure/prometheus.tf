# Azure Monitor managed Prometheus, and an identity by which KEDA reads it.

locals {
  prometheus            = var.enable_aks_deployment && var.aks_managed_prometheus ? 1 : 0
  prometheus_collection = substr("MSProm-${var.location}-${local.names.cluster}", 0, 44) # Azure allows 44 characters
}

resource "azurerm_monitor_workspace" "main" {
  count = local.prometheus

  name                = local.names.prometheus
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_monitor_data_collection_endpoint" "prometheus" {
  count = local.prometheus

  name                = local.prometheus_collection
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  kind                = "Linux"
  tags                = local.tags
}

resource "azurerm_monitor_data_collection_rule" "prometheus" {
  count = local.prometheus

  name                        = local.prometheus_collection
  location                    = azurerm_resource_group.main.location
  resource_group_name         = azurerm_resource_group.main.name
  data_collection_endpoint_id = azurerm_monitor_data_collection_endpoint.prometheus[0].id
  kind                        = "Linux"
  tags                        = local.tags

  destinations {
    monitor_account {
      name               = "prometheus"
      monitor_account_id = azurerm_monitor_workspace.main[0].id
    }
  }

  data_flow {
    streams      = ["Microsoft-PrometheusMetrics"]
    destinations = ["prometheus"]
  }

  data_sources {
    prometheus_forwarder {
      name    = "PrometheusDataSource"
      streams = ["Microsoft-PrometheusMetrics"]
    }
  }
}

resource "azurerm_monitor_data_collection_rule_association" "prometheus" {
  count = local.prometheus

  name                    = "prometheus"
  target_resource_id      = azurerm_kubernetes_cluster.main[0].id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.prometheus[0].id
}

resource "azurerm_user_assigned_identity" "keda" {
  count = local.prometheus

  name                = local.names.keda_identity
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "keda" {
  count = local.prometheus

  name                      = "keda"
  user_assigned_identity_id = azurerm_user_assigned_identity.keda[0].id
  issuer                    = azurerm_kubernetes_cluster.main[0].oidc_issuer_url
  subject                   = "system:serviceaccount:kube-system:keda-operator"
  audience                  = ["api://AzureADTokenExchange"]
}

resource "azurerm_role_assignment" "keda_metrics" {
  count = local.prometheus

  scope                = azurerm_monitor_workspace.main[0].id
  role_definition_name = "Monitoring Data Reader"
  principal_id         = azurerm_user_assigned_identity.keda[0].principal_id
  principal_type       = "ServicePrincipal"
}
