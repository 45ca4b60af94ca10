locals {
  api_management_v2 = strcontains(var.api_management_sku, "V2_")

  # cors needs an origin, and none of its origins may be an expression or a named value.
  policy_origins = length(var.cors_allowed_origins) > 0 ? var.cors_allowed_origins : ["https://none.invalid"]
}

resource "azurerm_api_management" "main" {
  #checkov:skip=CKV_AZURE_107:Clients come from the internet; the backend is reached by an identity that may only score
  #checkov:skip=CKV_AZURE_174:Clients come from the internet
  count = var.enable_api_management ? 1 : 0

  name                 = local.names.api_management
  location             = azurerm_resource_group.main.location
  resource_group_name  = azurerm_resource_group.main.name
  sku_name             = var.api_management_sku
  publisher_name       = var.api_publisher.name
  publisher_email      = var.api_publisher.email
  virtual_network_type = var.gateway_in_network ? "External" : "None" # clients come from the internet in both
  tags                 = local.tags

  dynamic "virtual_network_configuration" {
    for_each = var.gateway_in_network ? [azurerm_subnet.main["gateway"].id] : []
    content {
      subnet_id = virtual_network_configuration.value
    }
  }

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_api_management_backend" "scoring" {
  #checkov:skip=CKV_AZURE_215:Azure ML's scoring addresses are https; checkov doesn't know them before they exist
  count = var.enable_api_management ? 1 : 0

  name                = "scoring"
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
  protocol            = "http"
  url                 = trimsuffix(azapi_resource.endpoint.output.properties.scoringUri, "/score")

  tls {
    validate_certificate_chain = true
    validate_certificate_name  = true
  }

  # Not on 424: a managed endpoint passes on the model's own refusals by it.
  circuit_breaker_rule {
    name                       = "platform-errors"
    trip_duration              = "PT30S"
    accept_retry_after_enabled = true

    failure_condition {
      percentage        = 50
      interval_duration = "PT1M"

      status_code_range {
        min = 500
        max = 599
      }
    }
  }
}

resource "azurerm_api_management_api" "inference" {
  count = var.enable_api_management ? 1 : 0

  name                  = "inference"
  display_name          = "Inference"
  path                  = "inference"
  revision              = "1"
  protocols             = ["https"]
  subscription_required = true
  api_management_name   = azurerm_api_management.main[0].name
  resource_group_name   = azurerm_resource_group.main.name
}

resource "azurerm_api_management_api_operation" "score" {
  count = var.enable_api_management ? 1 : 0

  operation_id        = "score"
  display_name        = "Score"
  method              = "POST"
  url_template        = "/score"
  api_name            = azurerm_api_management_api.inference[0].name
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
}

resource "azurerm_api_management_policy_fragment" "main" {
  for_each = var.enable_api_management ? toset(["scoring-request", "scoring-error"]) : []

  name              = each.key
  api_management_id = azurerm_api_management.main[0].id
  format            = "rawxml"
  value             = file("${path.module}/policies/fragments/${each.key}.xml")
}

resource "azurerm_api_management_api_policy" "inference" {
  count = var.enable_api_management ? 1 : 0

  api_name            = azurerm_api_management_api.inference[0].name
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
  xml_content = templatefile("${path.module}/policies/api.xml", {
    allowed_origins = join("", [for origin in local.policy_origins : "<origin>${origin}</origin>"])
    front_door_id   = var.front_door_id == null ? "" : var.front_door_id
  })

  depends_on = [azurerm_api_management_backend.scoring, azurerm_api_management_policy_fragment.main]
}

resource "azurerm_api_management_product" "inference" {
  count = var.enable_api_management ? 1 : 0

  product_id            = "inference"
  display_name          = "Inference"
  published             = true
  subscription_required = true
  approval_required     = true
  subscriptions_limit   = 10
  api_management_name   = azurerm_api_management.main[0].name
  resource_group_name   = azurerm_resource_group.main.name
}

resource "azurerm_api_management_product_api" "inference" {
  count = var.enable_api_management ? 1 : 0

  product_id          = azurerm_api_management_product.inference[0].product_id
  api_name            = azurerm_api_management_api.inference[0].name
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
}

# A million calls in 30 days: by key if the tier can count so, else by the product's subscription.
resource "azurerm_api_management_product_policy" "inference" {
  count = var.enable_api_management ? 1 : 0

  product_id          = azurerm_api_management_product.inference[0].product_id
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
  xml_content         = file("${path.module}/policies/${local.api_management_v2 ? "product-v2" : "product"}.xml")
}

resource "azurerm_api_management_subscription" "client" {
  for_each = var.enable_api_management ? var.api_clients : []

  display_name        = each.key
  product_id          = azurerm_api_management_product.inference[0].id
  state               = "active"
  allow_tracing       = false
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
}

# One trace from the caller through the gateway, by W3C headers.
resource "azurerm_api_management_logger" "insights" {
  count = var.enable_api_management ? 1 : 0

  name                = "insights"
  api_management_name = azurerm_api_management.main[0].name
  resource_group_name = azurerm_resource_group.main.name
  resource_id         = azurerm_application_insights.main.id

  application_insights {
    connection_string = azurerm_application_insights.main.connection_string
  }
}

resource "azurerm_api_management_api_diagnostic" "inference" {
  count = var.enable_api_management ? 1 : 0

  identifier                = "applicationinsights"
  api_name                  = azurerm_api_management_api.inference[0].name
  api_management_name       = azurerm_api_management.main[0].name
  resource_group_name       = azurerm_resource_group.main.name
  api_management_logger_id  = azurerm_api_management_logger.insights[0].id
  http_correlation_protocol = "W3C"
  sampling_percentage       = 20
  always_log_errors         = true
  log_client_ip             = false
  verbosity                 = "error"
}

resource "azurerm_monitor_diagnostic_setting" "gateway" {
  count = var.enable_api_management ? 1 : 0

  name                           = "gateway"
  target_resource_id             = azurerm_api_management.main[0].id
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.main.id
  log_analytics_destination_type = "Dedicated"

  enabled_log {
    category = "GatewayLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}
