// Package grpcproto asks services over gRPC, gRPC-Web or Connect by a .proto file.
//
//	[sources.pricing]
//	type  = "grpc"
//	url   = "http://pricing.internal:9090"
//	proto = "protos/pricing.proto"
//
//	[services.Pricing.lowest]
//	method  = "shop.v1.Pricing/Lowest"
//	request = { product_id = "{product}" }
//	answer  = "/price"
//
// Messages are never built: from the types of an operation and of its method a
// plan is made once, at Bind, which writes arguments from their JSON straight to
// protobuf's wire format and answers from there to JSON. Where the types do not
// fit, Bind says so. See [Open] and [Source.Bind] for the settings.
//
// A member of a Tow record is the field of that name, either as the .proto file
// writes it (seller_id) or in lowerCamel (sellerId). Further:
//
//	whole numbers             Int, also 64-bit ones: never a text; Decimal, Float
//	float, double             Float, Decimal
//	string                    String, or what has a text as its JSON: Decimal, Date, …
//	bytes                     String, in base64
//	enum                      a variant without fields, whose alternatives are called as
//	                          the values are, in any style, perhaps without the enum's
//	                          name before it: CONDITION_NEW is New; String; Int. A value
//	                          that is no alternative is None where an Option allows it
//	message                   a record; what is not in the record is not read
//	repeated, map             List or Set; Map
//	oneof                     a variant, as the member of the oneof's name; an alternative
//	                          has the fields of its message, or one field, or none
//	Timestamp, Duration       Instant, Duration
//	wrappers                  what they wrap, as an Option
//	Struct, Value, ListValue  Json
//	google.type.Money, Date, Decimal, and messages with the fields units, nanos and
//	currency_code, or amount and currency: Money, Date, Decimal
//
// Into Json a message is read as proto3 JSON writes it, but for whole numbers, and
// fields of no presence are always there. An absent field of any presence is left
// out; one without has its zero value.
package grpcproto

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/grpcproto/protofile"
	"towpath.dev/internal/settings"
)

// Options of Open. The zero Options work.
type Options struct {
	// Dial opens connections; nil means the network's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Parallel is how many calls of a batch may be under way side by side when
	// the operation has no batch method; 0 means 32.
	Parallel int
}

const (
	defaultParallel = 32
	defaultTimeout  = 30 * time.Second
	defaultAnswer   = 8 << 20 // bytes
)

// Source is a host that serves the services of a .proto file. It implements
// source.Shareable.
type Source struct {
	base      string                      // URL without a slash at its end
	file      protoreflect.FileDescriptor // nil when it could not be read
	headers   http.Header
	timeout   time.Duration
	maxAnswer int
	parallel  int
	client    *client
	options   []connect.ClientOption
	opened    [sha256.Size]byte
}

var _ source.Shareable = (*Source)(nil)

// Open reads the settings of a source:
//
//	url         required: http://host:port, which means HTTP/2 without TLS where the
//	            protocol is grpc, or https://…; perhaps with a path
//	proto       required: the .proto file that declares the services
//	include     folders in which its imports are looked for, besides its own
//	protocol    "grpc", "grpcweb" or "connect"; default grpc
//	headers     a table of texts, sent with every request
//	timeout     how long one batch may take at most, 30s; a deadline that is nearer
//	            counts
//	max_answer  bytes of a response, and of the answers read from it as JSON, 8 MiB
//	ca          file of PEM certificates to trust instead of the system's
//	cert, key   files of the client's own certificate, PEM
//
// Files are named relative to dir. Mistakes are noted in t; the Source is only of
// use for Bind then. It does not complain of keys that it does not know.
func Open(t *settings.Table, dir string, opts Options) *Source {
	s := &Source{parallel: opts.Parallel}
	if s.parallel <= 0 {
		s.parallel = defaultParallel
	}
	at := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, filepath.FromSlash(name))
	}
	base := readURL(t)
	s.base = strings.TrimSuffix(base.String(), "/")
	protocol := t.Choice("protocol", "grpc", "grpc", "grpcweb", "connect")
	s.headers = readHeaders(t)
	s.timeout = t.Duration("timeout", defaultTimeout)
	s.maxAnswer = int(t.Int("max_answer", defaultAnswer, 1, 1<<30))
	config, read := readTLS(t, base.Scheme, at)
	s.client = newClient(base.Scheme, protocol, config, opts.Dial)
	s.options = []connect.ClientOption{connect.WithCodec(frames{}), connect.WithReadMaxBytes(s.maxAnswer)}
	switch protocol {
	case "grpc":
		s.options = append(s.options, connect.WithGRPC())
	case "grpcweb":
		s.options = append(s.options, connect.WithGRPCWeb())
	}
	path := t.Required("proto")
	var include []string
	for _, folder := range t.Texts("include") {
		include = append(include, at(folder))
	}
	if path == "" {
		return s
	}
	file, err := protofile.Load(at(path), protofile.Options{Include: include})
	if err != nil {
		t.Errorf("proto", "`proto`: %v", err)
		return s
	}
	if file.Services().Len() == 0 {
		t.Errorf("proto", "`proto`: %s declares no service; name the file that does", path)
		return s
	}
	s.file = file
	s.opened = source.Sum(append(read, declared(file)...)...)
	return s
}

