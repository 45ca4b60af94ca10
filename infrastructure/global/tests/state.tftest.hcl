# A state belongs to one root. Applies, so in a file of its own: values that a plan already mocked may not change in an apply.

mock_provider "azurerm" {
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

run "what_regions_share" {
  command = apply

  assert {
    condition     = terraform_data.environment.output == "scoring-global" && output.score_url == "https://scoring-abc.z01.azurefd.net/inference/score"
    error_message = "The state records whose it is."
  }
}

run "the_state_of_something_else" {
  command = plan

  variables {
    project = "other"
  }

  expect_failures = [terraform_data.environment]
}
