# Who registers models and rolls out: the pipelines by federation, without a secret, and people.
# The job that registers may not deploy, or it would get around the approval of production.

locals {
  pipelines = var.github_repository != null || length(var.azure_devops_connections) > 0 ? toset(["register", "production"]) : toset([])
  deployers = length(local.pipelines) + length(var.deployer_object_ids) > 0 ? 1 : 0

  deployer_roles = {
    registrar      = { scope = azurerm_machine_learning_workspace.main.id, name = null, id = one(azurerm_role_definition.registrar[*].role_definition_resource_id) }
    data_scientist = { scope = azurerm_machine_learning_workspace.main.id, name = "AzureML Data Scientist", id = null }
    uploads        = { scope = azurerm_storage_account.main.id, name = "Storage Blob Data Contributor", id = null }
    traffic_log    = { scope = azurerm_log_analytics_workspace.main.id, name = "Log Analytics Reader", id = null }
    autoscaler     = { scope = azurerm_resource_group.main.id, name = null, id = one(azurerm_role_definition.autoscaler[*].role_definition_resource_id) }
    images         = { scope = azurerm_container_registry.main.id, name = "AcrPush", id = null }
    credentials    = { scope = one(azurerm_kubernetes_cluster.main[*].id), name = "Azure Kubernetes Service Cluster User Role", id = null }
    objects        = { scope = one([for cluster in azurerm_kubernetes_cluster.main : "${cluster.id}/namespaces/${var.workload.namespace}"]), name = "Azure Kubernetes Service RBAC Admin", id = null }
  }
  job_roles = {
    register   = ["registrar", "uploads"]
    production = ["data_scientist", "uploads", "traffic_log", "autoscaler"]
  }

  # For kubernetes/, in its namespace. RBAC Writer may not write custom resources, which its components have.
  cluster_roles = var.enable_aks_deployment ? ["images", "credentials", "objects"] : []
}

# The actions that azure-ai-ml needs to register a model; a test compares them.
resource "azurerm_role_definition" "registrar" {
  count = local.deployers

  name              = local.names.registrar_role
  scope             = azurerm_resource_group.main.id
  description       = "Registers models, and deploys nothing."
  assignable_scopes = [azurerm_resource_group.main.id]

  permissions {
    actions = [
      "Microsoft.MachineLearningServices/workspaces/read",
      "Microsoft.MachineLearningServices/workspaces/datastores/read",
      "Microsoft.MachineLearningServices/workspaces/models/*",
    ]
  }
}

# A rollout hands the autoscale setting on from one deployment to the next.
resource "azurerm_role_definition" "autoscaler" {
  count = local.deployers

  name              = local.names.autoscaler_role
  scope             = azurerm_resource_group.main.id
  description       = "Reads, writes and deletes autoscale settings."
  assignable_scopes = [azurerm_resource_group.main.id]

  permissions {
    actions = [
      "Microsoft.Insights/autoscaleSettings/read",
      "Microsoft.Insights/autoscaleSettings/write",
      "Microsoft.Insights/autoscaleSettings/delete",
    ]
  }
}

resource "azurerm_user_assigned_identity" "pipeline" {
  for_each = local.pipelines

  name                = "${local.names.pipeline_identity}-${each.key}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "github" {
  for_each = var.github_repository == null ? {} : azurerm_user_assigned_identity.pipeline

  name                      = "github"
  user_assigned_identity_id = each.value.id
  issuer                    = "https://token.actions.githubusercontent.com"
  subject                   = "repo:${var.github_repository}:environment:${each.key}"
  audience                  = ["api://AzureADTokenExchange"]
}

resource "azurerm_federated_identity_credential" "azure_devops" {
  for_each = var.azure_devops_connections

  name                      = "azure-devops"
  user_assigned_identity_id = azurerm_user_assigned_identity.pipeline[each.key].id
  issuer                    = each.value.issuer
  subject                   = each.value.subject
  audience                  = ["api://AzureADTokenExchange"]

  # Azure refuses to write two credentials of one identity at once.
  depends_on = [azurerm_federated_identity_credential.github]
}

resource "azurerm_role_assignment" "pipeline" {
  for_each = merge([for job in local.pipelines : { for role in local.job_roles[job] : "${job} ${role}" => { job = job, role = role } }]...)

  scope                = local.deployer_roles[each.value.role].scope
  role_definition_name = local.deployer_roles[each.value.role].name
  role_definition_id   = local.deployer_roles[each.value.role].id
  principal_id         = azurerm_user_assigned_identity.pipeline[each.value.job].principal_id
  principal_type       = "ServicePrincipal"
}

# People may do what both jobs do, and deploy to the cluster.
resource "azurerm_role_assignment" "deployer" {
  for_each = { for pair in setproduct(var.deployer_object_ids, concat(local.job_roles.production, local.cluster_roles)) : "${pair[0]} ${pair[1]}" => pair }

  scope                = local.deployer_roles[each.value[1]].scope
  role_definition_name = local.deployer_roles[each.value[1]].name
  role_definition_id   = local.deployer_roles[each.value[1]].id
  principal_id         = each.value[0]
}
