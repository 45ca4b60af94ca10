# Alerts on what the platform itself measures at the online endpoint: they need neither logs nor a container that answers.

locals {
  # A number, because a metric alert can't compute shares: ten a minute of one code over five minutes. At the 500 requests a
  # second that an endpoint allows, that is 0.03 %: raise it for traffic that large.
  endpoint_alerts = {
    platform = {
      name       = "InferenceEndpointFailing", above = 10, severity = 1
      dimensions = [{ name = "statusCode", operator = "StartsWith", values = ["5"] }]
    }

    # The platform answers 404 if no deployment has traffic.
    traffic = {
      name       = "InferenceEndpointFailing", above = 10, severity = 1
      dimensions = [{ name = "statusCode", operator = "Include", values = ["404"] }]
    }

    # The platform answers 424 if the server gave no answer, or one other than 200: count all but what it refused its clients.
    model = {
      name = "InferenceEndpointFailing", above = 10, severity = 1
      dimensions = [
        { name = "statusCode", operator = "Include", values = ["424"] },
        { name = "modelStatusCode", operator = "Exclude", values = ["400", "404", "405", "406", "408", "413", "415", "422", "431", "499"] },
      ]
    }
  }
}

resource "azurerm_monitor_metric_alert" "endpoint" {
  for_each = local.endpoint_alerts

  name                = "${each.value.name}-${each.key}-${local.name}"
  description         = "More than ${each.value.above} requests a minute fail, by their status (${each.key}). ${var.runbook_url}#${lower(each.value.name)}"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azapi_resource.endpoint.id]
  severity            = each.value.severity
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.tags

  criteria {
    metric_namespace       = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    metric_name            = "RequestsPerMinute"
    aggregation            = "Average" # the only one that this metric has
    operator               = "GreaterThan"
    threshold              = each.value.above
    skip_metric_validation = true # the metric does not exist before the first request

    dynamic "dimension" {
      for_each = each.value.dimensions
      content {
        name     = dimension.value.name
        operator = dimension.value.operator
        values   = dimension.value.values
      }
    }
  }

  action {
    action_group_id    = azurerm_monitor_action_group.main.id
    webhook_properties = { runbook_url = "${var.runbook_url}#${lower(each.value.name)}" }
  }
}
