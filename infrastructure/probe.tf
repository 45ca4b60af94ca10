# A probe from outside: Azure sends one real request from five places, each every five minutes, through API Management to the
# model. It sees what clients see, whether or not they ask, and whatever is logged.

locals {
  probed = var.probe_request == null ? [] : [var.probe_request]
}

resource "azurerm_api_management_subscription" "probe" {
  count = length(local.probed)

  display_name        = "availability test"
  product_id          = azurerm_api_management_product.inference[0].id
  state               = "active"
  allow_tracing       = false
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
}

resource "azurerm_application_insights_standard_web_test" "score" {
  count = length(local.probed)

  name                    = "score-${local.name}"
  location                = azurerm_resource_group.main.location
  resource_group_name     = azurerm_resource_group.main.name
  application_insights_id = azurerm_application_insights.main.id
  enabled                 = true
  retry_enabled           = true
  frequency               = 300
  timeout                 = 30
  geo_locations           = ["emea-nl-ams-azr", "emea-gb-db3-azr", "emea-fr-pra-edge", "us-va-ash-azr", "apac-sg-sin-azr"]
  tags                    = local.tags

  request {
    url                              = "${azurerm_api_management.main[0].gateway_url}/inference/score"
    http_verb                        = "POST"
    body                             = local.probed[count.index]
    follow_redirects_enabled         = false
    parse_dependent_requests_enabled = false

    header {
      name  = "Content-Type"
      value = "application/json"
    }
    header {
      name  = "Ocp-Apim-Subscription-Key"
      value = azurerm_api_management_subscription.probe[0].primary_key
    }
    dynamic "header" {
      for_each = compact([var.front_door_id]) # it asks this region, whatever Front Door does
      content {
        name  = "X-Azure-FDID"
        value = header.value
      }
    }
  }

  validation_rules {
    expected_status_code        = 200
    ssl_check_enabled           = true
    ssl_cert_remaining_lifetime = 7
  }
}

# The same request, for Front Door: infrastructure/global/ asks for /health without a key.
resource "azurerm_api_management_api" "health" {
  count = length(local.probed)

  name                  = "health"
  display_name          = "Health"
  path                  = "health"
  revision              = "1"
  protocols             = ["https"]
  subscription_required = false
  api_management_name   = azurerm_api_management.main[0].name
  resource_group_name   = azurerm_resource_group.main.name
}

resource "azurerm_api_management_api_operation" "health" {
  count = length(local.probed)

  operation_id        = "health"
  display_name        = "Health"
  method              = "GET"
  url_template        = "/"
  api_name            = azurerm_api_management_api.health[0].name
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
}

resource "azurerm_api_management_api_policy" "health" {
  count = length(local.probed)

  api_name            = azurerm_api_management_api.health[0].name
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
  xml_content = templatefile("${path.module}/policies/health.xml", {
    request = replace(replace(local.probed[count.index], "&", "&amp;"), "<", "&lt;")
  })

  depends_on = [azurerm_api_management_backend.scoring]
}

resource "azurerm_monitor_metric_alert" "probe" {
  count = length(local.probed)

  name                = "${local.probe_alert.name}-${local.name}"
  description         = "Requests from ${local.probe_alert.failed_places} of five places fail. ${var.runbook_url}#${lower(local.probe_alert.name)}"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azurerm_application_insights_standard_web_test.score[0].id, azurerm_application_insights.main.id]
  severity            = local.probe_alert.severity
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.tags

  application_insights_web_test_location_availability_criteria {
    web_test_id           = azurerm_application_insights_standard_web_test.score[0].id
    component_id          = azurerm_application_insights.main.id
    failed_location_count = local.probe_alert.failed_places
  }

  action {
    action_group_id    = azurerm_monitor_action_group.main.id
    webhook_properties = { runbook_url = "${var.runbook_url}#${lower(local.probe_alert.name)}" }
  }
}
