# What each flag makes, by plan, and what a plan refuses; tests/deploy/test_terraform_edges.py tries the rules of variables. Azure is never called; ids have Azure's form because the provider checks it.

mock_provider "azurerm" {
  override_during = plan

  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" }
  }
  mock_resource "azurerm_log_analytics_workspace" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log" }
  }
  mock_resource "azurerm_application_insights" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/components/appi" }
  }
  mock_resource "azurerm_application_insights_standard_web_test" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/webTests/score" }
  }
  mock_resource "azurerm_monitor_action_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/ag" }
  }
  mock_resource "azurerm_key_vault" {
    defaults = {
      id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
      vault_uri = "https://kv.vault.azure.net/"
    }
  }
  mock_resource "azurerm_key_vault_secret" {
    defaults = { resource_versionless_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv/secrets/redis-password" }
  }
  mock_resource "azurerm_storage_account" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st" }
  }
  mock_resource "azurerm_container_registry" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/cr" }
  }
  mock_resource "azurerm_machine_learning_workspace" {
    defaults = {
      id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/mlw"
      identity = { principal_id = "00000000-0000-0000-0000-000000000007" }
    }
  }
  mock_resource "azurerm_virtual_network" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet" }
  }
  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/snet" }
  }
  mock_resource "azurerm_network_security_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg" }
  }
  mock_resource "azurerm_public_ip" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/ip" }
  }
  mock_resource "azurerm_nat_gateway" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/natGateways/nat" }
  }
  mock_resource "azurerm_private_dns_zone" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/zone" }
  }
  mock_resource "azurerm_managed_redis" {
    defaults = {
      id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cache/redisEnterprise/redis"
      hostname = "redis.westeurope.redis.azure.net"
    }
  }
  mock_resource "azurerm_redis_cache" {
    defaults = {
      id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cache/redis/redis"
      hostname           = "redis.redis.cache.windows.net"
      ssl_port           = 6380
      primary_access_key = "key"
    }
  }
  mock_resource "azurerm_kubernetes_cluster" {
    defaults = {
      id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
      oidc_issuer_url = "https://oidc.example.com/"
    }
  }
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
      principal_id = "00000000-0000-0000-0000-000000000001"
      client_id    = "00000000-0000-0000-0000-000000000002"
    }
  }
  mock_resource "azurerm_monitor_data_collection_rule" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionRules/dcr" }
  }
  mock_resource "azurerm_monitor_data_collection_endpoint" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionEndpoints/dce" }
  }
  mock_resource "azurerm_monitor_workspace" {
    defaults = {
      id             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Monitor/accounts/prometheus"
      query_endpoint = "https://prometheus.westeurope.prometheus.monitor.azure.com"
    }
  }
  mock_resource "azurerm_role_definition" {
    defaults = { role_definition_resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-000000000003" }
  }
  mock_resource "azurerm_api_management" {
    defaults = {
      id          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"
      gateway_url = "https://apim.azure-api.net"
      identity    = { principal_id = "00000000-0000-0000-0000-000000000008" }
    }
  }
  mock_resource "azurerm_api_management_product" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim/products/inference" }
  }
  mock_resource "azurerm_api_management_logger" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim/loggers/insights" }
  }
  mock_data "azurerm_client_config" {
    defaults = {
      tenant_id = "00000000-0000-0000-0000-000000000004"
      object_id = "00000000-0000-0000-0000-000000000005"
    }
  }
}

mock_provider "azapi" {
  override_during = plan

  mock_resource "azapi_resource" {
    defaults = {
      id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/mlw/onlineEndpoints/diabetes-classifier"
      identity = { principal_id = "00000000-0000-0000-0000-000000000009" }
      output   = { properties = { scoringUri = "https://diabetes-classifier.westeurope.inference.ml.azure.com/score" } }
    }
  }
}

mock_provider "time" {}

variables {
  subscription_id          = "00000000-0000-0000-0000-000000000000"
  environment              = "test"
  aks_authorized_ip_ranges = ["203.0.113.0/24"]
  api_publisher            = { name = "Test", email = "test@example.com" }
}

