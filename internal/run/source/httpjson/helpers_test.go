package httpjson

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The types of the operations in the tests.
const (
	tString = iota
	tInt
	tMaybeString
	tQuery
	tJSON
	tStrings
	tMoney
	tMaybeMoney
	tBool
	tFirstArgs // the records of the parameters come from here on
)

func schemaOf(params ...abi.Field) *abi.Schema {
	return &abi.Schema{Types: []abi.Type{
		tString:      {Kind: abi.String, Name: "String"},
		tInt:         {Kind: abi.Int, Name: "Int"},
		tMaybeString: {Kind: abi.Option, Name: "String?", Elem: tString},
		tQuery:       {Kind: abi.Record, Name: "Query", Fields: []abi.Field{{Name: "text", Type: tString}, {Name: "page", Type: tInt}}},
		tJSON:        {Kind: abi.Json, Name: "Json"},
		tStrings:     {Kind: abi.List, Name: "List<String>", Elem: tString},
		tMoney:       {Kind: abi.Money, Name: "Money"},
		tMaybeMoney:  {Kind: abi.Option, Name: "Money?", Elem: tMoney},
		tBool:        {Kind: abi.Bool, Name: "Bool"},
		tFirstArgs:   {Kind: abi.Record, Fields: params},
	}}
}

var (
	product = abi.Field{Name: "product", Type: tString}
	region  = abi.Field{Name: "region", Type: tMaybeString}
	query   = abi.Field{Name: "query", Type: tQuery}
	limit   = abi.Field{Name: "limit", JSON: "max", Type: tInt}
	extra   = abi.Field{Name: "extra", Type: tJSON}
	tags    = abi.Field{Name: "tags", Type: tStrings}
	price   = abi.Field{Name: "price", Type: tMoney}
)

// open opens a source with the settings, and binds an operation; what it returns
// of mistakes is the file's.
func open(t testing.TB, opts Options, src, op string, result abi.TypeID, params ...abi.Field) (*Source, source.Caller, error) {
	t.Helper()
	file := settings.Parse("env/test.toml", []byte("[source]\n"+src+"\n[op]\n"+op+"\n"))
	table := file.Root.Table("source")
	s := Open(table, opts)
	t.Cleanup(func() { s.Close() })
	table.Done()
	table = file.Root.Table("op")
	c := s.Bind(source.Operation{
		Meta:   &artifact.Operation{Module: "m", Service: "S", Name: "ask", Args: tFirstArgs, Result: result},
		Schema: schemaOf(params...), Settings: table,
	})
	table.Done()
	return s, c, file.Err()
}

// bind is open without mistakes.
func bind(t testing.TB, src, op string, result abi.TypeID, params ...abi.Field) source.Caller {
	t.Helper()
	_, c, err := open(t, Options{}, src, op, result, params...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type answer struct {
	text string
	err  error
}

// ask asks the calls, and sees that each is answered once.
func ask(t testing.TB, ctx context.Context, c source.Caller, args ...string) []answer {
	t.Helper()
	return askAbout(t, ctx, c, source.About{}, args...)
}

func askAbout(t testing.TB, ctx context.Context, c source.Caller, about source.About, args ...string) []answer {
	t.Helper()
	b := &source.Batch{About: about}
	for _, a := range args {
		b.Args = append(b.Args, []byte(a))
	}
	var mu sync.Mutex
	answers := make([]answer, len(args))
	times := make([]int, len(args))
	c.Call(ctx, b, func(i int, text []byte, err error) {
		mu.Lock()
		defer mu.Unlock()
		answers[i] = answer{string(text), err}
		times[i]++
	})
	mu.Lock()
	defer mu.Unlock()
	for i, n := range times {
		if n != 1 {
			t.Errorf("call %d was answered %d times", i, n)
		}
	}
	return answers
}

// serve serves HTTP on loopback and gives the source's `url`.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return `url = "` + server.URL + `"`
}

// raw serves connections by hand, after the request was read from them.
func raw(t testing.TB, serve func(net.Conn, *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serveRaw(l, serve)
	t.Cleanup(stop)
	return `url = "http://` + l.Addr().String() + `"`
}

// serveRaw serves a listener by hand; stop closes it and waits.
func serveRaw(l net.Listener, serve func(net.Conn, *http.Request)) (stop func()) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, req.Body); err == nil {
					serve(conn, req)
				}
			})
		}
	})
	return func() {
		l.Close()
		running.Wait()
	}
}

// pipes is a network in memory, for tests in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func wantError(t *testing.T, a answer, kind source.Kind, message string) {
	t.Helper()
	if a.err == nil || source.KindOf(a.err) != kind || !strings.Contains(a.err.Error(), message) {
		t.Errorf("the answer is %s, the error %v;\nwant one that is %v and says %q", a.text, a.err, kind, message)
	}
}

// quiet takes what servers complain of.
var quiet = log.New(io.Discard, "", 0)

// writeKeyPair writes client.pem and client.key into dir.
func writeKeyPair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"client.pem": {Type: "CERTIFICATE", Bytes: cert}, "client.key": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
