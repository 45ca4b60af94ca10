# What is made.

variable "enable_aks_deployment" {
  description = "An AKS cluster for kubernetes/."
  type        = bool
  default     = false
}

variable "enable_api_management" {
  description = "API Management in front of the online endpoint: rates, quotas, size limit, correlation."
  type        = bool
  default     = false
}

variable "enable_redis_cache" {
  description = "Redis as the response cache."
  type        = bool
  default     = false
}

variable "private_network_enabled" {
  description = "Storage, vault, registry, workspace, Redis and the cluster's API only on private addresses. Terraform and the pipelines must then run in existing_network or agents_network_id."
  type        = bool
  default     = false
}

# Names and places.

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
    error_message = "project must be 2 to 9 lower-case letters and digits, a letter first: storage accounts and vaults allow 24 characters in all."
  }
}

variable "environment" {
  description = "The second part of every name, and a tag."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,5}$", var.environment))
    error_message = "environment must be 2 to 6 lower-case letters and digits, a letter first, such as dev or prod."
  }

  validation {
    condition     = length(var.project) + length(var.environment) <= 14
    error_message = "project and environment may have 14 characters together: the vault's name has ten more, and 24 at most."
  }
}

variable "location" {
  description = "The Azure region, by its short name."
  type        = string
  default     = "westeurope"

  validation {
    condition = contains([
      "australiacentral", "australiaeast", "australiasoutheast", "austriaeast", "belgiumcentral", "brazilsouth", "canadacentral",
      "canadaeast", "centralindia", "centralus", "chilecentral", "denmarkeast", "eastasia", "eastus", "eastus2", "francecentral",
      "germanywestcentral", "indonesiacentral", "israelcentral", "italynorth", "japaneast", "japanwest", "koreacentral",
      "koreasouth", "malaysiawest", "mexicocentral", "newzealandnorth", "northcentralus", "northeurope", "norwayeast",
      "polandcentral", "qatarcentral", "southafricanorth", "southcentralus", "southeastasia", "southindia", "spaincentral",
      "swedencentral", "switzerlandnorth", "uaenorth", "uksouth", "ukwest", "westcentralus", "westeurope", "westindia", "westus",
      "westus2", "westus3",
    ], var.location)
    error_message = "location must be a region's short name such as westeurope; `az account list-locations --query [].name` lists them. Add a new region to variables.tf."
  }
}

variable "tags" {
  description = "Tags on everything, beside those of locals.tf."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 47 && alltrue([for name, value in var.tags : can(regex("^[^<>%&\\\\?/]{1,128}$", name)) && length(value) <= 256])
    error_message = "tags may be 47 at most, with names of 128 characters without <>%&\\?/ and values of 256."
  }
}

# The registry.

variable "registry_replicas" {
  description = "Regions that the container registry is copied to, for image_registry_id there. Makes it Premium."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.registry_replicas, var.location) && alltrue([for region in var.registry_replicas : can(regex("^[a-z][a-z0-9]{1,30}$", region))])
    error_message = "registry_replicas must be other regions' short names, without location itself."
  }
}

variable "image_registry_id" {
  description = "Another region's registry, the output registry_id there: the nodes pull images from it, and in a private network reach it privately. Null is this region's own only."
  type        = string
  default     = null

  validation {
    condition     = var.image_registry_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerRegistry/registries/[^/]+$", var.image_registry_id))
    error_message = "image_registry_id must be the id of a container registry; `az acr show --query id` prints it."
  }
}

variable "customer_managed_key" {
  description = "A key of your own for storage, registry, workspace and Azure Managed Redis: the ids of the key (with its version), of its vault, and of an identity that may wrap and unwrap by it, with its client id. The workspace can't change it later. Null is Microsoft's keys. Never tried on Azure."
  type = object({
    key_id             = string
    vault_id           = string
    identity_id        = string
    identity_client_id = string
  })
  default = null

  validation {
    condition     = var.customer_managed_key == null || can(regex("^https://[a-z0-9-]+\\.vault\\.azure\\.net/keys/[^/]+/[0-9a-f]{32}$", var.customer_managed_key.key_id))
    error_message = "customer_managed_key needs a key_id with a version, https://<vault>.vault.azure.net/keys/<name>/<version>."
  }

  validation {
    condition     = var.customer_managed_key == null || can(regex("/providers/Microsoft.KeyVault/vaults/[^/]+$", var.customer_managed_key.vault_id)) && can(regex("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/[^/]+$", var.customer_managed_key.identity_id))
    error_message = "customer_managed_key needs the resource ids of a vault and of a user-assigned identity."
  }
}