run "nothing_but_the_endpoint" {
  command = plan

  assert {
    condition     = length(azurerm_kubernetes_cluster.main) + length(azurerm_api_management.main) + length(azurerm_managed_redis.main) + length(azurerm_redis_cache.classic) == 0
    error_message = "Without flags there is no cluster, no gateway and no cache."
  }
  assert {
    condition     = output.gateway_url == null && output.cluster == null && output.redis_environment == {}
    error_message = "What is not made has no output."
  }
  assert {
    condition     = length(azurerm_monitor_metric_alert.capacity) + length(azurerm_consumption_budget_resource_group.main) + length(azurerm_management_lock.main) == 0
    error_message = "Nothing of the platform is watched or locked that nobody asked for."
  }
  assert {
    condition     = toset([for rule in keys(azurerm_monitor_scheduled_query_rules_alert_v2.log) : rule if !endswith(rule, "-managed")]) == toset(["LogQuotaReached-workspace"]) && contains(keys(azurerm_monitor_scheduled_query_rules_alert_v2.log), "InferenceSilent-managed")
    error_message = "What is not made has no alert; the endpoint and the logs have theirs."
  }
  assert {
    condition     = toset([for rule in azurerm_monitor_metric_alert.endpoint : one(rule.criteria).threshold]) == toset([10]) && length(azurerm_application_insights_standard_web_test.score) == 0
    error_message = "Ten failures a minute are the least, and nothing is sent unasked."
  }
  assert {
    condition     = toset([for rule in azurerm_monitor_metric_alert.endpoint : one(rule.criteria).metric_name]) == toset(["RequestsPerMinute"]) && alltrue([for rule in azurerm_monitor_metric_alert.endpoint : contains(rule.scopes, azapi_resource.endpoint.id) && one(rule.criteria).skip_metric_validation])
    error_message = "The endpoint's own metrics are watched from the start, though a metric is not there before the first request."
  }
  assert {
    condition     = one(azurerm_monitor_scheduled_query_rules_alert_v2.log["InferenceErrorRate-managed"].action).custom_properties.runbook_url == "docs/runbook.md#inferenceerrorrate"
    error_message = "As long as nobody says where the runbook is read, alerts name the file."
  }
  assert {
    condition     = length(azurerm_private_endpoint.main) == 0 && azurerm_key_vault.main.public_network_access_enabled
    error_message = "Without private_network_enabled there are no private endpoints."
  }
  assert {
    condition     = length(azurerm_role_assignment.pipeline) + length(azurerm_role_assignment.deployer) + length(azurerm_role_definition.registrar) + length(azurerm_role_definition.autoscaler) == 0
    error_message = "Nobody is given a right whom nobody named."
  }
}

run "aks_alone" {
  command = plan

  variables {
    enable_aks_deployment = true
  }

  assert {
    condition     = length(azurerm_kubernetes_cluster.main) == 1 && length(azurerm_kubernetes_cluster_node_pool.scoring) == 1
    error_message = "The flag makes a cluster with a pool for scoring."
  }
  assert {
    condition     = azurerm_kubernetes_cluster.main[0].local_account_disabled && azurerm_kubernetes_cluster.main[0].oidc_issuer_enabled && azurerm_kubernetes_cluster.main[0].workload_identity_enabled
    error_message = "The cluster takes Entra ID and workload identity, and no local accounts."
  }
  assert {
    condition     = contains(keys(azurerm_monitor_scheduled_query_rules_alert_v2.log), "InferenceNotReady-containerlogv2") && !contains(keys(azurerm_monitor_scheduled_query_rules_alert_v2.log), "GatewayFailing-gateway")
    error_message = "The pods are watched, and no gateway that is not there."
  }
  assert {
    condition     = azurerm_federated_identity_credential.workload[0].subject == "system:serviceaccount:ml-inference:ml-inference"
    error_message = "The pods' service account acts as the workload's identity."
  }
  assert {
    condition     = length(azurerm_api_management.main) + length(azurerm_managed_redis.main) == 0
    error_message = "The flag makes nothing else."
  }
}

run "api_management_alone" {
  command = plan

  variables {
    enable_api_management = true
  }

  assert {
    condition     = output.gateway_score_url == "https://apim.azure-api.net/inference/score"
    error_message = "Clients post to /inference/score."
  }
  assert {
    condition     = azurerm_api_management_backend.scoring[0].url == "https://diabetes-classifier.westeurope.inference.ml.azure.com"
    error_message = "The backend is the endpoint, and the operation adds /score."
  }
  assert {
    condition     = azurerm_role_definition.scorer[0].permissions[0].actions == tolist(["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"])
    error_message = "The gateway may score and nothing else."
  }
  assert {
    condition     = azurerm_role_assignment.gateway_scores[0].scope == azapi_resource.endpoint.id && azurerm_role_assignment.gateway_scores[0].principal_id == "00000000-0000-0000-0000-000000000008"
    error_message = "The gateway may call this endpoint only."
  }
  assert {
    condition     = length(azurerm_kubernetes_cluster.main) + length(azurerm_managed_redis.main) == 0
    error_message = "The flag makes nothing else."
  }
}

