// Package api serves the control API: the services of towpath.v1 over Connect, gRPC
// and plain JSON on one port.
//
//	server, err := api.New(api.Options{Store: store, Registry: registry, Audit: audit, KV: kv})
//	err = server.Serve(ctx, listener, trust.TLS())
//
//	POST /towpath.v1.{Service}/{Method}   a JSON or protobuf message
//	GET  /healthz /readyz
//
// A call comes through the door first, which sees its headers: who asks, whether the
// role suffices, that the audit log can be written. The interceptor sees its message:
// which environment it is of, what to write in the log. Behind them, the handlers trust
// that [access.Caller] may do what is asked.
package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
)

// Options say what a Server serves. Store, Registry and Audit are needed.
type Options struct {
	Store    control.Store
	Registry *access.Registry
	Audit    *access.Audit
	// KV and Election are the other services. Nil: they are answered "unimplemented".
	KV       towpathv1connect.KeyValueServiceHandler
	Election towpathv1connect.ElectionServiceHandler
	// Deployments serve releases to nodes. Nil: what is about them is answered
	// "unimplemented".
	Deployments *Deployments
	// Routes are other paths that are served, each under a procedure's name.
	Routes []Route
	// Members takes in other control nodes. Nil: none can join.
	Members Members
	// Version is what WhoAmI tells.
	Version string
	// MaxBody bounds a request's message, in bytes. 0: 4 MiB.
	MaxBody int
	// Timeout is how long a call may take that is no stream. 0: 30 s.
	Timeout time.Duration
	// Beat is how often attached nodes hear that they still are. 0: 5 s.
	Beat time.Duration
	// Log hears of what went wrong here. Nil: nobody does.
	Log *slog.Logger
}

// A Route is a path that is served besides those of the services, to who may call the
// procedure.
type Route struct {
	Pattern   string // as http.ServeMux takes it
	Procedure string
	// Subject is what a call is about, for the audit log, and the environment that it
	// is of; "" is none.
	Subject func(*http.Request) (subject, environment string)
	Handler http.Handler
}

// Server is the control API. It is an http.Handler.
type Server struct {
	opts    Options
	mux     *http.ServeMux
	refused *connect.ErrorWriter
	flood   flood
	closing closing
}

// New makes a Server.
func New(o Options) (*Server, error) {
	if o.Store == nil || o.Registry == nil || o.Audit == nil {
		return nil, errors.New("the control API needs a store, a registry and an audit log")
	}
	if o.MaxBody == 0 {
		o.MaxBody = 4 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Beat == 0 {
		o.Beat = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.KV == nil {
		o.KV = towpathv1connect.UnimplementedKeyValueServiceHandler{}
	}
	if o.Election == nil {
		o.Election = towpathv1connect.UnimplementedElectionServiceHandler{}
	}
	s := &Server{opts: o, mux: http.NewServeMux(), closing: newClosing()}
	options := connect.WithHandlerOptions(
		connect.WithInterceptors(interceptor{s}),
		connect.WithReadMaxBytes(o.MaxBody),
		connect.WithCompressMinBytes(4<<10),
	)
	s.refused = connect.NewErrorWriter(options)
	s.mount(towpathv1connect.NewAccessServiceHandler(&accessService{s}, options))
	s.mount(towpathv1connect.NewNodeServiceHandler(&nodeService{s}, options))
	s.mount(towpathv1connect.NewKeyValueServiceHandler(o.KV, options))
	s.mount(towpathv1connect.NewElectionServiceHandler(o.Election, options))
	if d := o.Deployments; d != nil {
		service := &deployService{s, deploy.Service{Store: o.Store, Objects: d.Events}, newRoom()}
		s.mount(towpathv1connect.NewDeployServiceHandler(service, options))
		o.Routes = append(append(slices.Clone(o.Routes), service.objectRoutes()...), service.alarmRoute())
	}
	for _, r := range o.Routes {
		if _, ok := access.NeedOf(r.Procedure); !ok {
			return nil, errors.New("the route " + r.Pattern + " is of the procedure " + r.Procedure + ", which nobody may call")
		}
		s.mux.Handle(r.Pattern, s.route(r))
	}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	s.mux.HandleFunc("GET /readyz", s.ready)
	return s, nil
}

// mount serves a service behind the door.
func (s *Server) mount(path string, h http.Handler) { s.mux.Handle(path, s.door(h)) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// ready says whether calls are welcome.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.closing.has():
		plain(w, http.StatusServiceUnavailable, "draining\n")
	case !s.opts.Registry.Fresh():
		plain(w, http.StatusServiceUnavailable, "the store has not been reached of late\n")
	case s.opts.Audit.Err() != nil:
		plain(w, http.StatusServiceUnavailable, "the audit log cannot be written\n")
	default:
		plain(w, http.StatusOK, "ready\n")
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
