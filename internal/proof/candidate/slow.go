package candidate

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A slowness makes what comes in over connections come later than it does.
type slowness struct{ nanos atomic.Int64 }

func (s *slowness) set(d time.Duration) { s.nanos.Store(int64(d)) }

// dial connects over TCP.
func (s *slowness) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &slowConn{Conn: conn, arrived: make(chan arrival, 1024), closed: make(chan struct{})}
	go c.receive(s)
	return c, nil
}

// slowConn delays reads. Its goroutine ends when the connection does.
type slowConn struct {
	net.Conn
	arrived chan arrival
	rest    arrival
	once    sync.Once
	closed  chan struct{}
}

type arrival struct {
	bytes []byte
	err   error
	due   time.Time
}

func (c *slowConn) receive(s *slowness) {
	for {
		buffer := make([]byte, 32<<10)
		n, err := c.Conn.Read(buffer)
		a := arrival{buffer[:n], err, time.Now().Add(time.Duration(s.nanos.Load()))}
		select {
		case c.arrived <- a:
		case <-c.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *slowConn) Read(p []byte) (int, error) {
	if len(c.rest.bytes) == 0 && c.rest.err == nil {
		select {
		case c.rest = <-c.arrived:
		case <-c.closed:
			return 0, net.ErrClosed
		}
		select {
		case <-time.After(time.Until(c.rest.due)):
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, c.rest.bytes)
	c.rest.bytes = c.rest.bytes[n:]
	if len(c.rest.bytes) == 0 && c.rest.err != nil {
		return n, c.rest.err
	}
	return n, nil
}

func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
