# Saved searches, alerts and a workbook, of the very files in queries/: managed for the online endpoint, containerlogv2 for AKS.

locals {
  query_packs = concat(["managed"], var.enable_aks_deployment ? ["containerlogv2"] : [])

  queries = {
    for pack in local.query_packs : pack => {
      for file in fileset("${path.module}/queries/${pack}", "*.kql") :
      trimsuffix(file, ".kql") => file("${path.module}/queries/${pack}/${file}")
    }
  }

  saved_searches = merge([
    for pack, queries in local.queries : { for name, text in queries : "${name}-${pack}" => text }
  ]...)

  # docs/runbook.md has a section on each. Above: milliseconds, per cent, times the rate that 99.9 % allows.
  objectives = {
    InferenceLatencyP95    = { query = "InferenceSLOMetrics", column = "P95", above = 200, severity = 2, window = "PT5M", periods = 2, every = "PT5M" }
    InferenceLatencyP99    = { query = "InferenceSLOMetrics", column = "P99", above = 500, severity = 3, window = "PT5M", periods = 2, every = "PT5M" }
    InferenceErrorRate     = { query = "InferenceErrorRate", column = "ErrorRate", above = 1, severity = 1, window = "PT5M", periods = 2, every = "PT5M" }
    InferenceErrorBudget1h = { query = "InferenceBurnRate1h", column = "Burn", above = 14.4, severity = 1, window = "PT1H", periods = 1, every = "PT5M" }
    InferenceErrorBudget6h = { query = "InferenceBurnRate6h", column = "Burn", above = 6, severity = 2, window = "PT6H", periods = 1, every = "PT15M" }
    InferenceErrorBudget1d = { query = "InferenceBurnRate1d", column = "Burn", above = 3, severity = 3, window = "P1D", periods = 1, every = "PT1H" }
  }

  alerts = merge([
    for pack, queries in local.queries : {
      for name, objective in local.objectives : "${name}-${pack}" => merge(objective, { name = name, text = queries[objective.query] })
    }
  ]...)
}

resource "azurerm_log_analytics_saved_search" "query" {
  for_each = local.saved_searches

  name                       = each.key
  display_name               = each.key
  category                   = "Inference"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.main.id
  query                      = each.value
  tags                       = local.tags
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "objective" {
  for_each = local.alerts

  name                    = "${each.key}-${local.name}"
  display_name            = each.key
  description             = "${each.value.column} above ${each.value.above}: see ${each.value.name} in docs/runbook.md."
  resource_group_name     = azurerm_resource_group.main.name
  location                = azurerm_resource_group.main.location
  scopes                  = [azurerm_log_analytics_workspace.main.id]
  severity                = each.value.severity
  evaluation_frequency    = each.value.every
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  skip_query_validation   = true # a table is not there before its first line
  tags                    = local.tags

  criteria {
    query                   = each.value.text
    metric_measure_column   = each.value.column
    time_aggregation_method = "Maximum"
    operator                = "GreaterThan"
    threshold               = each.value.above

    dimension {
      name     = "Service"
      operator = "Include"
      values   = ["*"]
    }

    failing_periods {
      number_of_evaluation_periods             = each.value.periods
      minimum_failing_periods_to_trigger_alert = each.value.periods
    }
  }

  action {
    action_groups     = [azurerm_monitor_action_group.main.id]
    custom_properties = { runbook = "docs/runbook.md#${lower(each.value.name)}" }
  }
}

resource "azurerm_application_insights_workbook" "inference" {
  for_each = local.queries

  name                = uuidv5("url", "${local.name}/workbook/${each.key}")
  display_name        = "Inference ${local.name} (${each.key})"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  source_id           = lower(azurerm_log_analytics_workspace.main.id)
  tags                = local.tags

  # A query goes into a text of JSON: encoded as one, without its quotes.
  data_json = templatefile("${path.module}/workbook.json", merge(
    { workspace_id = azurerm_log_analytics_workspace.main.id },
    { for name, text in each.value : name => substr(jsonencode(text), 1, length(jsonencode(text)) - 2) },
  ))
}