run "a_region_behind_front_door" {
  command = plan

  variables {
    enable_api_management    = true
    api_management_sku       = "Standard_1"
    front_door_id            = "00000000-0000-0000-0000-000000000020"
    runbook_url              = "https://wiki.example.com/runbook"
    peak_requests_per_second = 100
    probe_request            = "{\"data\": [[\"<&\", 2]]}"
  }

  assert {
    condition     = strcontains(azurerm_api_management_api_policy.inference[0].xml_content, "<value>00000000-0000-0000-0000-000000000020</value>")
    error_message = "The gateway takes requests of this Front Door."
  }
  assert {
    condition     = toset([for header in one(azurerm_application_insights_standard_web_test.score[0].request).header : header.name]) == toset(["Content-Type", "Ocp-Apim-Subscription-Key", "X-Azure-FDID"])
    error_message = "The probe of this region is let in beside it."
  }
  assert {
    condition     = !azurerm_api_management_api.health[0].subscription_required && azurerm_api_management_api.health[0].path == "health" && azurerm_api_management_api_operation.health[0].method == "GET"
    error_message = "Front Door asks for GET /health without a key."
  }
  assert {
    condition     = strcontains(azurerm_api_management_api_policy.health[0].xml_content, "<set-body>{\"data\": [[\"&lt;&amp;\", 2]]}</set-body>")
    error_message = "Health is the answer to the probe, which stands in XML."
  }
  assert {
    condition     = output.gateway_host == "apim.azure-api.net"
    error_message = "Front Door needs the gateway's host."
  }
  assert {
    condition     = toset([for rule in keys(azurerm_monitor_scheduled_query_rules_alert_v2.log) : rule if endswith(rule, "-gateway")]) == toset(["GatewayFailing-gateway", "GatewayBackendUnreachable-gateway", "GatewaySilent-gateway"])
    error_message = "Failures, an endpoint that is not reached, silence."
  }
  assert {
    condition     = contains([for log in azurerm_monitor_diagnostic_setting.gateway[0].enabled_log : log.category], "GatewayLogs") && azurerm_monitor_diagnostic_setting.gateway[0].log_analytics_destination_type == "Dedicated"
    error_message = "The gateway's log goes to the table that they read, ApiManagementGatewayLogs."
  }
  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.log["GatewaySilent-gateway"].query_time_range_override == "P2D" && azurerm_monitor_scheduled_query_rules_alert_v2.log["GatewayFailing-gateway"].query_time_range_override == null
    error_message = "Silence is compared with yesterday."
  }
  assert {
    condition = toset(concat(
      [for rule in azurerm_monitor_scheduled_query_rules_alert_v2.log : split("#", one(rule.action).custom_properties.runbook_url)[0]],
      [for rule in azurerm_monitor_metric_alert.endpoint : split("#", one(rule.action).webhook_properties.runbook_url)[0]],
      [for rule in azurerm_monitor_metric_alert.gateway : split("#", one(rule.action).webhook_properties.runbook_url)[0]],
    )) == toset(["https://wiki.example.com/runbook"])
    error_message = "Every alert links to where the runbook is read."
  }
  assert {
    condition     = toset([for rule in azurerm_monitor_metric_alert.endpoint : one(rule.criteria).threshold]) == toset([60]) && one(azurerm_monitor_metric_alert.gateway[0].criteria).threshold == 300
    error_message = "Metric alerts fire above 1 % of the peak."
  }
  assert {
    condition     = one(azurerm_application_insights_standard_web_test.score[0].request).body == var.probe_request && length(azurerm_application_insights_standard_web_test.score[0].geo_locations) == 5 && azurerm_application_insights_standard_web_test.score[0].enabled
    error_message = "The request is sent from five places."
  }
  assert {
    condition     = one(azurerm_monitor_metric_alert.probe[0].application_insights_web_test_location_availability_criteria).failed_location_count == 3
    error_message = "Three of five places make an outage."
  }
  assert {
    condition     = azurerm_api_management_product_policy.inference[0].xml_content == file("policies/product.xml")
    error_message = "Classic tiers count by key."
  }
}

