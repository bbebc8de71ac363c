module nsaddrd.test/rocketmq-go-rc5

go 1.25.0

require github.com/apache/rocketmq-client-go/v2 v2.1.0-rc5

require (
	github.com/konsorten/go-windows-terminal-sequences v1.0.1 // indirect
	github.com/sirupsen/logrus v1.4.1 // indirect
	golang.org/x/sys v0.0.0-20190215142949-d0b11bdaac8a // indirect
)
