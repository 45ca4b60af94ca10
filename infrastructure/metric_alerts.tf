# Alerts on what the platform itself measures, at the online endpoint and at API Management: they need neither logs nor a
# container that answers.

locals {
  # A number, because a metric alert can't compute shares: 1 % of the most that comes, and ten a minute at least.
  failures_a_minute = max(10, ceil(0.01 * 60 * var.peak_requests_per_second))

  endpoint_alerts = {
    platform = {
      name       = "InferenceEndpointFailing", severity = 1
      dimensions = [{ name = "statusCode", operator = "StartsWith", values = ["5"] }]
    }

    # The platform answers 404 if no deployment has traffic.
    traffic = {
      name       = "InferenceEndpointFailing", severity = 1
      dimensions = [{ name = "statusCode", operator = "Include", values = ["404"] }]
    }

    # The platform answers 424 if the server gave no answer, or one other than 200: count all but what it refused its clients.
    model = {
      name = "InferenceEndpointFailing", severity = 1
      dimensions = [
        { name = "statusCode", operator = "Include", values = ["424"] },
        { name = "modelStatusCode", operator = "Exclude", values = ["400", "404", "405", "406", "408", "413", "415", "422", "431", "499"] },
      ]
    }
  }

  # As GatewayFailing on the log, which is minutes late, and silent where nothing is logged.
  gateway_alert = { name = "GatewayFailing", severity = 1 }

  # Clients see nothing yet.
  capacity_alert = { name = "PlatformBusy", severity = 3 }

  # A full cache is no fault: it makes room by itself.
  capacity_metrics = merge(
    { for redis in azurerm_managed_redis.main : "redis" => { resource = redis.id, namespace = "Microsoft.Cache/redisEnterprise", metric = "serverLoad", aggregation = "Maximum", above = 95, each = null } },
    { for redis in azurerm_redis_cache.classic : "redis" => { resource = redis.id, namespace = "Microsoft.Cache/Redis", metric = "serverLoad", aggregation = "Maximum", above = 95, each = null } },
    { for gateway in azurerm_api_management.main : "gateway" => { resource = gateway.id, namespace = "Microsoft.ApiManagement/service", metric = local.api_management_v2 ? "CpuPercent_Gateway" : "Capacity", aggregation = "Average", above = 80, each = null } },
    merge([
      for cluster in azurerm_kubernetes_cluster.main : {
        for part, rule in {
          nodes-cpu    = { metric = "node_cpu_usage_percentage", above = 95, each = "node" }
          nodes-memory = { metric = "node_memory_working_set_percentage", above = 95, each = "node" }
          nodes-disk   = { metric = "node_disk_usage_percentage", above = 80, each = "node" }
          pods-waiting = { metric = "cluster_autoscaler_unschedulable_pods_count", above = 0, each = null }
        } : part => merge(rule, { resource = cluster.id, namespace = "Microsoft.ContainerService/managedClusters", aggregation = "Average" })
      }
    ]...),
  )

  # Three of five places: one that can't reach Azure is no outage.
  probe_alert = { name = "InferenceProbeFailing", severity = 1, failed_places = 3 }
}

resource "azurerm_monitor_metric_alert" "endpoint" {
  for_each = local.endpoint_alerts

  name                = "${each.value.name}-${each.key}-${local.name}"
  description         = "More than ${local.failures_a_minute} requests a minute fail, by their status (${each.key}). ${var.runbook_url}#${lower(each.value.name)}"
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
    threshold              = local.failures_a_minute
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

resource "azurerm_monitor_metric_alert" "gateway" {
  count = var.enable_api_management ? 1 : 0

  name                = "${local.gateway_alert.name}-metric-${local.name}"
  description         = "More than ${local.failures_a_minute} requests a minute are answered with 5xx. ${var.runbook_url}#${lower(local.gateway_alert.name)}"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azurerm_api_management.main[0].id]
  severity            = local.gateway_alert.severity
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.tags

  criteria {
    metric_namespace       = "Microsoft.ApiManagement/service"
    metric_name            = "Requests"
    aggregation            = "Total"
    operator               = "GreaterThan"
    threshold              = 5 * local.failures_a_minute # of the window's five minutes
    skip_metric_validation = true

    dimension {
      name     = "GatewayResponseCodeCategory"
      operator = "Include"
      values   = ["5xx"]
    }
  }

  action {
    action_group_id    = azurerm_monitor_action_group.main.id
    webhook_properties = { runbook_url = "${var.runbook_url}#${lower(local.gateway_alert.name)}" }
  }
}

resource "azurerm_monitor_metric_alert" "capacity" {
  for_each = local.capacity_metrics

  name                = "${local.capacity_alert.name}-${each.key}-${local.name}"
  description         = "${each.value.metric} is above ${each.value.above}. ${var.runbook_url}#${lower(local.capacity_alert.name)}"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [each.value.resource]
  severity            = local.capacity_alert.severity
  frequency           = "PT5M"
  window_size         = "PT30M"
  tags                = local.tags

  criteria {
    metric_namespace       = each.value.namespace
    metric_name            = each.value.metric
    aggregation            = each.value.aggregation
    operator               = "GreaterThan"
    threshold              = each.value.above
    skip_metric_validation = true

    dynamic "dimension" {
      for_each = compact([each.value.each])
      content {
        name     = dimension.value
        operator = "Include"
        values   = ["*"]
      }
    }
  }

  action {
    action_group_id    = azurerm_monitor_action_group.main.id
    webhook_properties = { runbook_url = "${var.runbook_url}#${lower(local.capacity_alert.name)}" }
  }
}