run "a_second_region_pulls_images_from_the_first" {
  command = plan

  variables {
    enable_aks_deployment   = true
    private_network_enabled = true
    agents_subnet           = {}
    registry_replicas       = ["swedencentral"]
    image_registry_id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-other/providers/Microsoft.ContainerRegistry/registries/crother"
  }

  assert {
    condition     = [for replica in azurerm_container_registry.main.georeplications : replica.location] == ["swedencentral"] && azurerm_container_registry.main.sku == "Premium"
    error_message = "The registry has a copy in the other region."
  }
  assert {
    condition     = azurerm_role_assignment.kubelet_images[0].scope == var.image_registry_id && azurerm_private_endpoint.main["images"].private_service_connection[0].private_connection_resource_id == var.image_registry_id
    error_message = "Nodes may pull from the other registry, and reach it privately."
  }
  assert {
    condition     = !contains(keys(azurerm_role_assignment.workspace_approves), "images")
    error_message = "The workspace gets no right on another region's registry."
  }
}

run "everything_stays_in_the_network" {
  command = plan

  variables {
    enable_api_management   = true
    enable_redis_cache      = true
    private_network_enabled = true
    api_management_sku      = "StandardV2_1"
    gateway_in_network      = true
    agents_subnet           = { delegation = "Microsoft.DevOpsInfrastructure/pools" }
    approved_outbound_hosts = ["pypi.org", "*.anaconda.org"]
    customer_managed_key = {
      key_id             = "https://kv-keys.vault.azure.net/keys/scoring/0123456789abcdef0123456789abcdef"
      vault_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-keys"
      identity_id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-keys/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-keys"
      identity_client_id = "00000000-0000-0000-0000-000000000021"
    }
  }

  assert {
    condition     = azurerm_machine_learning_workspace.main.managed_network[0].isolation_mode == "AllowOnlyApprovedOutbound" && { for host, rule in azurerm_machine_learning_workspace_network_outbound_rule_fqdn.approved : host => rule.name } == { "*.anaconda.org" = "any-anaconda-org", "pypi.org" = "pypi-org" }
    error_message = "Azure ML's own network reaches what was approved, and nothing else."
  }
  assert {
    condition     = azurerm_api_management.main[0].virtual_network_type == "External" && length(azurerm_api_management.main[0].virtual_network_configuration) == 1 && azurerm_subnet.main["gateway"].delegation[0].service_delegation[0].name == "Microsoft.Web/serverFarms"
    error_message = "API Management has a leg in the network."
  }
  assert {
    condition     = azurerm_subnet.main["agents"].delegation[0].service_delegation[0].name == "Microsoft.DevOpsInfrastructure/pools" && keys(azurerm_subnet_nat_gateway_association.way_out) == ["agents", "gateway"]
    error_message = "Agents have a subnet with a way out."
  }
  assert {
    condition     = toset([azurerm_storage_account.main.customer_managed_key[0].key_vault_key_id, azurerm_managed_redis.main[0].customer_managed_key[0].key_vault_key_id, azurerm_machine_learning_workspace.main.encryption[0].key_id, azurerm_container_registry.main.encryption[0].key_vault_key_id]) == toset([var.customer_managed_key.key_id])
    error_message = "All that keeps data is encrypted with the key."
  }
  assert {
    condition     = azurerm_machine_learning_workspace.main.identity[0].type == "SystemAssigned, UserAssigned"
    error_message = "The workspace keeps its own identity beside that of the key."
  }
}

