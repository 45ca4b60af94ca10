# Alerts on logs, by the queries of queries/: one rule for each pack that has the query. docs/observability.md says what each
# reads and where its floor is, docs/runbook.md says what to do.

locals {
  # `above`: per cent, times the rate that 99.9 % allows, requests, minutes, or an index, as the column says. `reach`: how far
  # back the query looks, if that is further than the window. Each looks at one window: lines are minutes late, so that two
  # windows in a row would seldom be full. docs/slo.md says how often each fires for nothing, and how soon it fires.
  log_alerts = {
    InferenceLatencyP95    = { query = "InferenceSlow30m", column = "SlowAtLeast200", above = 5, severity = 2, window = "PT30M", every = "PT5M" }
    InferenceLatencyP99    = { query = "InferenceSlow30m", column = "SlowAtLeast500", above = 1, severity = 3, window = "PT30M", every = "PT5M" }
    InferenceErrorRate     = { query = "InferenceErrorRate30m", column = "FailedAtLeast", above = 1, severity = 1, window = "PT30M", every = "PT5M" }
    InferenceErrorBudget1h = { query = "InferenceBurnRate1h", column = "Burn", above = 14.4, severity = 1, window = "PT1H", every = "PT5M" }
    InferenceErrorBudget6h = { query = "InferenceBurnRate6h", column = "Burn", above = 6, severity = 2, window = "PT6H", every = "PT15M" }
    InferenceErrorBudget2d = { query = "InferenceBurnRate2d", column = "Burn", above = 1.25, severity = 3, window = "P2D", every = "PT1H" }
    InferenceNonFinite     = { query = "InferenceNonFinite", column = "NonFiniteAtLeast", above = 1, severity = 2, window = "PT1H", every = "PT15M" }

    # Unreachable is an alert of its own, because the cause is not the model. A share, because any network has a few resets.
    GatewayFailing            = { query = "GatewayFailures30m", column = "FailedAtLeast", above = 1, severity = 1, window = "PT30M", every = "PT5M" }
    GatewayBackendUnreachable = { query = "GatewayFailures30m", column = "UnreachableAtLeast", above = 1, severity = 1, window = "PT30M", every = "PT5M" }

    # If twenty requests are expected in half an hour, chance alone lets none arrive once in 500 million.
    InferenceSilent = { query = "InferenceSilent", column = "Missing", above = 20, severity = 2, window = "P1D", reach = "P2D", every = "PT15M" }
    GatewaySilent   = { query = "GatewaySilent", column = "Missing", above = 20, severity = 2, window = "P1D", reach = "P2D", every = "PT15M" }

    # Five minutes, counted once a minute. During a rolling update all that should be ready are.
    InferenceNotReady = { query = "InferenceNotReady", column = "MinutesNoneReady", above = 4, severity = 1, window = "PT6H", every = "PT5M" }
    InferenceFewReady = { query = "InferenceFewReady", column = "MinutesFewReady", above = 9, severity = 2, window = "PT1H", every = "PT5M" }

    # Answers stay right without Redis, so this wakes nobody. A failover of Redis takes less than five minutes.
    RedisDown = { query = "RedisDown", column = "MinutesDown", above = 5, severity = 2, window = "PT15M", every = "PT5M" }

    # The query says what is more than chance; from 0.02 it matters. A day is judged, and the day before says that it is whole.
    InferenceDrift = { query = "InferenceDrift", column = "Index", above = 0.02, severity = 3, window = "P1D", reach = "P2D", every = "PT1H" }

    # Clients see nothing, but from then on no other alert here can fire.
    LogQuotaReached = { query = "LogQuotaReached", column = "Times", above = 0, severity = 2, window = "P1D", every = "PT15M" }
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
  }

  action {
    action_groups     = [azurerm_monitor_action_group.main.id]
    custom_properties = { runbook_url = "${var.runbook_url}#${lower(each.value.name)}" }
  }
}
