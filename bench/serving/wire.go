package serving

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a keep-alive connection that spends as little as it can, so that the
// measuring side does not crowd out the measured one.
type conn struct {
	net.Conn
	in   *bufio.Reader
	body []byte
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// post makes the bytes of a request.
func post(path string, body []byte, headers ...string) []byte {
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, len(body))
	for _, h := range headers {
		b = append(append(b, h...), '\r', '\n')
	}
	return append(append(b, '\r', '\n'), body...)
}

// ask sends a request and reads the answer; the body lives until the next.
func (c *conn) ask(request []byte) (status int, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("a status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length, chunked := -1, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.body = c.body[:0]
	if chunked {
		return status, c.body, c.chunks()
	}
	if length < 0 {
		return 0, nil, errors.New("an answer without a length")
	}
	return status, c.body, c.take(length)
}

func (c *conn) take(n int) error {
	at := len(c.body)
	for cap(c.body) < at+n {
		c.body = append(c.body[:cap(c.body)], 0)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

func (c *conn) chunks() error {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := c.take(int(n)); err != nil {
				return err
			}
		}
		if _, err := c.in.ReadString('\n'); err != nil || n == 0 {
			return err
		}
	}
}

// drive asks n requests over some connections, each as soon as the one before is
// answered. Anything but 200 is an error.
func drive(addr string, requests [][]byte, conns, n int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, conns)
	for range conns {
		wg.Go(func() {
			c, err := dial(addr)
			if err != nil {
				failed <- err
				return
			}
			defer c.Close()
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				status, body, err := c.ask(requests[i%int64(len(requests))])
				if err == nil && status != 200 {
					err = fmt.Errorf("status %d: %.300s", status, body)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// timeEach asks n requests over one connection, one after the other, and gives
// what each took.
func timeEach(c *conn, requests [][]byte, n int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range n {
		begin := time.Now()
		status, body, err := c.ask(requests[i%len(requests)])
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d: %.300s", status, body)
		}
		if err != nil {
			return nil, err
		}
		took[i] = time.Since(begin)
	}
	return took, nil
}
