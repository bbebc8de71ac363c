# SPDX-License-Identifier: Apache-2.0
#
# NameServers of one cluster, as their owners would run them: Nomad chooses the ports and registers
# them in Consul as nameServer<cluster-id>, and an update replaces them one by one.

variable "cluster" {
  type = string
}

variable "count" {
  type = number
}

variable "generation" {
  type        = number
  default     = 1
  description = "Another number is another version of the job, so all of them are replaced."
}

variable "command" {
  type = string
}

variable "args" {
  type        = list(string)
  description = "With the port as $${NOMAD_PORT_rpc}, or local/namesrv.conf, which has it."
}

variable "env" {
  type    = map(string)
  default = {}
}

variable "memory" {
  type        = number
  default     = 32
  description = "MiB; Nomad kills what takes more."
}

job "nameserver" {
  id   = "nameserver-${var.cluster}"
  name = "nameserver-${var.cluster}"

  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "1s"
    healthy_deadline = "3m"
  }

  meta {
    generation = var.generation
  }

  group "nameserver" {
    count = var.count

    network {
      port "rpc" {}
    }

    service {
      name = "nameServer${var.cluster}"
      port = "rpc"

      check {
        type     = "tcp"
        interval = "1s"
        timeout  = "1s"
      }
    }

    task "nameserver" {
      driver = "raw_exec"
      env    = var.env

      config {
        command = var.command
        args    = var.args
      }

      template {
        data        = "listenPort={{ env \"NOMAD_PORT_rpc\" }}\n"
        destination = "local/namesrv.conf"
      }

      resources {
        cpu    = 20
        memory = var.memory
      }
    }
  }
}
