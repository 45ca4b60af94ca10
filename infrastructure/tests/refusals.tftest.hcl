# What Terraform refuses before it calls Azure.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = {
      tenant_id = "00000000-0000-0000-0000-000000000004"
      object_id = "00000000-0000-0000-0000-000000000005"
    }
  }
}

mock_provider "azapi" {}

mock_provider "time" {}

variables {
  subscription_id          = "00000000-0000-0000-0000-000000000000"
  environment              = "test"
  aks_authorized_ip_ranges = ["203.0.113.0/24"]
  api_publisher            = { name = "Test", email = "test@example.com" }
}

run "a_tier_without_rates_by_key" {
  command = plan

  variables {
    enable_api_management = true
    api_management_sku    = "Consumption_0"
  }

  expect_failures = [var.api_management_sku]
}

run "a_tier_that_does_not_exist" {
  command = plan

  variables {
    api_management_sku = "DeveloperV2_1"
  }

  expect_failures = [var.api_management_sku]
}

run "a_gateway_without_a_publisher" {
  command = plan

  variables {
    enable_api_management = true
    api_publisher         = null
  }

  expect_failures = [var.api_publisher]
}

run "any_origin" {
  command = plan

  variables {
    cors_allowed_origins = ["*"]
  }

  expect_failures = [var.cors_allowed_origins]
}

run "a_cluster_open_to_all" {
  command = plan

  variables {
    enable_aks_deployment    = true
    aks_authorized_ip_ranges = []
  }

  expect_failures = [azurerm_kubernetes_cluster.main]
}

run "a_redis_for_cluster_clients_only" {
  command = plan

  variables {
    managed_redis_sku = "Balanced_B50"
  }

  expect_failures = [var.managed_redis_sku]
}

run "a_private_network_without_a_way_in" {
  command = plan

  variables {
    private_network_enabled = true
  }

  expect_failures = [var.agents_network_id]
}

run "agents_in_another_subscription" {
  command = plan

  variables {
    agents_network_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet"
  }

  expect_failures = [var.agents_network_id]
}

run "a_peering_of_a_network_that_is_not_ours" {
  command = plan

  variables {
    agents_network_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-agents/providers/Microsoft.Network/virtualNetworks/vnet-agents"
    existing_network = {
      id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub"
      endpoints_subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints"
    }
  }

  expect_failures = [var.agents_network_id]
}

run "a_subnet_of_another_network" {
  command = plan

  variables {
    existing_network = {
      id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub"
      endpoints_subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub-2/subnets/endpoints"
    }
  }

  expect_failures = [var.existing_network]
}

run "a_cluster_without_a_subnet" {
  command = plan

  variables {
    enable_aks_deployment = true
    existing_network = {
      id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub"
      endpoints_subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints"
    }
  }

  expect_failures = [var.existing_network]
}

run "a_repository_by_its_address" {
  command = plan

  variables {
    github_repository = "https://github.com/example/scoring"
  }

  expect_failures = [var.github_repository]
}

run "a_connection_for_no_job" {
  command = plan

  variables {
    azure_devops_connections = { deploy = { issuer = "https://login.microsoftonline.com/tenant/v2.0", subject = "/eid1" } }
  }

  expect_failures = [var.azure_devops_connections]
}

run "a_name_too_long_for_a_storage_account" {
  command = plan

  variables {
    project = "recommendations"
  }

  expect_failures = [var.project]
}

run "a_runbook_without_https" {
  command = plan

  variables {
    runbook_url = "http://wiki.example.com/runbook"
  }

  expect_failures = [var.runbook_url]
}

run "a_runbook_with_a_fragment" {
  command = plan

  variables {
    runbook_url = "https://wiki.example.com/runbook#alerts"
  }

  expect_failures = [var.runbook_url]
}

run "a_probe_without_a_gateway" {
  command = plan

  variables {
    probe_request = "{\"data\": [[1, 2]]}"
  }

  expect_failures = [var.probe_request]
}

run "a_probe_that_is_no_json" {
  command = plan

  variables {
    enable_api_management = true
    probe_request         = "endpoints/sample-request.json"
  }

  expect_failures = [var.probe_request]
}