// Opened is part of source.Shareable.
func (s *Source) Opened() ([sha256.Size]byte, bool) { return s.opened, true }

// declared are a file and those that it imports, as messages on the wire.
func declared(file protoreflect.FileDescriptor) (all [][]byte) {
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(fd protoreflect.FileDescriptor) {
		if seen[fd.Path()] {
			return
		}
		seen[fd.Path()] = true
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(fd))
		if err != nil {
			panic("grpcproto: a descriptor that was linked cannot be written: " + err.Error())
		}
		all = append(all, text)
		for i := range fd.Imports().Len() {
			add(fd.Imports().Get(i).FileDescriptor)
		}
	}
	add(file)
	return all
}

// readURL reads `url`; after a mistake it gives one that serves to go on.
func readURL(t *settings.Table) *url.URL {
	text := t.Required("url")
	u, err := url.Parse(text)
	wrong := ""
	switch {
	case text == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		wrong = "is no URL; expected one as \"http://pricing.internal:9090\" or \"https://…\""
	case u.User != nil:
		wrong = "holds a name or password; send them by `headers`, as { authorization = \"Bearer ${env:TOKEN}\" }"
	case u.RawQuery != "" || u.Fragment != "":
		wrong = "has a query or a fragment; expected a host and perhaps a path"
	default:
		return u
	}
	if wrong != "" {
		t.Errorf("url", "`url` %s", wrong) // not what it is: there may be a secret in it
	}
	return &url.URL{Scheme: "http", Host: "localhost"}
}

// ours are the headers that the protocols and we ourselves write.
var ours = []string{"content-", "grpc-", "connect-", "towpath-", "accept-encoding", "traceparent", "te", "host", "connection", "transfer-encoding", "trailer", "upgrade"}

func readHeaders(t *settings.Table) http.Header {
	out := http.Header{}
	headers := t.Table("headers")
	for _, name := range headers.Keys() {
		value := headers.Text(name, "")
		if !isToken(name) {
			headers.Errorf(name, "%q cannot name a header; expected letters, digits and hyphens", name)
			continue
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			headers.Errorf(name, "the header %s has control characters in its value", name)
			continue
		}
		lower := strings.ToLower(name)
		for _, own := range ours {
			if lower == own || strings.HasSuffix(own, "-") && strings.HasPrefix(lower, own) {
				headers.Errorf(name, "the header %s is written by the protocol; leave it out", name)
			}
		}
		out.Set(name, value)
	}
	return out
}

func isToken(name string) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)) {
			return false
		}
	}
	return name != ""
}

// Probe asks for the host's health (grpc.health.v1). A host that does not know of
// that is well when it answers at all.
func (s *Source) Probe(ctx context.Context, _ []source.Caller) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c := connect.NewClient[frame, frame](s.client, s.base+"/grpc.health.v1.Health/Check", s.options...)
	request := connect.NewRequest(&frame{})
	s.addHeaders(request.Header(), &source.About{})
	response, err := c.CallUnary(ctx, request)
	if err != nil {
		if connect.IsWireError(err) && connect.CodeOf(err) == connect.CodeUnimplemented {
			return nil
		}
		e := s.failure(ctx, err, "grpc.health.v1.Health/Check")
		if status := (*statusError)(nil); asStatus(err, &status) && status.code == http.StatusNotFound {
			return nil
		}
		return e
	}
	const serving = 1
	status := uint64(0)
	for f := range fields(response.Msg.data) {
		if f.number == 1 {
			status = f.bits
		}
	}
	if status != serving {
		return source.Errorf(source.Unavailable, "the host says that it does not serve (health status %d, expected %d)", status, serving)
	}
	return nil
}

// Close frees the connections.
func (s *Source) Close() error {
	s.client.close()
	return nil
}
