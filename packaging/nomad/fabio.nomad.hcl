# SPDX-License-Identifier: Apache-2.0
#
# fabio on every host, as the way by which clients reach nsaddrd.
#
#   nomad job run packaging/nomad/fabio.nomad.hcl
#
# Java clients ask port 8080 unless they are told another: hence the default of port. If nsaddrd is on
# the hosts by its Debian package, stop what that starts, or it has that port:
#   systemctl disable --now nsaddrd.socket nsaddrd.service

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "Where to run."
}

variable "driver" {
  type        = string
  default     = "exec"
  description = "exec, raw_exec (the client must allow it) or docker."

  validation {
    condition     = contains(["exec", "raw_exec", "docker"], var.driver)
    error_message = "The driver must be exec, raw_exec or docker."
  }
}

variable "command" {
  type        = string
  default     = "/usr/bin/fabio"
  description = "exec, raw_exec: the program, on the host or, with an artifact, local/<path in it>."
}

variable "artifact" {
  type        = string
  default     = ""
  description = "URL of the program, fetched into local/; empty: command is on the host."
}

variable "artifact_checksum" {
  type        = string
  default     = ""
  description = "Its checksum, such as sha256:<hex>. Leave it empty only where the URL is trusted."
}

variable "image" {
  type        = string
  default     = "docker.io/fabiolb/fabio:1.6.3"
  description = "docker: the image, with a tag."
}

variable "user" {
  type        = string
  default     = "nobody"
  description = "exec, raw_exec: who runs it."
}

variable "port" {
  type        = number
  default     = 8080
  description = "Where clients ask, on every host."
}

variable "ui_port" {
  type        = number
  default     = 9998
  description = "Its own page, /health and /api/routes."
}

variable "consul_address" {
  type        = string
  default     = "127.0.0.1:8500"
  description = "Consul's agent on the host."
}

job "fabio" {
  datacenters = var.datacenters
  type        = "system"

  update {
    max_parallel = 1
    stagger      = "30s"
  }

  group "fabio" {
    network {
      port "http" {
        static = var.port
      }
      port "ui" {
        static = var.ui_port
      }
    }

    restart {
      attempts = 3
      interval = "1m"
      delay    = "2s"
      mode     = "delay"
    }

    # For what balances over the hosts: it has time to leave this one out before fabio stops.
    shutdown_delay = "10s"

    service {
      name = "fabio"
      port = "http"

      check {
        name     = "alive"
        type     = "http"
        port     = "ui"
        path     = "/health"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "fabio" {
      driver       = var.driver
      user         = var.driver == "docker" ? "" : var.user
      kill_timeout = "20s"

      # With ACLs on, as in nsaddrd.nomad.hcl: fabio takes CONSUL_HTTP_TOKEN, too.
      consul {}

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local/"

          dynamic "options" {
            for_each = var.artifact_checksum == "" ? [] : [var.artifact_checksum]
            content {
              checksum = options.value
            }
          }
        }
      }

      config {
        command      = var.driver == "docker" ? null : var.command
        image        = var.driver == "docker" ? var.image : null
        network_mode = var.driver == "docker" ? "host" : null

        # No -proxy.noroutestatus (404 must stay: clients take a page with 200 for a list) and no
        # -proxy.matcher (it must stay prefix). Nomad registers fabio, so fabio does not.
        args = [
          "-proxy.addr", ":${NOMAD_PORT_http}",
          "-ui.addr", "${NOMAD_ADDR_ui}",
          "-registry.consul.addr", var.consul_address,
          "-registry.consul.register.enabled=false",
          "-proxy.shutdownwait", "5s",
        ]
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