# The online endpoint.

variable "endpoint_name" {
  description = "The endpoint of endpoints/online-endpoint.yml; unique within the region."
  type        = string
  default     = "diabetes-classifier"

  validation {
    condition     = can(regex("^[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){2,31}$", var.endpoint_name)) && length(var.endpoint_name) <= 32
    error_message = "endpoint_name must be 3 to 32 letters, digits and single dashes, a letter first."
  }
}

# Who deploys.

variable "deployer_object_ids" {
  description = "Object ids of people or groups that register models and roll out by hand."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.deployer_object_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "deployer_object_ids must be object ids, not names or mail addresses; `az ad user show --id <mail> --query id` prints one."
  }
}

variable "github_repository" {
  description = "The repository, as owner/name, whose environments register and production act as the pipeline's identities; null is none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without https://github.com/."
  }
}

variable "azure_devops_connections" {
  description = "The service connections register and production of Azure DevOps: issuer and subject, which it shows for the draft of each."
  type = map(object({
    issuer  = string
    subject = string
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.azure_devops_connections), ["register", "production"])) == 0
    error_message = "azure_devops_connections may have the keys register and production only."
  }

  validation {
    condition     = alltrue([for connection in values(var.azure_devops_connections) : startswith(connection.issuer, "https://")])
    error_message = "An issuer must be an https address, as Azure DevOps shows it."
  }
}

# AKS.

variable "kubernetes_version" {
  description = "Version of Kubernetes, major.minor; null is Azure's default. AKS applies patches by itself."
  type        = string
  default     = null

  validation {
    condition     = var.kubernetes_version == null || can(regex("^1\\.(3[2-9]|[4-5][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be major.minor from 1.32, such as 1.34; AKS applies patches by itself, and `az aks get-versions` lists what it has."
  }
}

variable "aks_sku_tier" {
  description = "Standard has an uptime SLA; Free has none."
  type        = string
  default     = "Standard"

  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.aks_sku_tier)
    error_message = "aks_sku_tier must be Free, Standard or Premium."
  }
}

variable "aks_system_nodes" {
  description = "The pool for what Kubernetes itself needs. The size's temporary disk must hold 100 GB."
  type = object({
    vm_size = string
    minimum = number
    maximum = number
  })
  default = { vm_size = "Standard_D4ds_v5", minimum = 2, maximum = 3 }

  validation {
    condition     = var.aks_system_nodes.minimum >= 1 && var.aks_system_nodes.minimum <= var.aks_system_nodes.maximum && var.aks_system_nodes.maximum >= 1 && var.aks_system_nodes.maximum <= 1000
    error_message = "aks_system_nodes needs 1 <= minimum <= maximum, and a maximum of 1 to 1000."
  }

  validation {
    condition     = alltrue([for nodes in [var.aks_system_nodes.minimum, var.aks_system_nodes.maximum] : floor(nodes) == nodes])
    error_message = "aks_system_nodes needs whole numbers of nodes."
  }

  validation {
    condition     = can(regex("^Standard_[A-Z]+[0-9]+[a-z]*(_v[0-9]+)?$", var.aks_system_nodes.vm_size))
    error_message = "aks_system_nodes needs a vm_size such as Standard_D4ds_v5; `az vm list-skus --location <region>` lists them."
  }
}

