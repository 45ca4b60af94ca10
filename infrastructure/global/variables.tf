variable "subscription_id" {
  description = "The Azure subscription, a GUID."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id must be a GUID in lower case; `az account show --query id` prints it."
  }
}

variable "project" {
  description = "The first part of every name."
  type        = string
  default     = "scoring"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.project))
    error_message = "project must be 2 to 9 lower-case letters and digits, a letter first."
  }
}

variable "regions" {
  description = "The regions by name: the host of each API Management (output gateway_host), how much of the traffic it gets beside the others, and whether it gets any."
  type = map(object({
    gateway_host = string
    weight       = optional(number, 500)
    enabled      = optional(bool, true)
  }))

  validation {
    condition     = length(var.regions) >= 1 && alltrue([for name in keys(var.regions) : can(regex("^[a-z][a-z0-9]{1,30}$", name))])
    error_message = "regions needs one region at least, by its short name such as westeurope."
  }

  validation {
    condition     = alltrue([for region in values(var.regions) : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", region.gateway_host))])
    error_message = "gateway_host must be a host name without https://, such as apim-scoring-prod-1a2b3.azure-api.net; `terraform output gateway_host` prints it."
  }

  validation {
    condition     = alltrue([for region in values(var.regions) : region.weight >= 1 && region.weight <= 1000 && floor(region.weight) == region.weight])
    error_message = "weight must be a whole number, 1 to 1000; to take a region out set enabled = false."
  }

  validation {
    condition     = length(var.regions) == 0 || anytrue([for region in values(var.regions) : region.enabled])
    error_message = "One region at least must be enabled."
  }
}

variable "action_group_ids" {
  description = "Who alerts go to: the output action_group_id of each region."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.action_group_ids : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Insights/actionGroups/[^/]+$", id))])
    error_message = "action_group_ids must be ids of action groups; `terraform output action_group_id` prints one."
  }
}

variable "waf_mode" {
  description = "Prevention refuses what the rules of the web application firewall find, Detection only logs it."
  type        = string
  default     = "Prevention"

  validation {
    condition     = contains(["Prevention", "Detection"], var.waf_mode)
    error_message = "waf_mode must be Prevention or Detection."
  }
}

variable "log_analytics_workspace_id" {
  description = "Where Front Door's access and firewall logs go, the id of one region's Log Analytics; null is nowhere. Charged by GB."
  type        = string
  default     = null

  validation {
    condition     = var.log_analytics_workspace_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+$", var.log_analytics_workspace_id))
    error_message = "log_analytics_workspace_id must be the id of a Log Analytics workspace; `az monitor log-analytics workspace show --query id` prints it."
  }
}

variable "model_registry_enabled" {
  description = "An Azure ML registry in all regions: a model is registered once, and each region deploys it from a copy nearby. Never tried on Azure."
  type        = bool
  default     = false
}

variable "model_registry_user_ids" {
  description = "Object ids of who publishes models in the registry and of who reads them: the pipelines' identities, and the endpoints'."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.model_registry_user_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "model_registry_user_ids must be object ids, not names."
  }
}

variable "tags" {
  description = "Tags on everything, beside those of main.tf."
  type        = map(string)
  default     = {}
}
