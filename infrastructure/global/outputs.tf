output "score_url" {
  description = "Where clients post requests."
  value       = "https://${azurerm_cdn_frontdoor_endpoint.main.host_name}/inference/score"
}

output "front_door_id" {
  description = "front_door_id of each region, which then takes requests of this Front Door only."
  value       = azurerm_cdn_frontdoor_profile.main.resource_guid
}

output "model_registry" {
  description = "The Azure ML registry's name; null without one."
  value       = one(azapi_resource.models[*].name)
}