variable "aks_scoring_nodes" {
  description = "The pool for the scoring pods. The size's temporary disk must hold 100 GB."
  type = object({
    vm_size = string
    minimum = number
    maximum = number
  })
  default = { vm_size = "Standard_D4ds_v5", minimum = 2, maximum = 10 }

  validation {
    condition     = var.aks_scoring_nodes.minimum >= 0 && var.aks_scoring_nodes.minimum <= var.aks_scoring_nodes.maximum && var.aks_scoring_nodes.maximum >= 1 && var.aks_scoring_nodes.maximum <= 1000
    error_message = "aks_scoring_nodes needs 0 <= minimum <= maximum, and a maximum of 1 to 1000."
  }

  validation {
    condition     = alltrue([for nodes in [var.aks_scoring_nodes.minimum, var.aks_scoring_nodes.maximum] : floor(nodes) == nodes])
    error_message = "aks_scoring_nodes needs whole numbers of nodes."
  }

  validation {
    condition     = can(regex("^Standard_[A-Z]+[0-9]+[a-z]*(_v[0-9]+)?$", var.aks_scoring_nodes.vm_size))
    error_message = "aks_scoring_nodes needs a vm_size such as Standard_D4ds_v5; `az vm list-skus --location <region>` lists them."
  }
}

variable "aks_zones" {
  description = "Availability zones of the nodes; empty where the region has none."
  type        = set(string)
  default     = ["1", "2", "3"]

  validation {
    condition     = length(setsubtract(var.aks_zones, ["1", "2", "3"])) == 0
    error_message = "aks_zones must be of 1, 2 and 3."
  }
}

variable "aks_admin_group_object_ids" {
  description = "Entra groups that administer the cluster. There are no local accounts."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.aks_admin_group_object_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "aks_admin_group_object_ids must be object ids, not names; `az ad group show --group <name> --query id` prints one."
  }
}

variable "aks_authorized_ip_ranges" {
  description = "CIDR ranges from which the cluster's public API answers. Not used in a private network."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.aks_authorized_ip_ranges : can(cidrnetmask(range)) && try(tonumber(split("/", range)[1]) >= 8, false)])
    error_message = "aks_authorized_ip_ranges must be IPv4 ranges such as 203.0.113.0/24, of /8 at most: not 0.0.0.0/0."
  }
}

variable "aks_log_categories" {
  description = "Logs of the cluster's control plane that are kept. kube-audit and kube-apiserver are the largest, kube-audit-admin is kube-audit without reads; charged by GB."
  type        = set(string)
  default     = ["cloud-controller-manager", "cluster-autoscaler", "guard", "kube-audit-admin", "kube-controller-manager"]

  validation {
    condition     = length(setsubtract(var.aks_log_categories, ["cloud-controller-manager", "cluster-autoscaler", "guard", "kube-apiserver", "kube-audit", "kube-audit-admin", "kube-controller-manager", "kube-scheduler"])) == 0
    error_message = "aks_log_categories must be of cloud-controller-manager, cluster-autoscaler, guard, kube-apiserver, kube-audit, kube-audit-admin, kube-controller-manager and kube-scheduler."
  }
}

variable "aks_fqdn_policies" {
  description = "Policies by names, for kubernetes/components/fqdn-egress: Advanced Container Networking Services, charged by node."
  type        = bool
  default     = false
}

variable "aks_managed_prometheus" {
  description = "Azure Monitor managed Prometheus scrapes the pods, for kubernetes/components/keda and kubernetes/monitoring. Charged by samples."
  type        = bool
  default     = false
}

