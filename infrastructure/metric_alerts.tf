# Alerts on what the platform itself measures at the online endpoint: they need neither logs nor a container that answers.

locals {
  # A number, since a metric alert knows no shares: ten a minute of one code over five minutes. At the 500 requests a second
  # that an endpoint allows that is 0.03 %: raise it for traffic that large.
  endpoint_alerts = {
    platform = { name = "InferenceEndpointFailing", dimension = "statusCode", above = 10, severity = 1 }      # no container, or none that answers
    model    = { name = "InferenceEndpointFailing", dimension = "modelStatusCode", above = 10, severity = 1 } # answered, which clients see as 424
  }
}

resource "azurerm_monitor_metric_alert" "endpoint" {
  for_each = local.endpoint_alerts

  name                = "${each.value.name}-${each.key}-${local.name}"
  description         = "More than ${each.value.above} answers a minute with a ${each.value.dimension} of 5xx. ${var.runbook_url}#${lower(each.value.name)}"
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
    skip_metric_validation = true # the metric is not there before the first request

    dimension {
      name     = each.value.dimension
      operator = "StartsWith"
      values   = ["5"]
    }
  }

  action {
    action_group_id    = azurerm_monitor_action_group.main.id
    webhook_properties = { runbook_url = "${var.runbook_url}#${lower(each.value.name)}" }
  }
}
