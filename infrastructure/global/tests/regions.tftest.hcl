# What two regions share, by plan.

mock_provider "azurerm" {
  override_during = plan

  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" }
  }
  mock_resource "azurerm_cdn_frontdoor_profile" {
    defaults = {
      id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cdn/profiles/afd"
      resource_guid = "00000000-0000-0000-0000-000000000001"
    }
  }
  mock_resource "azurerm_cdn_frontdoor_endpoint" {
    defaults = {
      id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cdn/profiles/afd/afdEndpoints/scoring"
      host_name = "scoring-abc.z01.azurefd.net"
    }
  }
  mock_resource "azurerm_cdn_frontdoor_origin_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cdn/profiles/afd/originGroups/regions" }
  }
  mock_resource "azurerm_cdn_frontdoor_origin" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Cdn/profiles/afd/originGroups/regions/origins/region" }
  }
  mock_resource "azurerm_cdn_frontdoor_firewall_policy" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/frontDoorWebApplicationFirewallPolicies/waf" }
  }
}

mock_provider "azapi" {
  override_during = plan

  mock_resource "azapi_resource" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.MachineLearningServices/registries/mlr" }
  }
}

variables {
  subscription_id = "00000000-0000-0000-0000-000000000000"
  regions = {
    swedencentral = { gateway_host = "apim-scoring-prod2-22222.azure-api.net", weight = 100 }
    westeurope    = { gateway_host = "apim-scoring-prod-11111.azure-api.net", weight = 900 }
  }
}

run "two_regions_share_traffic_by_weight" {
  command = plan

  assert {
    condition     = { for region, origin in azurerm_cdn_frontdoor_origin.region : region => origin.weight } == { swedencentral = 100, westeurope = 900 } && toset([for origin in azurerm_cdn_frontdoor_origin.region : origin.priority]) == toset([1])
    error_message = "Each region gets its weight; none waits for the other to fail."
  }
  assert {
    condition     = !azurerm_cdn_frontdoor_origin_group.regions.session_affinity_enabled && one(azurerm_cdn_frontdoor_origin_group.regions.load_balancing).additional_latency_in_milliseconds == 1000
    error_message = "Neither a cookie nor the distance outdoes the weights."
  }
  assert {
    condition     = one(azurerm_cdn_frontdoor_origin_group.regions.health_probe).request_type == "GET" && one(azurerm_cdn_frontdoor_origin_group.regions.health_probe).path == "/health"
    error_message = "The probe asks the operation that needs no key."
  }
  assert {
    condition     = alltrue([for origin in azurerm_cdn_frontdoor_origin.region : origin.certificate_name_check_enabled && origin.origin_host_header == origin.host_name]) && azurerm_cdn_frontdoor_route.main.forwarding_protocol == "HttpsOnly"
    error_message = "Front Door reaches API Management by TLS, under its own name."
  }
  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.main.mode == "Prevention" && azurerm_cdn_frontdoor_firewall_policy.main.sku_name == "Premium_AzureFrontDoor" && one(one(one(azurerm_cdn_frontdoor_security_policy.main.security_policies).firewall).association).patterns_to_match == tolist(["/*"])
    error_message = "The firewall stands before every path."
  }
  assert {
    condition     = output.score_url == "https://scoring-abc.z01.azurefd.net/inference/score" && output.front_door_id == "00000000-0000-0000-0000-000000000001" && output.model_registry == null
    error_message = "Clients get the address, regions the id."
  }
  assert {
    condition     = length(azapi_resource.models) + length(azurerm_role_assignment.models) + length(azurerm_monitor_diagnostic_setting.front_door) == 0
    error_message = "What costs more is made when asked for."
  }
}

run "a_region_is_taken_out" {
  command = plan

  variables {
    regions = {
      swedencentral = { gateway_host = "apim-scoring-prod2-22222.azure-api.net", enabled = false }
      westeurope    = { gateway_host = "apim-scoring-prod-11111.azure-api.net" }
    }
  }

  assert {
    condition     = { for region, origin in azurerm_cdn_frontdoor_origin.region : region => origin.enabled } == { swedencentral = false, westeurope = true }
    error_message = "A region stays known while it gets nothing."
  }
}

run "models_are_copied_to_each_region" {
  command = plan

  variables {
    model_registry_enabled     = true
    model_registry_user_ids    = ["00000000-0000-0000-0000-000000000002"]
    action_group_ids           = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/ag"]
    log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log"
  }

  assert {
    condition     = [for region in azapi_resource.models[0].body.properties.regionDetails : region.location] == ["swedencentral", "westeurope"]
    error_message = "The registry has each region."
  }
  assert {
    condition     = azurerm_role_assignment.models["00000000-0000-0000-0000-000000000002"].role_definition_name == "AzureML Registry User"
    error_message = "Pipelines publish, endpoints read."
  }
  assert {
    condition     = one(azurerm_monitor_metric_alert.region.action).action_group_id == one(var.action_group_ids) && azurerm_monitor_diagnostic_setting.front_door[0].log_analytics_workspace_id == var.log_analytics_workspace_id
    error_message = "A region that fails its probes is told to who gets alerts."
  }
}