run "the_platform_is_watched" {
  command = plan

  variables {
    enable_aks_deployment = true
    enable_api_management = true
    enable_redis_cache    = true
    api_management_sku    = "StandardV2_1"
    monthly_budget        = 1000
    locks_enabled         = true
  }

  assert {
    condition = { for part, rule in azurerm_monitor_metric_alert.capacity : part => "${one(rule.criteria).metric_name} ${one(rule.criteria).aggregation}" } == {
      redis        = "serverLoad Maximum"
      gateway      = "CpuPercent_Gateway Average"
      nodes-cpu    = "node_cpu_usage_percentage Average"
      nodes-memory = "node_memory_working_set_percentage Average"
      nodes-disk   = "node_disk_usage_percentage Average"
      pods-waiting = "cluster_autoscaler_unschedulable_pods_count Average"
    }
    error_message = "Redis, the gateway and the nodes are watched by metrics that they have."
  }
  assert {
    condition     = toset([for name in ["nodes-cpu", "nodes-memory", "nodes-disk"] : one(one(azurerm_monitor_metric_alert.capacity[name].criteria).dimension).name]) == toset(["node"]) && length(one(azurerm_monitor_metric_alert.capacity["pods-waiting"].criteria).dimension) == 0
    error_message = "Each node is judged by itself."
  }
  assert {
    condition     = azurerm_consumption_budget_resource_group.main[0].amount == 1000 && endswith(one(azurerm_consumption_budget_resource_group.main[0].time_period).start_date, "-01T00:00:00Z") && { for one in azurerm_consumption_budget_resource_group.main[0].notification : one.threshold_type => one.threshold } == { Actual = 80, Forecasted = 100 }
    error_message = "Who gets alerts hears of the budget before it is spent."
  }
  assert {
    condition     = toset(keys(azurerm_management_lock.main)) == toset(["storage", "vault"])
    error_message = "What can't be made again can't be deleted by hand; deployments and saved searches can, as a rollout and an apply do."
  }
  assert {
    condition     = toset(keys(azurerm_monitor_diagnostic_setting.audit)) == toset(["redis", "registry", "storage", "workspace"]) && endswith(azurerm_monitor_diagnostic_setting.audit["storage"].target_resource_id, "/blobServices/default")
    error_message = "Who changes models, images and blobs is logged."
  }
  assert {
    condition     = azurerm_kubernetes_cluster.main[0].maintenance_window_node_os[0].day_of_week == "Sunday" && azurerm_kubernetes_cluster.main[0].maintenance_window_auto_upgrade[0].start_time == "01:00"
    error_message = "Nodes are drained in the window only."
  }
  assert {
    condition     = toset([for log in azurerm_monitor_diagnostic_setting.cluster[0].enabled_log : log.category]) == var.aks_log_categories
    error_message = "The control plane's logs are those of the variable."
  }
  assert {
    condition     = azurerm_api_management_product_policy.inference[0].xml_content == file("policies/product-v2.xml")
    error_message = "v2 tiers have no quota-by-key."
  }
}

run "managed_redis_alone" {
  command = plan

  variables {
    enable_redis_cache = true
  }

  assert {
    condition     = azurerm_managed_redis.main[0].default_database[0].eviction_policy == "AllKeysLRU" && azurerm_managed_redis.main[0].default_database[0].clustering_policy == "EnterpriseCluster"
    error_message = "Azure Managed Redis evicts the least recently used of all keys, and any client can talk to it."
  }
  assert {
    condition     = azurerm_managed_redis.main[0].default_database[0].client_protocol == "Encrypted" && !azurerm_managed_redis.main[0].default_database[0].access_keys_authentication_enabled
    error_message = "TLS, Entra ID, no keys."
  }
  assert {
    condition     = azurerm_managed_redis_access_policy_assignment.endpoint[0].object_id == "00000000-0000-0000-0000-000000000009" && length(azurerm_key_vault_secret.redis) == 0
    error_message = "The endpoint's identity may use it; there is no password to keep."
  }
  assert {
    condition     = output.redis_environment.REDIS_HOST == "redis.westeurope.redis.azure.net" && output.redis_environment.REDIS_AUTH == "entra"
    error_message = "The output is what a deployment's environment_variables need."
  }
}

run "classic_redis" {
  command = plan

  variables {
    enable_redis_cache = true
    redis_tier         = "classic"
  }

  assert {
    condition     = azurerm_redis_cache.classic[0].sku_name == "Standard" && azurerm_redis_cache.classic[0].family == "C" && azurerm_redis_cache.classic[0].capacity == 1
    error_message = "The guide's cache is a Standard C1."
  }
  assert {
    condition     = azurerm_redis_cache.classic[0].minimum_tls_version == "1.2" && !azurerm_redis_cache.classic[0].non_ssl_port_enabled && azurerm_redis_cache.classic[0].redis_configuration[0].maxmemory_policy == "allkeys-lru"
    error_message = "TLS 1.2, no plain port, least recently used first."
  }
  assert {
    condition     = length(azurerm_key_vault_secret.redis) == 1 && length(azurerm_managed_redis.main) == 0
    error_message = "Its key is in the vault, and there is no second cache."
  }
  assert {
    condition     = output.redis_environment.REDIS_PASSWORD == "$${{keyvault:https://kv.vault.azure.net/secrets/redis-password}}"
    error_message = "A deployment gets a reference to the key, not the key."
  }
}

