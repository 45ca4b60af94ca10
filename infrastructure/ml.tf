resource "azurerm_storage_account" "main" {
  #checkov:skip=CKV_AZURE_206:Over three zones; models can be registered again in another region
  #checkov:skip=CKV_AZURE_33:No queue is used
  #checkov:skip=CKV2_AZURE_1:Encrypted with Microsoft's keys; customer_managed_key is a decision for who has to manage it
  name                            = local.names.storage
  location                        = azurerm_resource_group.main.location
  resource_group_name             = azurerm_resource_group.main.name
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  min_tls_version                 = "TLS1_2"
  shared_access_key_enabled       = false
  allow_nested_items_to_be_public = false
  public_network_access_enabled   = local.public_access
  tags                            = local.tags

  blob_properties {
    delete_retention_policy {
      days = 7
    }
  }

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

  network_rules {
    default_action = var.private_network_enabled ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
  }
}

locals {
  own_key = var.customer_managed_key == null ? [] : [var.customer_managed_key]

  # Only Premium has private addresses, zones, retention, replicas and keys of one's own. Not "||", which checkov can't evaluate.
  registry_premium = var.private_network_enabled ? true : length(var.registry_replicas) > 0 ? true : var.customer_managed_key != null
}

resource "azurerm_container_registry" "main" {
  #checkov:skip=CKV_AZURE_164:Docker content trust has no argument in azurerm 5 any more
  #checkov:skip=CKV_AZURE_165:Replicas are for two regions, by registry_replicas
  #checkov:skip=CKV_AZURE_166:Quarantine needs a scanner that releases the images; CI scans what goes in
  name                          = local.names.registry
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  sku                           = local.registry_premium ? "Premium" : "Standard"
  admin_enabled                 = false
  zone_redundancy_enabled       = local.registry_premium
  data_endpoint_enabled         = local.registry_premium
  retention_policy_in_days      = local.registry_premium ? 30 : null # of images without a tag
  public_network_access_enabled = local.public_access
  export_policy_enabled         = local.public_access # else images could be copied out past the network
  tags                          = local.tags

  encryption = [for key in local.own_key : { key_vault_key_id = key.key_id, identity_client_id = key.identity_client_id }]

  dynamic "identity" {
    for_each = local.own_key
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }

  dynamic "georeplications" {
    for_each = sort(var.registry_replicas)
    content {
      location                        = georeplications.value
      zone_redundancy_enabled         = true
      global_endpoint_routing_enabled = true
      tags                            = local.tags
    }
  }
}

resource "azurerm_machine_learning_workspace" "main" {
  name                          = local.names.workspace
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  application_insights_id       = azurerm_application_insights.main.id
  key_vault_id                  = azurerm_key_vault.main.id
  storage_account_id            = azurerm_storage_account.main.id
  container_registry_id         = azurerm_container_registry.main.id
  storage_account_access_type   = "Identity"
  public_network_access_enabled = local.public_access
  image_build_compute_name      = var.private_network_enabled ? local.names.image_builder : null
  tags                          = local.tags

  identity {
    type         = var.customer_managed_key == null ? "SystemAssigned" : "SystemAssigned, UserAssigned"
    identity_ids = [for key in local.own_key : key.identity_id]
  }

  dynamic "encryption" {
    for_each = local.own_key
    content {
      key_vault_id              = encryption.value.vault_id
      key_id                    = encryption.value.key_id
      user_assigned_identity_id = encryption.value.identity_id
    }
  }

  managed_network {
    isolation_mode                = !var.private_network_enabled ? "Disabled" : var.approved_outbound_hosts == null ? "AllowInternetOutbound" : "AllowOnlyApprovedOutbound"
    provision_on_creation_enabled = false # the first compute does it, once the identity may approve the connections
  }
}

# What builds images or trains reaches of the internet.
resource "azurerm_machine_learning_workspace_network_outbound_rule_fqdn" "approved" {
  for_each = var.approved_outbound_hosts == null ? [] : var.approved_outbound_hosts

  name             = replace(replace(each.key, "*", "any"), ".", "-")
  workspace_id     = azurerm_machine_learning_workspace.main.id
  destination_fqdn = each.key
}

# Azure ML's own network reaches these by private endpoints, which the workspace's identity approves itself.
resource "azurerm_role_assignment" "workspace_approves" {
  for_each = { for name, endpoint in local.private_endpoints : name => endpoint.resource if !contains(["file", "images", "workspace"], name) }

  scope                = each.value
  role_definition_name = "Azure AI Enterprise Network Connection Approver"
  principal_id         = azurerm_machine_learning_workspace.main.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

# A registry on a private address can't build images itself. Nodes run only while an image is built.
resource "azurerm_machine_learning_compute_cluster" "image_builder" {
  count = var.private_network_enabled ? 1 : 0

  name                          = local.names.image_builder
  location                      = azurerm_resource_group.main.location
  machine_learning_workspace_id = azurerm_machine_learning_workspace.main.id
  vm_priority                   = "Dedicated"
  vm_size                       = "Standard_D4ds_v5"
  local_auth_enabled            = false
  node_public_ip_enabled        = false
  tags                          = local.tags

  identity {
    type = "SystemAssigned"
  }

  scale_settings {
    min_node_count                       = 0
    max_node_count                       = 1
    scale_down_nodes_after_idle_duration = "PT15M"
  }

  depends_on = [azurerm_role_assignment.workspace_approves]
}

# The endpoint of endpoints/online-endpoint.yml; azurerm has no resource for it. The rollout (make rollout) owns deployments
# and traffic, so that an apply never changes what is served. The endpoint answers on a public address, to callers with a
# token of Entra ID and the role to score.
resource "azapi_resource" "endpoint" {
  type      = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2025-12-01"
  name      = var.endpoint_name
  parent_id = azurerm_machine_learning_workspace.main.id
  location  = azurerm_resource_group.main.location
  tags      = local.tags

  identity {
    type = "SystemAssigned"
  }

  body = {
    properties = {
      authMode = "AADToken"
    }
  }

  response_export_values = ["properties.scoringUri"]

  # An update would send the whole endpoint without its traffic, and so end it. Once made, the endpoint is left alone.
  lifecycle {
    ignore_changes = [body, identity, location, response_export_values, tags, type]
  }

  depends_on = [azurerm_role_assignment.workspace_registry]
}

resource "azurerm_monitor_diagnostic_setting" "endpoint" {
  name                           = "endpoint"
  target_resource_id             = azapi_resource.endpoint.id
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.main.id
  log_analytics_destination_type = "Dedicated"

  enabled_log {
    category = "AmlOnlineEndpointTrafficLog"
  }

  enabled_log {
    category = "AmlOnlineEndpointConsoleLog"
  }

  enabled_log {
    category = "AmlOnlineEndpointEventLog"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

# Autoscale belongs to a deployment, so the rollout owns it (endpoints/autoscale.json makes the first setting). Settings that
# an earlier version of this file made stay as they are.
removed {
  from = azurerm_monitor_autoscale_setting.deployment

  lifecycle {
    destroy = false
  }
}
