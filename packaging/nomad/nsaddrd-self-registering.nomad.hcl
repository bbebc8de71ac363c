# SPDX-License-Identifier: Apache-2.0
#
# nsaddrd behind fabio, which registers itself in Consul: a service nameSvrIndex-<cluster-id> with
# fabio's tag for each cluster that it has a list of.
#
#   nomad job run packaging/nomad/nsaddrd-self-registering.nomad.hcl
#
# Take this instead of nsaddrd.nomad.hcl if fabio shall have a route for each cluster, as when each
# cluster had a program of its own: routes come and go with the clusters, appear one by one in
# fabio's table, and can be moved one by one. It costs a registration per cluster and instance,
# so from about 200 clusters on take nsaddrd.nomad.hcl, or register_mode=single.
#
# Nomad registers only a service without fabio's tag here, by which it judges a new version. Never
# add that tag below: one of the two registrations would outlive the other at each stop. Consul
# needs service_prefix "nameSvrIndex" write for it (README, "Consul").
#
# If the program is on the hosts by the Debian package, stop what that starts, or it has port 8080:
#   systemctl disable --now nsaddrd.socket nsaddrd.service

variable "job_name" {
  type        = string
  default     = "nsaddrd"
  description = "Name of the job; also of the Nomad variable nomad/jobs/<job_name> that is read for more options."
}

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "Where to run."
}

variable "count" {
  type        = number
  default     = 2
  description = "Instances. One is enough for the load; two or more, so that one may always be missing."
}

variable "distinct_hosts" {
  type        = bool
  default     = true
  description = "Each instance on a host of its own. false for a laboratory with one host."
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
  default     = "/usr/sbin/nsaddrd"
  description = "exec, raw_exec: the program, on the host or, with an artifact, local/<path in it>."
}

variable "artifact" {
  type        = string
  default     = ""
  description = "URL of the program or an archive with it, fetched into local/; empty: command is on the host."
}

variable "artifact_checksum" {
  type        = string
  default     = ""
  description = "Its checksum, such as sha256:<hex>. Leave it empty only where the URL is trusted."
}

variable "image" {
  type        = string
  default     = ""
  description = "docker: the image, with a tag."
}

variable "user" {
  type        = string
  default     = "nobody"
  description = "exec, raw_exec: who runs it. It needs no rights."
}

variable "port" {
  type        = number
  default     = 0
  description = "Port on the host; 0: any, which is fine behind fabio. 8080 if clients come without fabio."
}

variable "consul_address" {
  type        = string
  default     = "http://127.0.0.1:8500"
  description = "Consul's agent on the host."
}

variable "config" {
  type        = string
  default     = ""
  description = "More of nsaddrd.conf, such as: admission : { leave_delay = \"1m\"; };"
}

variable "register_mode" {
  type        = string
  default     = "per-cluster"
  description = "per-cluster: a route for each cluster; single: one for all."

  validation {
    condition     = contains(["per-cluster", "single"], var.register_mode)
    error_message = "Right is per-cluster or single; for off take nsaddrd.nomad.hcl."
  }
}

variable "min_healthy_time" {
  type        = string
  default     = "10s"
  description = "A new instance is left alone for this long before the next old one stops."
}

job "nsaddrd" {
  id          = var.job_name
  name        = var.job_name
  datacenters = var.datacenters
  type        = "service"

  # One after the other: the next one only once the last is ready, and back to the version
  # before if that does not happen.
  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = var.min_healthy_time
    healthy_deadline = "2m"
    auto_revert      = true
  }

  # The same when nodes are drained.
  migrate {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = var.min_healthy_time
    healthy_deadline = "2m"
  }

  constraint {
    operator = "distinct_hosts"
    value    = var.distinct_hosts
  }

  group "nsaddrd" {
    count = var.count

    network {
      port "http" {
        static = var.port
      }

      # Metrics and what is known of all clusters, for everybody who can connect: if hosts have a
      # network for operators only, give it here as host_network.
      port "admin" {}
    }

    # state.dir is in it: after an update on the same host the new instance has the lists at once,
    # even if Consul is away. Nothing is lost without it.
    ephemeral_disk {
      size   = 150
      sticky = true
    }

    # Start again for ever: there is no state in which staying down would be better.
    restart {
      attempts = 3
      interval = "1m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "nsaddrd"
      port = "http"

      # Only for Nomad: a new version is healthy when it has lists. It then registers its clusters.
      check {
        name     = "ready"
        type     = "http"
        path     = "/readyz"
        interval = "5s"
        timeout  = "2s"
      }
    }

    service {
      name = "nsaddrd-admin"
      port = "admin"
      tags = ["metrics"] # for Prometheus: consul_sd_configs finds it by this name

      # /healthz fails only if the process hangs, so only this check may restart it. A restart on
      # /readyz would make an outage of one that never had one.
      check {
        name     = "alive"
        type     = "http"
        path     = "/healthz"
        interval = "10s"
        timeout  = "2s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "nsaddrd" {
      driver = var.driver
      user   = var.driver == "docker" ? "" : var.user

      # With ACLs on: where Nomad's agents have a consul.task_identity, this gives the task a token
      # of its own, as CONSUL_HTTP_TOKEN. README, "Consul", says what its policy must allow.
      consul {}

      # The default signal, SIGINT, is understood like SIGTERM. It deregisters (within 10 s, most
      # often at once) and answers for register.drain (5 s) more. What is killed before that leaves
      # registrations behind, critical until Consul forgets them (register.deregister_after).
      kill_timeout = "25s"

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
        network_mode = var.driver == "docker" ? "host" : null # clients' addresses stay what they are
        args         = ["-c", "${NOMAD_SECRETS_DIR}/nsaddrd.conf"]
      }

      # What Nomad decides is said here, and wins over the file below. The health check of the image
      # finds the listener by it, too.
      env {
        NSADDRD_LISTEN             = "${NOMAD_ADDR_http}"
        NSADDRD_ADMIN_LISTEN       = "${NOMAD_ADDR_admin}"
        NSADDRD_CONSUL_ADDRESS     = var.consul_address
        NSADDRD_STATE_DIR          = "${NOMAD_ALLOC_DIR}/data"
        NSADDRD_REGISTER_MODE      = var.register_mode
        NSADDRD_REGISTER_ADVERTISE = "${NOMAD_ADDR_http}"
      }

      # All other options: those of this job, and what an operator adds while it runs, e.g.
      #   nomad var put -force nomad/jobs/nsaddrd config='log : { level = "debug"; };'
      # which nsaddrd is told of by SIGHUP; it is not restarted. This asks Nomad, not Consul, so a
      # start does not wait for Consul. A bad file changes nothing in one that runs, but none starts
      # with it: try it with nsaddrd -t -c FILE before.
      template {
        data = <<-EOF
          ${var.config}
          {{ if nomadVarExists "nomad/jobs/${var.job_name}" -}}
          {{ with nomadVar "nomad/jobs/${var.job_name}" }}{{ .config }}{{ end }}
          {{- end }}
        EOF

        destination   = "secrets/nsaddrd.conf"
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }

      # 10,000 clusters take 32 MB and, when nothing changes, 1 % of a core (README, "Measured").
      # 10,000 connections, which http.max_connections allows, take 106 MB more.
      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}
