# What is refused before Azure is asked.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = {
      tenant_id = "00000000-0000-0000-0000-000000000004"
      object_id = "00000000-0000-0000-0000-000000000005"
    }
  }
}

mock_provider "azapi" {}

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

run "one_instance" {
  command = plan

  variables {
    autoscale = { minimum = 1, maximum = 10 }
  }

  expect_failures = [var.autoscale]
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
