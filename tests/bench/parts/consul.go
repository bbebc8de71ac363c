// SPDX-License-Identifier: Apache-2.0

// A stand-in for a Consul agent that knows many services and changes one of them now and then. The
// fake of the daemon tests follows more of Consul's rules; this one answers thousands of reads a second.
//
//	consul ADDRESS PREFIX SERVICES INTERVAL
//
// Service i is PREFIX and i in five digits, with three passing instances of addresses no other has. Every INTERVAL (Go's form;
// 0s is never) the next service in turn has its fourth instance pass, or fail if it passed before.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	instances = 3
	port      = 9877
	// So many take turns to change, or fewer if there are fewer.
	changing = 20
	longest  = 10 * time.Minute
)

type service struct {
	index uint64
	extra bool          // the fourth instance passes
	moved chan struct{} // closed at the next change
}

type agent struct {
	lock     sync.Mutex
	index    uint64
	names    []byte
	services map[string]*service
	order    []string
}

func newAgent(prefix string, count int) *agent {
	a := &agent{index: 100, services: map[string]*service{}}
	names := map[string][]string{"consul": {}}
	for i := range count {
		name := fmt.Sprintf("%s%05d", prefix, i)
		names[name] = []string{}
		a.services[name] = &service{index: a.index, moved: make(chan struct{})}
		a.order = append(a.order, name)
	}
	a.names, _ = json.Marshal(names)
	return a
}

func (a *agent) change(name string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.index++
	s := a.services[name]
	s.index, s.extra = a.index, !s.extra
	close(s.moved)
	s.moved = make(chan struct{})
}

func (a *agent) changeInTurn(interval time.Duration) {
	turns := min(changing, len(a.order))
	for i := 0; ; i++ {
		time.Sleep(interval)
		a.change(a.order[i%turns])
	}
}

// state waits, as a blocking read does, until the service is newer than index.
func (a *agent) state(r *http.Request, name string) (index uint64, extra, known bool) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil || wait > longest {
		wait = longest
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		a.lock.Lock()
		s := a.services[name]
		if s == nil {
			a.lock.Unlock()
			return 1, false, false
		}
		index, extra, moved := s.index, s.extra, s.moved
		a.lock.Unlock()
		if index > after {
			return index, extra, true
		}
		select {
		case <-moved:
		case <-timeout.C:
			return index, extra, true
		case <-r.Context().Done():
			return index, extra, true
		}
	}
}

func (a *agent) serveNames(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("index") != "" { // no service comes or goes
		wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
		if err != nil || wait > longest {
			wait = longest
		}
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
		}
	}
	send(w, 100, a.names)
}

func (a *agent) serveHealth(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/v1/health/service/")
	index, extra, known := a.state(r, name)
	rows := []any{}
	for i := 0; known && i <= instances; i++ {
		status := "passing"
		if i == instances && !extra {
			status = "critical"
		}
		rows = append(rows, row(name, i, status))
	}
	body, _ := json.Marshal(rows)
	send(w, index, body)
}

// row has the members of Consul's reply that have a weight: about 1.3 KB for each instance.
func row(name string, i int, status string) any {
	id := fmt.Sprintf("%s-%d", name, i)
	number, _ := strconv.Atoi(name[len(name)-5:])
	address := fmt.Sprintf("10.%d.%d.%d", 100+number/100, 100+number%100, i+1)
	check := func(id, name, status string) any {
		return map[string]any{
			"Node": "node", "CheckID": id, "Name": id, "Status": status, "Notes": "", "Output": "",
			"ServiceID": id, "ServiceName": name, "ServiceTags": []string{}, "Type": "tcp",
			"Interval": "10s", "Timeout": "2s", "ExposedPort": 0, "Definition": struct{}{},
			"CreateIndex": 5, "ModifyIndex": 6,
		}
	}
	return map[string]any{
		"Node": map[string]any{
			"ID": "11111111-2222-3333-4444-555555555555", "Node": "node", "Address": address,
			"Datacenter": "dc1", "TaggedAddresses": map[string]string{"lan": address, "wan": address},
			"Meta": map[string]string{}, "CreateIndex": 5, "ModifyIndex": 6,
		},
		"Service": map[string]any{
			"ID": id, "Service": name, "Tags": []string{}, "Address": address, "TaggedAddresses": nil,
			"Meta": map[string]string{}, "Port": port, "EnableTagOverride": false,
			"Weights": map[string]int{"Passing": 1, "Warning": 1}, "PeerName": "",
			"CreateIndex": 8, "ModifyIndex": 9,
		},
		"Checks": []any{check("serfHealth", "", "passing"), check("service:"+id, name, status)},
	}
}

func send(w http.ResponseWriter, index uint64, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Consul-Knownleader", "true")
	w.Header().Set("X-Consul-Lastcontact", "0")
	_, _ = w.Write(body)
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	interval, err := time.ParseDuration(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	a := newAgent(os.Args[2], count)
	if interval > 0 && count > 0 {
		go a.changeInTurn(interval)
	}
	http.HandleFunc("/v1/catalog/services", a.serveNames)
	http.HandleFunc("/v1/health/service/", a.serveHealth)
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