run "all_but_redis" {
  command = plan

  variables {
    enable_aks_deployment = true
    enable_api_management = true
  }

  assert {
    condition     = output.redis_environment == {} && output.cluster != null && output.gateway_url != null
    error_message = "A cluster and a gateway need no cache."
  }
}

run "all_but_api_management" {
  command = plan

  variables {
    enable_aks_deployment = true
    enable_redis_cache    = true
    redis_sign_values     = true
    redis_signing_key     = "a key of this test"
    aks_fqdn_policies     = true
  }

  assert {
    condition     = length(azurerm_managed_redis_access_policy_assignment.workload) == 1 && length(azurerm_role_definition.scorer) == 0
    error_message = "Pods use the cache; without a gateway there is no role for one."
  }
  assert {
    condition     = azurerm_key_vault_secret.signing[0].name == "scoring-cache-key" && length(azurerm_role_assignment.endpoint_signs) == 1 && length(azurerm_role_assignment.workload_signs) == 1
    error_message = "The key is in the vault, where the endpoint and the pods may read it."
  }
  assert {
    condition     = output.redis_environment.SCORING_CACHE_KEY == "$${{keyvault:https://kv.vault.azure.net/secrets/scoring-cache-key}}"
    error_message = "A deployment gets a reference to the key, not the key."
  }
  assert {
    condition     = azurerm_kubernetes_cluster.main[0].network_profile[0].advanced_networking[0].security_enabled
    error_message = "Policies by name need Advanced Container Networking Services."
  }
}

run "all_but_aks" {
  command = plan

  variables {
    enable_api_management = true
    enable_redis_cache    = true
    github_repository     = "example/scoring"
    azure_devops_connections = {
      register = { issuer = "https://login.microsoftonline.com/tenant/v2.0", subject = "/eid1/c/pub/t/a/sc/register" }
    }
  }

  assert {
    condition     = length(azurerm_managed_redis_access_policy_assignment.workload) == 0 && length(azurerm_user_assigned_identity.workload) == 0
    error_message = "Without a cluster there are no identities for pods."
  }
  assert {
    condition     = { for job, credential in azurerm_federated_identity_credential.github : job => credential.subject } == { production = "repo:example/scoring:environment:production", register = "repo:example/scoring:environment:register" }
    error_message = "Each environment of the repository acts as an identity of its own."
  }
  assert {
    condition     = keys(azurerm_federated_identity_credential.azure_devops) == ["register"] && azurerm_federated_identity_credential.azure_devops["register"].subject == "/eid1/c/pub/t/a/sc/register"
    error_message = "A service connection is let in by what Azure DevOps shows."
  }
  assert {
    condition     = keys(azurerm_role_assignment.pipeline) == ["production autoscaler", "production data_scientist", "production traffic_log", "production uploads", "register registrar", "register uploads"]
    error_message = "The job that registers can't deploy."
  }
  assert {
    condition     = azurerm_role_assignment.pipeline["production autoscaler"].scope == azurerm_resource_group.main.id && azurerm_role_assignment.pipeline["register registrar"].scope == azurerm_machine_learning_workspace.main.id
    error_message = "Autoscale settings lie in the resource group, models in the workspace."
  }
  assert {
    condition     = keys(output.pipeline_client_ids) == ["production", "register"] && output.pipeline_variables.AZURE_TENANT_ID == "00000000-0000-0000-0000-000000000004"
    error_message = "What the pipelines need is an output."
  }
}

