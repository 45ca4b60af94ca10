terraform {
  required_version = ">= 1.11.0, < 2.0.0" # write-only arguments

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.10" # before it, an alias such as 1.34 of kubernetes_version shows a change in each plan
    }
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.12"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
  }
}
