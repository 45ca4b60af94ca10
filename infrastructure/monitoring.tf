resource "azurerm_log_analytics_workspace" "main" {
  name                = local.names.logs
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  sku                 = "PerGB2018"
  retention_in_days   = var.log_retention_days
  daily_quota_gb      = var.log_daily_quota_gb
  tags                = local.tags
}

resource "azurerm_application_insights" "main" {
  name                = local.names.insights
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  workspace_id        = azurerm_log_analytics_workspace.main.id
  application_type    = "web"
  tags                = local.tags
}

# In place of the rule that Azure makes beside Application Insights, which would mail the subscription's owners and outlive a
# destroy.
resource "azurerm_monitor_smart_detector_alert_rule" "failures" {
  name                = "failure-anomalies-${local.name}"
  description         = "The share of failed requests or dependencies in Application Insights is unusual."
  resource_group_name = azurerm_resource_group.main.name
  detector_type       = "FailureAnomaliesDetector"
  frequency           = "PT1M"
  severity            = "Sev3"
  scope_resource_ids  = [azurerm_application_insights.main.id]
  tags                = local.tags

  action_group {
    ids = [azurerm_monitor_action_group.main.id]
  }
}

resource "azurerm_monitor_action_group" "main" {
  name                = local.names.action_group
  resource_group_name = azurerm_resource_group.main.name
  short_name          = substr(local.name, 0, 12)
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = var.alert_emails
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }

  dynamic "webhook_receiver" {
    for_each = var.alert_webhooks
    content {
      name                    = webhook_receiver.key
      service_uri             = webhook_receiver.value
      use_common_alert_schema = true
    }
  }
}

# What is spent in the resource group. It stops nothing. Azure wants a month's first day that is not past; later ones are kept.
resource "azurerm_consumption_budget_resource_group" "main" {
  count = var.monthly_budget == null ? 0 : 1

  name              = "budget-${local.name}"
  resource_group_id = azurerm_resource_group.main.id
  amount            = var.monthly_budget
  time_grain        = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", plantimestamp())
  }

  notification {
    threshold      = 80
    operator       = "GreaterThan"
    threshold_type = "Actual"
    contact_groups = [azurerm_monitor_action_group.main.id]
  }

  notification {
    threshold      = 100
    operator       = "GreaterThan"
    threshold_type = "Forecasted"
    contact_groups = [azurerm_monitor_action_group.main.id]
  }

  lifecycle {
    ignore_changes = [time_period]
  }
}
