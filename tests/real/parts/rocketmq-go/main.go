// SPDX-License-Identifier: Apache-2.0

// The RocketMQ Go client as a tenant uses it: given a URL to poll and nothing else.
//
//	rocketmq-go produce URL TOPIC COUNT
//	rocketmq-go consume URL TOPIC COUNT
//
// Bodies are the numbers 0 to COUNT-1, so that the consumer can tell "all of them" from "as many".
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func main() {
	if len(os.Args) != 5 {
		fail("usage: rocketmq-go produce|consume URL TOPIC COUNT")
	}
	url, topic := os.Args[2], os.Args[3]
	count, err := strconv.Atoi(os.Args[4])
	check("COUNT", err)
	switch os.Args[1] {
	case "produce":
		produce(url, topic, count)
	case "consume":
		consume(url, topic, count)
	default:
		fail("unknown command " + os.Args[1])
	}
}

func produce(url, topic string, count int) {
	p, err := rocketmq.NewProducer(
		producer.WithNsResolver(primitive.NewHttpResolver("produce-"+topic, url)),
		producer.WithGroupName("produce-"+topic))
	check("new producer", err)
	check("start", p.Start())
	for i := 0; i < count; i++ {
		message := primitive.NewMessage(topic, []byte(strconv.Itoa(i)))
		result, err := p.SendSync(context.Background(), message)
		check(fmt.Sprintf("send %d", i), err)
		if result.Status != primitive.SendOK {
			fail(fmt.Sprintf("send %d: %v", i, result))
		}
	}
	fmt.Printf("sent %d\n", count)
	check("shutdown", p.Shutdown())
}

func consume(url, topic string, count int) {
	c, err := rocketmq.NewPushConsumer(
		consumer.WithNsResolver(primitive.NewHttpResolver("consume-"+topic, url)),
		consumer.WithGroupName("consume-"+topic),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	check("new consumer", err)

	var lock sync.Mutex
	missing := map[string]bool{}
	for i := 0; i < count; i++ {
		missing[strconv.Itoa(i)] = true
	}
	all := make(chan struct{})
	take := func(
		_ context.Context, messages ...*primitive.MessageExt,
	) (consumer.ConsumeResult, error) {
		lock.Lock()
		defer lock.Unlock()
		for _, m := range messages {
			if !missing[string(m.Body)] {
				continue // delivered again
			}
			delete(missing, string(m.Body))
			if len(missing)%100 == 0 {
				fmt.Printf("missing %d\n", len(missing))
			}
			if len(missing) == 0 {
				close(all)
			}
		}
		return consumer.ConsumeSuccess, nil
	}
	check("subscribe", c.Subscribe(topic, consumer.MessageSelector{}, take))
	check("start", c.Start())
	<-all
	fmt.Printf("consumed %d\n", count)
	check("shutdown", c.Shutdown())
}

func check(what string, err error) {
	if err != nil {
		fail(what + ": " + err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
