# Who may do what. Azure ML itself lets the endpoint's identity pull images and read models.

resource "azurerm_role_definition" "scorer" {
  count = var.enable_api_management ? 1 : 0

  name              = local.names.scorer_role
  scope             = azurerm_resource_group.main.id
  description       = "Calls online endpoints, and nothing else."
  assignable_scopes = [azurerm_resource_group.main.id]

  permissions {
    actions = ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"]
  }
}

resource "azurerm_role_assignment" "gateway_scores" {
  count = var.enable_api_management ? 1 : 0

  scope              = azapi_resource.endpoint.id
  role_definition_id = azurerm_role_definition.scorer[0].role_definition_resource_id
  principal_id       = azurerm_api_management.main[0].identity[0].principal_id
  principal_type     = "ServicePrincipal"
}

# The workspace pushes the images that it builds.
resource "azurerm_role_assignment" "workspace_registry" {
  scope                = azurerm_container_registry.main.id
  role_definition_name = "AcrPush"
  principal_id         = azurerm_machine_learning_workspace.main.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "endpoint_secrets" {
  count = local.redis_classic ? 1 : 0

  scope                = azurerm_key_vault_secret.redis[0].resource_versionless_id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azapi_resource.endpoint.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "endpoint_signs" {
  count = local.redis_signed ? 1 : 0

  scope                = azurerm_key_vault_secret.signing[0].resource_versionless_id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azapi_resource.endpoint.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

# The pods' identity.
resource "azurerm_user_assigned_identity" "workload" {
  count = var.enable_aks_deployment ? 1 : 0

  name                = local.names.workload_identity
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "workload" {
  count = var.enable_aks_deployment ? 1 : 0

  name                      = "kubernetes"
  user_assigned_identity_id = azurerm_user_assigned_identity.workload[0].id
  issuer                    = azurerm_kubernetes_cluster.main[0].oidc_issuer_url
  subject                   = "system:serviceaccount:${var.workload.namespace}:${var.workload.service_account}"
  audience                  = ["api://AzureADTokenExchange"]
}

resource "azurerm_role_assignment" "workload_secrets" {
  count = var.enable_aks_deployment && local.redis_classic ? 1 : 0

  scope                = azurerm_key_vault_secret.redis[0].resource_versionless_id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.workload[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "workload_signs" {
  count = var.enable_aks_deployment && local.redis_signed ? 1 : 0

  scope                = azurerm_key_vault_secret.signing[0].resource_versionless_id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.workload[0].principal_id
  principal_type       = "ServicePrincipal"
}

# The cluster's own identity joins nodes to the subnet and gives them the identity that pulls images.
resource "azurerm_user_assigned_identity" "cluster" {
  count = var.enable_aks_deployment ? 1 : 0

  name                = local.names.cluster_identity
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_role_assignment" "cluster_subnet" {
  count = var.enable_aks_deployment ? 1 : 0

  scope                = local.subnet_ids.aks
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "cluster_kubelet" {
  count = var.enable_aks_deployment ? 1 : 0

  scope                = azurerm_user_assigned_identity.kubelet[0].id
  role_definition_name = "Managed Identity Operator"
  principal_id         = azurerm_user_assigned_identity.cluster[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_user_assigned_identity" "kubelet" {
  count = var.enable_aks_deployment ? 1 : 0

  name                = local.names.kubelet_identity
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_role_assignment" "kubelet_images" {
  count = var.enable_aks_deployment && var.image_registry_id != null ? 1 : 0

  scope                = var.image_registry_id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.kubelet[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "kubelet_registry" {
  count = var.enable_aks_deployment ? 1 : 0

  scope                = azurerm_container_registry.main.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.kubelet[0].principal_id
  principal_type       = "ServicePrincipal"
}