variable "workload" {
  description = "Namespace and service account of kubernetes/ that may act as the scoring identity."
  type = object({
    namespace       = string
    service_account = string
  })
  default = { namespace = "ml-inference", service_account = "ml-inference" }

  validation {
    condition     = alltrue([for name in values(var.workload) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "workload needs names of Kubernetes: up to 63 lower-case letters, digits and dashes."
  }
}

variable "maintenance_window" {
  description = "When Azure may upgrade the cluster, and patch a classic Redis: a day of the week, the hour in UTC it begins at, and how many hours it lasts."
  type = object({
    day   = string
    hour  = number
    hours = number
  })
  default = { day = "Sunday", hour = 1, hours = 6 }

  validation {
    condition     = contains(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], var.maintenance_window.day)
    error_message = "maintenance_window needs a day such as Sunday."
  }

  validation {
    condition     = var.maintenance_window.hour >= 0 && var.maintenance_window.hour <= 23 && var.maintenance_window.hours >= 4 && var.maintenance_window.hours <= 24 && floor(var.maintenance_window.hour) == var.maintenance_window.hour && floor(var.maintenance_window.hours) == var.maintenance_window.hours
    error_message = "maintenance_window needs a whole hour of 0 to 23, and 4 to 24 whole hours."
  }
}

# API Management.

variable "api_management_sku" {
  description = "Tier and units. Classic tiers count the monthly quota by key, v2 tiers by product."
  type        = string
  default     = "Developer_1"

  validation {
    condition     = !startswith(var.api_management_sku, "Consumption")
    error_message = "The Consumption tier has no rate-limit-by-key; take Developer_1, BasicV2_1 or StandardV2_1."
  }

  validation {
    condition     = startswith(var.api_management_sku, "Consumption") || can(regex("^(Developer_1|(Basic|Standard)_[1-4]|Premium_[1-9][0-9]?|(Basic|Standard|Premium)V2_[1-9][0-9]?)$", var.api_management_sku))
    error_message = "api_management_sku must be tier and units, such as Developer_1, Standard_2 or StandardV2_1."
  }
}

variable "api_publisher" {
  description = "The publisher that API Management names, and where its mails go."
  type = object({
    name  = string
    email = string
  })
  default = null

  validation {
    condition     = !var.enable_api_management || var.api_publisher != null
    error_message = "API Management needs api_publisher = { name = \"...\", email = \"...\" }."
  }

  validation {
    condition     = var.api_publisher == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.api_publisher.email))
    error_message = "api_publisher needs a mail address."
  }
}

variable "api_clients" {
  description = "Who calls the API: each gets a subscription with keys of its own and a quota of its own."
  type        = set(string)
  default     = []
}

variable "cors_allowed_origins" {
  description = "Origins whose pages may call the API from a browser, such as https://app.example.com; empty is none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_allowed_origins : can(regex("^https?://[a-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "cors_allowed_origins must be origins without a path, such as https://app.example.com; * is not allowed."
  }
}

variable "front_door_id" {
  description = "Requests are taken from this Front Door only: the output front_door_id of global/. Null is from anywhere."
  type        = string
  default     = null

  validation {
    condition     = var.front_door_id == null || can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.front_door_id))
    error_message = "front_door_id must be a GUID in lower case; `terraform -chdir=infrastructure/global output front_door_id` prints it."
  }
}

# Redis.

variable "redis_tier" {
  description = "managed: Azure Managed Redis with Entra ID. classic: Azure Cache for Redis Standard C1 with a key, which only tenants that already have one can create, until it retires on 2028-09-30."
  type        = string
  default     = "managed"

  validation {
    condition     = contains(["managed", "classic"], var.redis_tier)
    error_message = "redis_tier must be managed or classic."
  }
}

variable "redis_sign_values" {
  description = "Put redis_signing_key into the vault, for SCORING_CACHE_KEY: cached values are signed, so that nobody else who may write to Redis can change predictions."
  type        = bool
  default     = false
}

variable "redis_signing_key" {
  description = "At least 16 characters, as `openssl rand -base64 32` makes them; by TF_VAR_redis_signing_key. It is kept neither in a plan nor in the state."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = try(length(var.redis_signing_key) >= 16, true)
    error_message = "redis_signing_key must have 16 characters at least."
  }
}

variable "managed_redis_sku" {
  description = "Size of Azure Managed Redis; a fifth of its memory is Azure's own. Its cluster policy must fit: up to 25 GB."
  type        = string
  default     = "Balanced_B1"

  validation {
    condition     = can(regex("^(Balanced_B(0|1|3|5|10|20)|MemoryOptimized_M(10|20)|ComputeOptimized_X(3|5|10|20))$", var.managed_redis_sku))
    error_message = "managed_redis_sku must be one of up to 25 GB, such as Balanced_B1: larger ones need a client that knows clusters."
  }
}

