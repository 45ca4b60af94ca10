resource "azurerm_kubernetes_cluster" "main" {
  #checkov:skip=CKV_AZURE_117:The disks are the hosts' own, encrypted there, and keep nothing
  count = var.enable_aks_deployment ? 1 : 0

  name                      = local.names.cluster
  location                  = azurerm_resource_group.main.location
  resource_group_name       = azurerm_resource_group.main.name
  dns_prefix                = local.name
  kubernetes_version        = var.kubernetes_version
  sku_tier                  = var.aks_sku_tier
  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"
  private_cluster_enabled   = var.private_network_enabled
  tags                      = local.tags

  # People sign in by Entra ID, pods by workload identity; there is no other way in.
  local_account_disabled    = true
  oidc_issuer_enabled       = true
  workload_identity_enabled = true
  run_command_enabled       = false

  azure_policy_enabled         = true
  image_cleaner_enabled        = true
  image_cleaner_interval_hours = 48

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    tenant_id              = data.azurerm_client_config.current.tenant_id
    admin_group_object_ids = var.aks_admin_group_object_ids
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster[0].id]
  }

  kubelet_identity {
    client_id                 = azurerm_user_assigned_identity.kubelet[0].client_id
    object_id                 = azurerm_user_assigned_identity.kubelet[0].principal_id
    user_assigned_identity_id = azurerm_user_assigned_identity.kubelet[0].id
  }

  dynamic "api_server_access_profile" {
    for_each = var.private_network_enabled ? [] : [var.aks_authorized_ip_ranges]
    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  default_node_pool {
    name                         = "system"
    vm_size                      = var.aks_system_nodes.vm_size
    auto_scaling_enabled         = true
    min_count                    = var.aks_system_nodes.minimum
    max_count                    = var.aks_system_nodes.maximum
    max_pods                     = 110
    os_disk_type                 = "Ephemeral"
    os_disk_size_gb              = 100
    host_encryption_enabled      = true
    only_critical_addons_enabled = true
    temporary_name_for_rotation  = "rotation"
    vnet_subnet_id               = local.subnet_ids.aks
    zones                        = var.aks_zones
    tags                         = local.tags

    upgrade_settings {
      max_surge = "33%"
    }
  }

  # The pools of this file make the nodes.
  node_provisioning_profile {
    mode = "Manual"
  }

  # cilium enforces the NetworkPolicy of kubernetes/.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_policy      = "cilium"
    network_data_plane  = "cilium"
    pod_cidr            = "10.244.0.0/16"
    service_cidr        = "10.245.0.0/16"
    dns_service_ip      = "10.245.0.10"

    # For kubernetes/components/fqdn-egress. Azure charges for it by node.
    dynamic "advanced_networking" {
      for_each = var.aks_fqdn_policies ? [1] : []
      content {
        security_enabled = true
      }
    }
  }

  key_vault_secrets_provider {
    secret_rotation_enabled = true
  }

  oms_agent {
    log_analytics_workspace_id      = azurerm_log_analytics_workspace.main.id
    msi_auth_for_monitoring_enabled = true
  }

  # Upgrades of Kubernetes and of the nodes' images drain nodes.
  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = var.maintenance_window.day
    start_time  = format("%02d:00", var.maintenance_window.hour)
    utc_offset  = "+00:00"
    duration    = var.maintenance_window.hours
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = var.maintenance_window.day
    start_time  = format("%02d:00", var.maintenance_window.hour)
    utc_offset  = "+00:00"
    duration    = var.maintenance_window.hours
  }

  # A node that only runs agents of the platform is empty. Pods get their own terminationGracePeriodSeconds, 75, and no more
  # than this.
  auto_scaler_profile {
    ignore_daemonsets_utilization_enabled = true
    max_graceful_termination_sec          = "120"
  }

  # Without it an apply turns managed Prometheus off.
  dynamic "monitor_metrics" {
    for_each = var.aks_managed_prometheus ? [1] : []
    content {}
  }

  # For kubernetes/components/keda.
  workload_autoscaler_profile {
    keda_enabled = true
  }

  lifecycle {
    precondition {
      condition     = var.private_network_enabled || length(var.aks_authorized_ip_ranges) > 0
      error_message = "A cluster with a public API needs aks_authorized_ip_ranges; `curl ifconfig.me` shows your address."
    }
  }

  depends_on = [azurerm_role_assignment.cluster_kubelet, azurerm_role_assignment.cluster_subnet]
}

resource "azurerm_kubernetes_cluster_node_pool" "scoring" {
  count = var.enable_aks_deployment ? 1 : 0

  name                        = "scoring"
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.main[0].id
  mode                        = "User"
  vm_size                     = var.aks_scoring_nodes.vm_size
  auto_scaling_enabled        = true
  min_count                   = var.aks_scoring_nodes.minimum
  max_count                   = var.aks_scoring_nodes.maximum
  max_pods                    = 110
  os_disk_type                = "Ephemeral"
  os_disk_size_gb             = 100
  host_encryption_enabled     = true
  temporary_name_for_rotation = "scoringtmp"
  vnet_subnet_id              = local.subnet_ids.aks
  zones                       = var.aks_zones
  tags                        = local.tags

  upgrade_settings {
    max_surge = "33%"
  }
}

# The agent collects ContainerLogV2, not the retired ContainerLog.
resource "azurerm_monitor_data_collection_rule" "containers" {
  count = var.enable_aks_deployment ? 1 : 0

  name                = "MSCI-${var.location}-${local.names.cluster}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  kind                = "Linux"
  tags                = local.tags

  destinations {
    log_analytics {
      name                  = "logs"
      workspace_resource_id = azurerm_log_analytics_workspace.main.id
    }
  }

  data_flow {
    streams      = ["Microsoft-ContainerInsights-Group-Default"]
    destinations = ["logs"]
  }

  data_sources {
    extension {
      name           = "ContainerInsightsExtension"
      extension_name = "ContainerInsights"
      streams        = ["Microsoft-ContainerInsights-Group-Default"]
      extension_json = jsonencode({
        dataCollectionSettings = {
          interval               = "1m"
          namespaceFilteringMode = "Off"
          enableContainerLogV2   = true
        }
      })
    }
  }
}

resource "azurerm_monitor_data_collection_rule_association" "containers" {
  count = var.enable_aks_deployment ? 1 : 0

  name                    = "ContainerInsightsExtension"
  target_resource_id      = azurerm_kubernetes_cluster.main[0].id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.containers[0].id
}

resource "azurerm_monitor_diagnostic_setting" "cluster" {
  count = var.enable_aks_deployment ? 1 : 0

  name                           = "cluster"
  target_resource_id             = azurerm_kubernetes_cluster.main[0].id
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.main.id
  log_analytics_destination_type = "Dedicated"

  dynamic "enabled_log" {
    for_each = var.aks_log_categories
    content {
      category = enabled_log.value
    }
  }
}
