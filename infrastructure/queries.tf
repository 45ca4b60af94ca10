# Saved searches and workbooks, made of the files in queries/. The pack managed reads what the online endpoint logs,
# containerlogv2 what pods on AKS log, gateway what API Management logs, workspace what Log Analytics logs about itself.

locals {
  query_packs = concat(
    ["managed", "workspace"],
    var.enable_aks_deployment ? ["containerlogv2"] : [],
    var.enable_api_management ? ["gateway"] : [],
  )

  queries = {
    for pack in local.query_packs : pack => {
      for file in fileset("${path.module}/queries/${pack}", "*.kql") :
      trimsuffix(file, ".kql") => file("${path.module}/queries/${pack}/${file}")
    }
  }

  saved_searches = merge([
    for pack, queries in local.queries : { for name, text in queries : "${name}-${pack}" => text }
  ]...)

  workbooks = { for pack in setsubtract(local.query_packs, ["workspace"]) : pack => pack == "gateway" ? "gateway" : "inference" }
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

resource "azurerm_application_insights_workbook" "inference" {
  for_each = local.workbooks

  name                = uuidv5("url", "${local.name}/workbook/${each.key}")
  display_name        = "Inference ${local.name} (${each.key})"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  source_id           = lower(azurerm_log_analytics_workspace.main.id)
  tags                = local.tags

  # A query stands within a JSON string: encoded as one, without its quotes.
  data_json = templatefile("${path.module}/workbooks/${each.value}.json", merge(
    { workspace_id = azurerm_log_analytics_workspace.main.id, runbook = var.runbook_url },
    { for name, text in local.queries[each.key] : name => substr(jsonencode(text), 1, length(jsonencode(text)) - 2) },
  ))
}
