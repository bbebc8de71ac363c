// SPDX-License-Identifier: Apache-2.0

// What a Go client that does not look at the status takes for the list (all up to v2.1.0-rc5):
//
//	rocketmq-go-rc5 URL
//
// prints "list: " and the addresses it would use, joined by blanks.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rocketmq-go-rc5 URL")
		os.Exit(1)
	}
	fmt.Println("list: " + strings.Join(primitive.NewHttpResolver("rc5", os.Args[1]).Resolve(), " "))
}
