# Alerts on logs, by the queries of queries/: one rule for each pack that has the query. docs/observability.md says what each
# reads and where its floor is, docs/runbook.md says what to do.

locals {
  # `above`: milliseconds, per cent, times the rate that 99.9 % allows, requests, minutes, or an index, as the column says.
  # `reach`: how far back the query looks, if that is further than the window.
  log_alerts = {
    InferenceLatencyP95    = { query = "InferenceSLOMetrics", column = "P95", above = 200, severity = 2, window = "PT5M", periods = 2, every = "PT5M" }
    InferenceLatencyP99    = { query = "InferenceSLOMetrics", column = "P99", above = 500, severity = 3, window = "PT5M", periods = 2, every = "PT5M" }
    InferenceErrorBudget1h = { query = "InferenceBurnRate1h", column = "Burn", above = 14.4, severity = 1, window = "PT1H", periods = 1, every = "PT5M" }
    InferenceErrorBudget6h = { query = "InferenceBurnRate6h", column = "Burn", above = 6, severity = 2, window = "PT6H", periods = 1, every = "PT15M" }
    InferenceErrorBudget1d = { query = "InferenceBurnRate1d", column = "Burn", above = 3, severity = 3, window = "P1D", periods = 1, every = "PT1H" }

    # The share of half an hour, minus what chance may add: with little traffic a few failures are no outage.
    InferenceErrorRate = { query = "InferenceErrorRate30m", column = "SurelyFailed", above = 1, severity = 1, window = "PT30M", periods = 1, every = "PT5M" }
    GatewayFailing     = { query = "GatewayFailures30m", column = "SurelyFailed", above = 1, severity = 1, window = "PT30M", periods = 1, every = "PT5M" }

    # An alert of its own, because the cause is not the model. A share, because any network has a few resets.
    GatewayBackendUnreachable = { query = "GatewayFailures30m", column = "SurelyUnreachable", above = 1, severity = 1, window = "PT30M", periods = 1, every = "PT5M" }

    # If twenty requests are expected in half an hour, chance alone lets none arrive once in 500 million.
    InferenceEndpointSilent = { query = "InferenceEndpointSilent", column = "Missing", above = 20, severity = 2, window = "P1D", reach = "P2D", periods = 1, every = "PT15M" }
    GatewaySilent           = { query = "GatewaySilent", column = "Missing", above = 20, severity = 2, window = "P1D", reach = "P2D", periods = 1, every = "PT15M" }

    # The inventory comes each minute and some minutes late. During a rolling update at least one container runs.
    InferenceAbsent = { query = "InferenceAbsent", column = "MinutesAbsent", above = 10, severity = 1, window = "PT6H", periods = 1, every = "PT5M" }

    # Answers stay right without Redis, so this wakes nobody. A failover of Redis takes less than five minutes.
    RedisDown = { query = "RedisDown", column = "MinutesDown", above = 5, severity = 2, window = "PT15M", periods = 1, every = "PT5M" }

    # The query says what is more than chance; from 0.02 it matters. A day is judged, and the day before says that it is whole.
    InferenceDrift = { query = "InferenceDrift", column = "Index", above = 0.02, severity = 3, window = "P1D", reach = "P2D", periods = 1, every = "PT1H" }

    # Clients see nothing, but from then on no other alert here can fire.
    LogQuotaReached = { query = "LogQuotaReached", column = "Times", above = 0, severity = 2, window = "P1D", periods = 1, every = "PT15M" }
  }

  log_alerts_by_pack = merge([
    for pack, queries in local.queries : {
      for name, alert in local.log_alerts : "${name}-${pack}" => merge(alert, { name = name, text = queries[alert.query] }) if contains(keys(queries), alert.query)
    }
  ]...)
}

moved {
  from = azurerm_monitor_scheduled_query_rules_alert_v2.objective
  to   = azurerm_monitor_scheduled_query_rules_alert_v2.log
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "log" {
  for_each = local.log_alerts_by_pack

  name                      = "${each.key}-${local.name}"
  display_name              = each.key
  description               = "${each.value.column} above ${each.value.above}. ${var.runbook_url}#${lower(each.value.name)}"
  resource_group_name       = azurerm_resource_group.main.name
  location                  = azurerm_resource_group.main.location
  scopes                    = [azurerm_log_analytics_workspace.main.id]
  severity                  = each.value.severity
  evaluation_frequency      = each.value.every
  window_duration           = each.value.window
  query_time_range_override = try(each.value.reach, null)
  auto_mitigation_enabled   = true
  skip_query_validation     = true # a table does not exist before its first line
  tags                      = local.tags

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
    custom_properties = { runbook_url = "${var.runbook_url}#${lower(each.value.name)}" }
  }
}
