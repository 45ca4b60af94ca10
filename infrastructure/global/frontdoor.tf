# Front Door spreads requests over the regions' API Managements by weight, and leaves out a region whose health fails.

resource "azurerm_cdn_frontdoor_profile" "main" {
  name                     = "afd-${local.name}"
  resource_group_name      = azurerm_resource_group.main.name
  sku_name                 = "Premium_AzureFrontDoor" # Standard has no managed rules
  response_timeout_seconds = 60                       # API Management itself ends at 30
  tags                     = local.tags
}

resource "azurerm_cdn_frontdoor_endpoint" "main" {
  name                     = "${local.name}-${local.unique}"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.main.id
  tags                     = local.tags
}

resource "azurerm_cdn_frontdoor_origin_group" "regions" {
  name                     = "regions"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.main.id

  # On by default, and a client would keep its region whatever the weights.
  session_affinity_enabled = false

  # Weights count among the regions that are as fast as the fastest. With 1000 ms that is all of them; with the default, 50, a
  # far region gets nothing.
  load_balancing {
    additional_latency_in_milliseconds = 1000
    sample_size                        = 4
    successful_samples_required        = 3
  }

  # Each place of Front Door asks, hundreds of times a minute in all; API Management keeps the answer for ten seconds. Only 200
  # is healthy.
  health_probe {
    protocol            = "Https"
    path                = "/health"
    request_type        = "GET"
    interval_in_seconds = 30
  }
}

resource "azurerm_cdn_frontdoor_origin" "region" {
  for_each = var.regions

  name                           = each.key
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.regions.id
  host_name                      = each.value.gateway_host
  origin_host_header             = each.value.gateway_host
  certificate_name_check_enabled = true
  enabled                        = each.value.enabled
  priority                       = 1
  weight                         = each.value.weight
}

resource "azurerm_cdn_frontdoor_route" "main" {
  name                          = "scoring"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.main.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.regions.id
  cdn_frontdoor_origin_ids      = [for origin in azurerm_cdn_frontdoor_origin.region : origin.id]
  patterns_to_match             = ["/inference/*"]
  supported_protocols           = ["Http", "Https"]
  https_redirect_enabled        = true
  forwarding_protocol           = "HttpsOnly"
}

resource "azurerm_cdn_frontdoor_firewall_policy" "main" {
  name                = "waf${var.project}global"
  resource_group_name = azurerm_resource_group.main.name
  sku_name            = azurerm_cdn_frontdoor_profile.main.sku_name
  mode                = var.waf_mode
  tags                = local.tags

  # Bodies are numbers and texts of a model, which rules against SQL would take for attacks; the scoring server checks them.
  request_body_check_enabled = false

  # No rules against bots: clients are programs.
  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "main" {
  name                     = "waf"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.main.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.main.id

      association {
        patterns_to_match = ["/*"]

        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_endpoint.main.id
        }
      }
    }
  }
}

# A region that Front Door has left out serves nobody, though its own alerts may be silent.
resource "azurerm_monitor_metric_alert" "region" {
  name                = "RegionUnhealthy-${local.name}"
  description         = "Front Door's probes of a region fail. docs/regions.md"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azurerm_cdn_frontdoor_profile.main.id]
  severity            = 1
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.tags

  criteria {
    metric_namespace       = "Microsoft.Cdn/profiles"
    metric_name            = "OriginHealthPercentage"
    aggregation            = "Average"
    operator               = "LessThan"
    threshold              = 50
    skip_metric_validation = true

    dimension {
      name     = "Origin"
      operator = "Include"
      values   = ["*"]
    }
  }

  dynamic "action" {
    for_each = var.action_group_ids
    content {
      action_group_id = action.value
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "front_door" {
  count = var.log_analytics_workspace_id == null ? 0 : 1

  name                       = "front-door"
  target_resource_id         = azurerm_cdn_frontdoor_profile.main.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  dynamic "enabled_log" {
    for_each = ["FrontDoorAccessLog", "FrontDoorHealthProbeLog", "FrontDoorWebApplicationFirewallLog"]
    content {
      category = enabled_log.value
    }
  }
}