variable "managed_redis_outbound_rule" {
  description = "Let Azure ML's own network reach a private Azure Managed Redis. Never tried on Azure: azurerm has no such rule, so it is made by azapi."
  type        = bool
  default     = false
}

variable "redis_high_availability" {
  description = "A replica for Azure Managed Redis. Without one it costs half and has no SLA; changing it makes a new, empty cache."
  type        = bool
  default     = true
}

# Monitoring.

variable "log_retention_days" {
  description = "Days that logs are kept; those over 31 are charged."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days must be a whole number, 30 to 730."
  }
}

variable "log_daily_quota_gb" {
  description = "Gigabytes of logs that Log Analytics takes in a day at most; -1 is no limit."
  type        = number
  default     = -1

  validation {
    condition     = var.log_daily_quota_gb == -1 || var.log_daily_quota_gb >= 0.023
    error_message = "log_daily_quota_gb must be -1 for no limit, or 0.023 at least."
  }
}

variable "alert_emails" {
  description = "Who gets alerts by mail."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alert_emails must be mail addresses."
  }
}

variable "alert_webhooks" {
  description = "Who gets alerts by webhook: addresses by name."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for address in values(var.alert_webhooks) : startswith(address, "https://")])
    error_message = "alert_webhooks must be https addresses."
  }
}

variable "monthly_budget" {
  description = "What the resource group may cost in a month, in the currency of the bill: alert_emails and alert_webhooks hear of 80 % spent and of 100 % forecast. Nothing is stopped; null is none."
  type        = number
  default     = null

  validation {
    condition     = try(var.monthly_budget > 0, var.monthly_budget == null)
    error_message = "monthly_budget must be above 0."
  }
}

variable "locks_enabled" {
  description = "Nobody deletes the vault or the storage by hand."
  type        = bool
  default     = false
}

variable "runbook_url" {
  description = "Address at which people read docs/runbook.md, such as https://github.com/OWNER/REPOSITORY/blob/main/docs/runbook.md; each alert adds its name. By default alerts name the file."
  type        = string
  default     = "docs/runbook.md"

  validation {
    condition     = var.runbook_url == "docs/runbook.md" || can(regex("^https://[^#]+$", var.runbook_url))
    error_message = "runbook_url must be an https address without a fragment: alerts add # and their names."
  }
}

variable "peak_requests_per_second" {
  description = "The most requests that come in a second. Alerts on the platforms' own metrics, which can't compute shares, fire above 1 % of it."
  type        = number
  default     = 10

  validation {
    condition     = var.peak_requests_per_second > 0
    error_message = "peak_requests_per_second must be above 0."
  }
}

variable "probe_request" {
  description = "A request that the model answers, as JSON, such as that of endpoints/sample-request.json: Azure sends it through API Management from five places, each every five minutes, and an alert fires if it fails. Charged by run, 43,200 in 30 days; null is none."
  type        = string
  default     = null

  validation {
    condition     = var.probe_request == null || can(jsondecode(var.probe_request))
    error_message = "probe_request must be JSON that the model answers, such as {\"data\": [[1, 2]]}."
  }

  validation {
    condition     = var.probe_request == null || var.enable_api_management
    error_message = "probe_request needs enable_api_management: the endpoint itself answers only to Entra ID, which the test has not."
  }
}

# Network.

variable "address_space" {
  description = "The virtual network, a /16 or larger CIDR range."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.address_space)) && try(tonumber(split("/", var.address_space)[1]) <= 16 && cidrhost(var.address_space, 0) == split("/", var.address_space)[0], false)
    error_message = "address_space must be a CIDR range of /16 or larger, by its first address, such as 10.42.0.0/16."
  }

  validation {
    condition     = anytrue([for range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] : try(tonumber(split("/", var.address_space)[1]) >= tonumber(split("/", range)[1]) && cidrhost("${split("/", var.address_space)[0]}/${split("/", range)[1]}", 0) == split("/", range)[0], false)])
    error_message = "address_space must be private: in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }

  validation {
    condition     = alltrue([for taken in ["10.244.0.0", "10.245.0.0"] : try(cidrhost("${taken}/${split("/", var.address_space)[1]}", 0) != cidrhost(var.address_space, 0), true)])
    error_message = "address_space must not overlap with the pods of AKS, 10.244.0.0/16, and its services, 10.245.0.0/16."
  }
}

