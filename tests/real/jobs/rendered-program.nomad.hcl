# SPDX-License-Identifier: Apache-2.0
#
# What nsaddrd replaces: a job for each cluster, whose template renders a Go program with the list
# in it. At each change of the list Nomad renders it anew and restarts the task, which compiles it.

variable "cluster" {
  type = string
}

variable "path" {
  type        = string
  default     = "/rocketmq"
  description = "Another one, to run beside nsaddrd behind the same fabio."
}

variable "go" {
  type        = string
  description = "The go command."
}

variable "go_cache" {
  type        = string
  description = "Its build cache, so that only what is rendered has to be compiled."
}

job "rendered-program" {
  id   = "rendered-${var.cluster}"
  name = "rendered-${var.cluster}"

  group "index" {
    network {
      port "http" {}
    }

    service {
      name = "nameSvrIndex-${var.cluster}"
      port = "http"
      tags = ["urlprefix-${var.path}/${var.cluster}"]

      check {
        type     = "http"
        path     = "${var.path}/${var.cluster}"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "index" {
      driver = "raw_exec"

      env {
        GOCACHE     = var.go_cache
        GO111MODULE = "off"
        CGO_ENABLED = "0"
      }

      config {
        command = var.go
        args    = ["run", "local/main.go"]
      }

      template {
        destination = "local/main.go"
        data        = <<-EOF
          package main

          import (
          	"fmt"
          	"log"
          	"net/http"
          	"os"
          )

          const list = "{{ range $i, $s := service "nameServer${var.cluster}" }}{{ if $i }};{{ end }}{{ $s.Address }}:{{ $s.Port }}{{ end }}"

          func main() {
          	http.HandleFunc("${var.path}/${var.cluster}", func(w http.ResponseWriter, _ *http.Request) {
          		fmt.Fprint(w, list)
          	})
          	log.Fatal(http.ListenAndServe(os.Getenv("NOMAD_ADDR_http"), nil))
          }
        EOF
      }

      resources {
        cpu    = 20
        memory = 512 # the compiler and linker are in it
      }
    }
  }
}
