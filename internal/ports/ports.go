// Package ports finds addresses for servers that are started, stopped and started again.
//
//	addresses, err := ports.Free(2)
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Systems give clients' connections ports from 32768 on, or from 49152 (ip_local_port_range of
// Linux, RFC 6335). A port of those that was free a moment ago may be some connection's when its
// server starts again; one below is nobody's who has not chosen it.
const (
	lowest  = 15_000
	highest = 32_767
)

// Free is addresses of the loopback interface, all different, that nobody listens on now.
func Free(n int) ([]string, error) {
	var all []string
	for range 1000 {
		if len(all) == n {
			return all, nil
		}
		at := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest+1))
		l, err := net.Listen("tcp", at)
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // so that all differ
		all = append(all, at)
	}
	return nil, fmt.Errorf("of a thousand ports from %d to %d on 127.0.0.1 %d were free; expected %d", lowest, highest, len(all), n)
}
