# All names and tags.

locals {
  name = "${var.project}-${var.environment}"

  # Some names must be unique in all of Azure. The same subscription and name always give the same five characters.
  unique = substr(sha256("${var.subscription_id}/${local.name}"), 0, 5)

  names = {
    resource_group    = "rg-${local.name}"
    workspace         = "mlw-${local.name}"
    image_builder     = "image-builder"
    storage           = "st${var.project}${var.environment}${local.unique}"
    registry          = "cr${var.project}${var.environment}${local.unique}"
    key_vault         = "kv-${local.name}-${local.unique}"
    api_management    = "apim-${local.name}-${local.unique}"
    redis             = "redis-${local.name}-${local.unique}"
    cluster           = "aks-${local.name}"
    cluster_identity  = "id-${local.name}-aks"
    kubelet_identity  = "id-${local.name}-kubelet"
    workload_identity = "id-${local.name}-workload"
    keda_identity     = "id-${local.name}-keda"
    prometheus        = "prometheus-${local.name}"
    network           = "vnet-${local.name}"
    logs              = "log-${local.name}"
    insights          = "appi-${local.name}"
    action_group      = "ag-${local.name}"
    pipeline_identity = "id-${local.name}-pipeline"
    scorer_role       = "Online endpoint scorer (${local.name}-${local.unique})"
    registrar_role    = "Model registrar (${local.name}-${local.unique})"
    autoscaler_role   = "Deployment autoscaler (${local.name}-${local.unique})"
  }

  tags = merge(var.tags, {
    project     = var.project
    environment = var.environment
    managed_by  = "terraform"
  })
}

# Each environment has a state of its own. The first apply writes here which environment the state belongs to; Terraform then
# refuses a plan with the variables of another one. (A destroy checks no condition: it ends whatever the state holds.)
resource "terraform_data" "environment" {
  input = local.name

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.name
      error_message = "This state is that of ${self.output}, and the variables are those of ${local.name}. Run `terraform -chdir=infrastructure init -reconfigure -backend-config=key=${local.name}.tfstate` first."
    }
  }
}

resource "azurerm_resource_group" "main" {
  name     = local.names.resource_group
  location = var.location
  tags     = local.tags

  depends_on = [terraform_data.environment] # so that -target doesn't get around it
}

data "azurerm_client_config" "current" {}
