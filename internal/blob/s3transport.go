// Connections to stores.

package blob

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// For how long nothing may happen on a connection. That a call takes long is no reason to end
// it, as objects may be large; that nothing moves is.
const stall = time.Minute

// newTransport makes connections of HTTP/1.1, so that each has one call at a time, and what
// is seen of a connection is seen of the call.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &impatient{connection}, nil
		},
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true,
	}
}

// impatient is a connection that fails when nothing happens on it.
type impatient struct{ net.Conn }

func (c *impatient) Read(into []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(into)
	return n, explainStall(err)
}

func (c *impatient) Write(data []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	// A reader waits for an answer meanwhile, and it will take its time from now.
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(data)
	return n, explainStall(err)
}

func explainStall(err error) error {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("nothing happened on the connection for %v: %w", stall, err)
	}
	return err
}