variable "existing_network" {
  description = "An existing network, in place of one that Terraform makes: its id, the subnets for private endpoints and for AKS, and the ids of the private DNS zones that it resolves, by name. Terraform makes the zones that are missing."
  type = object({
    id                   = string
    endpoints_subnet_id  = string
    aks_subnet_id        = optional(string)
    private_dns_zone_ids = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.existing_network == null || alltrue([for id in compact([try(var.existing_network.endpoints_subnet_id, null), try(var.existing_network.aks_subnet_id, null)]) : startswith(id, "${try(var.existing_network.id, "")}/subnets/")])
    error_message = "The subnets of existing_network must be of that network: <id>/subnets/<name>."
  }

  validation {
    condition     = var.existing_network == null || !var.enable_aks_deployment || try(var.existing_network.aks_subnet_id, null) != null
    error_message = "AKS in an existing network needs aks_subnet_id."
  }
}

variable "approved_outbound_hosts" {
  description = "Hosts on the internet that Azure ML's own network may reach, such as pypi.org and files.pythonhosted.org for building images; null is all of the internet. Needs private_network_enabled; makes a firewall, which is charged by the hour."
  type        = set(string)
  default     = null

  validation {
    condition     = var.approved_outbound_hosts == null || var.private_network_enabled
    error_message = "approved_outbound_hosts needs private_network_enabled."
  }

  validation {
    condition     = try(alltrue([for host in var.approved_outbound_hosts : can(regex("^(\\*\\.)?[a-z0-9-]+(\\.[a-z0-9-]+)+$", host))]), true)
    error_message = "approved_outbound_hosts must be host names such as pypi.org or *.anaconda.org."
  }
}

variable "gateway_in_network" {
  description = "API Management reaches the endpoint by the private network, so that the endpoint's public address can be closed. Standard v2 or Premium v2, in a network that Terraform makes. Never tried on Azure."
  type        = bool
  default     = false

  validation {
    condition     = !var.gateway_in_network || var.enable_api_management && can(regex("^(Standard|Premium)V2_", var.api_management_sku))
    error_message = "gateway_in_network needs enable_api_management and a tier of StandardV2 or PremiumV2."
  }

  validation {
    condition     = !var.gateway_in_network || var.private_network_enabled && var.existing_network == null
    error_message = "gateway_in_network needs private_network_enabled and a network that Terraform makes."
  }
}

variable "agents_subnet" {
  description = "A subnet for the pipelines' agents in the network that Terraform makes, with a way out to the internet; delegation is that of a managed pool, such as Microsoft.DevOpsInfrastructure/pools, and null for virtual machines. Null is none."
  type        = object({ delegation = optional(string) })
  default     = null

  validation {
    condition     = var.agents_subnet == null || var.existing_network == null
    error_message = "agents_subnet is only in a network that Terraform makes."
  }
}

variable "agents_network_id" {
  description = "The network that Terraform and the pipelines' agents run in. It is peered with the network that Terraform makes, and resolves its private names."
  type        = string
  default     = null

  validation {
    condition     = var.agents_network_id == null || can(regex("^/subscriptions/${var.subscription_id}/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+$", var.agents_network_id))
    error_message = "agents_network_id must be the id of a network of this subscription; `az network vnet show --query id` prints it."
  }

  validation {
    condition     = var.agents_network_id == null || var.existing_network == null
    error_message = "agents_network_id is only for a network that Terraform makes; whoever owns existing_network peers that one."
  }

  validation {
    condition     = !var.private_network_enabled || var.agents_network_id != null || var.agents_subnet != null || var.existing_network != null
    error_message = "A private network needs a way in for Terraform and the pipelines: agents_network_id, agents_subnet or existing_network."
  }
}
