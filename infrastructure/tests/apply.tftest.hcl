# Applies with all flags, then with none: values that are known only after an apply must fit together too. In a file of its
# own, because mocked values that a plan already had (override_during) may not change in an apply.

mock_provider "azurerm" {
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
  redis_signing_key        = "a key of this test" # terraform test applies no plan that left an ephemeral variable unset
}

run "no_flag" {
  command = apply

  assert {
    condition     = output.scoring_url == "https://diabetes-classifier.westeurope.inference.ml.azure.com/score"
    error_message = "The endpoint's address is an output."
  }
}

run "the_state_of_another_environment" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [terraform_data.environment]
}

run "a_part_of_the_state_of_another_environment" {
  command = plan

  plan_options {
    target = [azurerm_key_vault.main]
  }

  variables {
    environment = "prod"
  }

  expect_failures = [terraform_data.environment]
}

run "the_same_environment_again" {
  command = plan

  assert {
    condition     = terraform_data.environment.output == "scoring-test"
    error_message = "The state keeps whose it is."
  }
}

run "all_flags" {
  command = apply

  variables {
    enable_aks_deployment  = true
    enable_api_management  = true
    enable_redis_cache     = true
    aks_managed_prometheus = true
    deployer_object_ids    = ["00000000-0000-0000-0000-000000000010"]
    redis_sign_values      = true
    probe_request          = "{\"data\": [[1, 2]]}"
    api_clients            = ["web"]
    cors_allowed_origins   = ["https://app.example.com", "https://admin.example.com"]
  }

  assert {
    condition     = output.prometheus_url == "https://prometheus.westeurope.prometheus.monitor.azure.com" && output.keda_client_id == "00000000-0000-0000-0000-000000000002" && length(azurerm_kubernetes_cluster.main[0].monitor_metrics) == 1
    error_message = "KEDA reads managed Prometheus as an identity of its own, and the cluster writes to it."
  }
  assert {
    condition     = azurerm_role_assignment.deployer["00000000-0000-0000-0000-000000000010 objects"].scope == "${azurerm_kubernetes_cluster.main[0].id}/namespaces/ml-inference"
    error_message = "Who deploys writes objects of one namespace."
  }

  assert {
    condition     = output.gateway_score_url == "https://apim.azure-api.net/inference/score" && output.workload_client_id == "00000000-0000-0000-0000-000000000002"
    error_message = "What clients and manifests need is an output."
  }
  assert {
    condition     = strcontains(azurerm_api_management_api_policy.inference[0].xml_content, "<allowed-origins><origin>https://app.example.com</origin><origin>https://admin.example.com</origin></allowed-origins>")
    error_message = "The policy allows the origins of the variable."
  }
}

run "classic_redis" {
  command = apply

  variables {
    enable_aks_deployment = true
    enable_redis_cache    = true
    redis_tier            = "classic"
  }

  assert {
    condition     = azurerm_role_assignment.workload_secrets[0].scope == azurerm_key_vault_secret.redis[0].resource_versionless_id
    error_message = "Pods may read this secret, not the vault."
  }

  assert {
    condition     = azurerm_key_vault_secret.redis[0].value == null && azurerm_key_vault_secret.redis[0].value_wo_version == 1
    error_message = "The secret is written and not kept in the state."
  }
}