run "everything_in_a_private_network" {
  command = plan

  variables {
    enable_aks_deployment   = true
    enable_api_management   = true
    enable_redis_cache      = true
    private_network_enabled = true
    api_management_sku      = "StandardV2_1"
    api_clients             = ["web"]
    agents_network_id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-agents/providers/Microsoft.Network/virtualNetworks/vnet-agents"

    managed_redis_outbound_rule = true

    github_repository   = "example/scoring"
    deployer_object_ids = ["00000000-0000-0000-0000-000000000006"]
    alert_emails        = ["on-call@example.com"]
    alert_webhooks      = { chat = "https://chat.example.com/hook" }
  }

  assert {
    condition     = toset(keys(azurerm_private_endpoint.main)) == toset(["vault", "blob", "file", "registry", "workspace", "redis"])
    error_message = "Each service has a private endpoint."
  }
  assert {
    condition     = !azurerm_key_vault.main.public_network_access_enabled && !azurerm_storage_account.main.public_network_access_enabled && !azurerm_container_registry.main.public_network_access_enabled && !azurerm_machine_learning_workspace.main.public_network_access_enabled && azurerm_managed_redis.main[0].public_network_access == "Disabled" && azurerm_kubernetes_cluster.main[0].private_cluster_enabled
    error_message = "None of them answers on a public address."
  }
  assert {
    condition     = !azurerm_container_registry.main.export_policy_enabled
    error_message = "No image is copied out past the network."
  }
  assert {
    condition     = azurerm_virtual_network_peering.to_agents[0].remote_virtual_network_id == var.agents_network_id && azurerm_virtual_network_peering.from_agents[0].resource_group_name == "rg-agents" && azurerm_virtual_network_peering.from_agents[0].virtual_network_name == "vnet-agents"
    error_message = "The agents' network and ours know each other."
  }
  assert {
    condition     = keys(azurerm_private_dns_zone_virtual_network_link.agents) == keys(azurerm_private_dns_zone.main) && length(azurerm_private_dns_zone.main) == 7
    error_message = "The agents' network resolves each private name."
  }
  assert {
    condition     = toset(keys(azurerm_role_assignment.workspace_approves)) == toset(["vault", "blob", "registry", "redis"])
    error_message = "The workspace's identity approves the connections of Azure ML's own network."
  }
  assert {
    condition     = azapi_resource.redis_outbound[0].body.properties.destination.subresourceTarget == "redisEnterprise"
    error_message = "Azure ML's own network reaches the cache, where asked for."
  }
  assert {
    condition     = length(azurerm_managed_redis_access_policy_assignment.workload) == 1
    error_message = "The pods' identity may use the cache too."
  }
  assert {
    condition     = toset(keys(azurerm_role_assignment.deployer)) == toset([for role in ["data_scientist", "uploads", "traffic_log", "autoscaler", "images", "credentials", "objects"] : "00000000-0000-0000-0000-000000000006 ${role}"])
    error_message = "A person who deploys has the roles of the job that does, and those for the cluster."
  }
}

run "a_network_that_is_there" {
  command = plan

  variables {
    enable_aks_deployment   = true
    private_network_enabled = true
    existing_network = {
      id                   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub"
      endpoints_subnet_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints"
      aks_subnet_id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/aks"
      private_dns_zone_ids = { "privatelink.vaultcore.azure.net" = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net" }
    }
  }

  assert {
    condition     = length(azurerm_virtual_network.main) + length(azurerm_subnet.main) + length(azurerm_network_security_group.main) + length(azurerm_virtual_network_peering.to_agents) == 0
    error_message = "No second network is made."
  }
  assert {
    condition     = alltrue([for endpoint in azurerm_private_endpoint.main : endpoint.subnet_id == var.existing_network.endpoints_subnet_id]) && azurerm_kubernetes_cluster.main[0].default_node_pool[0].vnet_subnet_id == var.existing_network.aks_subnet_id
    error_message = "Private endpoints and nodes are in the subnets that were named."
  }
  assert {
    condition     = !contains(keys(azurerm_private_dns_zone.main), "privatelink.vaultcore.azure.net") && length(azurerm_private_dns_zone.main) == 5
    error_message = "Only the zones that are missing are made."
  }
  assert {
    condition     = azurerm_private_endpoint.main["vault"].private_dns_zone_group[0].private_dns_zone_ids == tolist([var.existing_network.private_dns_zone_ids["privatelink.vaultcore.azure.net"]])
    error_message = "A zone that is there gets the vault's name."
  }
  assert {
    condition     = alltrue([for link in azurerm_private_dns_zone_virtual_network_link.main : link.virtual_network_id == var.existing_network.id])
    error_message = "The network resolves the zones that are made."
  }
}

run "a_cluster_open_to_all" {
  command = plan

  variables {
    enable_aks_deployment    = true
    aks_authorized_ip_ranges = []
  }

  expect_failures = [azurerm_kubernetes_cluster.main]
}
