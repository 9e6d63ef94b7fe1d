package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/netutil"
)

// What connections may cost.
const (
	maxConnections = 4096
	headerTime     = 5 * time.Second
	bodyTime       = 30 * time.Second // for a whole request to arrive
	writeTime      = 30 * time.Second // for a message to be taken
	idleTime       = 2 * time.Minute
	headerBytes    = 32 << 10
	pingAfter      = 15 * time.Second // of silence on a connection of HTTP/2
	drainTime      = 5 * time.Second
)

// Serve answers on a listener until the context ends. Then /readyz says no, streams are
// told to ask another control node, and calls under way have a few seconds to end.
// Without TLS, which is for loopback, HTTP/2 is spoken all the same, so that gRPC works.
func (s *Server) Serve(ctx context.Context, l net.Listener, secure *tls.Config) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(secure != nil)
	protocols.SetUnencryptedHTTP2(secure == nil)
	h := &http.Server{
		Handler: s, TLSConfig: secure, Protocols: &protocols, HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter},
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ErrorLog: log.New(quiet{s.opts.Log}, "", 0),
	}
	l = netutil.LimitListener(l, maxConnections)
	served := make(chan error, 1)
	go func() {
		if secure != nil {
			served <- h.ServeTLS(l, "", "")
		} else {
			served <- h.Serve(l)
		}
	}()
	select {
	case err := <-served:
		s.closing.begin()
		return err
	case <-ctx.Done():
	}
	s.closing.begin()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if h.Shutdown(last) != nil {
		_ = h.Close() // what is left is cut off
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// quiet hands on what net/http has to say of broken connections.
type quiet struct{ log *slog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	q.log.Debug("http", "message", string(b))
	return len(b), nil
}

// closing is the server's end, as streams hear of it.
type closing struct {
	ctx   context.Context
	begin context.CancelFunc
}

var errClosing = connect.NewError(connect.CodeUnavailable, errors.New("this control node is shutting down; ask another one"))

func newClosing() closing {
	ctx, cancel := context.WithCancel(context.Background())
	return closing{ctx, cancel}
}

func (c closing) has() bool { return c.ctx.Err() != nil }
