// SPDX-License-Identifier: Apache-2.0

// A peer to measure beside us: Go's net/http with a handler that always gives the same list.
//
//	static ADDRESS LIST ETAG
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	address, list, etag := os.Args[1], []byte(os.Args[2]), os.Args[3]
	log.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("ETag", etag)
		_, _ = w.Write(list)
	})))
}
