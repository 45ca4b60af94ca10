output "resource_group" {
  description = "The resource group of everything: AZURE_RESOURCE_GROUP of the pipelines."
  value       = azurerm_resource_group.main.name
}

output "workspace" {
  description = "AZURE_WORKSPACE of the pipelines."
  value       = azurerm_machine_learning_workspace.main.name
}

output "log_analytics_workspace_id" {
  description = "LOG_ANALYTICS_WORKSPACE_ID of the pipelines: the workspace's own id, which queries use, not the resource's id."
  value       = azurerm_log_analytics_workspace.main.workspace_id
}

output "pipeline_variables" {
  description = "Variables of the pipelines, under their names at GitHub."
  value = {
    AZURE_TENANT_ID            = data.azurerm_client_config.current.tenant_id
    AZURE_SUBSCRIPTION_ID      = var.subscription_id
    AZURE_RESOURCE_GROUP       = azurerm_resource_group.main.name
    AZURE_WORKSPACE            = azurerm_machine_learning_workspace.main.name
    LOG_ANALYTICS_WORKSPACE_ID = azurerm_log_analytics_workspace.main.workspace_id
  }
}

output "pipeline_client_ids" {
  description = "AZURE_CLIENT_ID of the environments register and production; empty without a pipeline."
  value       = { for job, identity in azurerm_user_assigned_identity.pipeline : job => identity.client_id }
}

output "scoring_url" {
  description = "The online endpoint's own address, for whoever has a token and the role to score."
  value       = azapi_resource.endpoint.output.properties.scoringUri
}

output "gateway_host" {
  description = "API Management's host, for regions of global/; null without it."
  value       = one([for gateway in azurerm_api_management.main : trimprefix(gateway.gateway_url, "https://")])
}

output "gateway_url" {
  description = "API Management's address; null without it."
  value       = one(azurerm_api_management.main[*].gateway_url)
}

output "gateway_score_url" {
  description = "Where clients of API Management post to; null without it."
  value       = one([for gateway in azurerm_api_management.main : "${gateway.gateway_url}/${azurerm_api_management_api.inference[0].path}/score"])
}

output "redis_environment" {
  description = "environment_variables with which a deployment on the managed endpoint uses Redis; empty without Redis."
  value = merge(
    { for redis in azurerm_managed_redis.main : "REDIS_HOST" => redis.hostname },
    { for redis in azurerm_managed_redis.main : "REDIS_PORT" => tostring(redis.default_database[0].port) },
    { for redis in azurerm_managed_redis.main : "REDIS_AUTH" => "entra" },
    { for redis in azurerm_redis_cache.classic : "REDIS_HOST" => redis.hostname },
    { for redis in azurerm_redis_cache.classic : "REDIS_PORT" => tostring(redis.ssl_port) },
    { for secret in azurerm_key_vault_secret.signing : "SCORING_CACHE_KEY" => "$${{keyvault:${azurerm_key_vault.main.vault_uri}secrets/${secret.name}}}" },
    { for secret in azurerm_key_vault_secret.redis : "REDIS_PASSWORD" => "$${{keyvault:${azurerm_key_vault.main.vault_uri}secrets/${secret.name}}}" },
  )
}

output "key_vault" {
  description = "The vault's name, for the SecretProviderClass of kubernetes/."
  value       = azurerm_key_vault.main.name
}

output "registry" {
  description = "The registry's address, to push images to."
  value       = azurerm_container_registry.main.login_server
}

output "registry_id" {
  description = "image_registry_id of a second region, whose nodes then pull from this one's registry."
  value       = azurerm_container_registry.main.id
}

output "cluster" {
  description = "The AKS cluster's name; null without it."
  value       = one(azurerm_kubernetes_cluster.main[*].name)
}

output "workload_client_id" {
  description = "The client id for the annotation azure.workload.identity/client-id of kubernetes/; null without AKS."
  value       = one(azurerm_user_assigned_identity.workload[*].client_id)
}

output "prometheus_url" {
  description = "Where KEDA and Grafana query managed Prometheus; null without it."
  value       = one(azurerm_monitor_workspace.main[*].query_endpoint)
}

output "keda_client_id" {
  description = "The client id of KEDA's identity, for kubernetes/components/keda; null without managed Prometheus."
  value       = one(azurerm_user_assigned_identity.keda[*].client_id)
}

output "action_group_id" {
  description = "Who alerts go to."
  value       = azurerm_monitor_action_group.main.id
}
