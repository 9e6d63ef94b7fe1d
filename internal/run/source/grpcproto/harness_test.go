package grpcproto

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/grpcproto/protofile"
	"towpath.dev/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shopProto is what most tests ask.
const shopProto = `syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/empty.proto";

enum Condition { CONDITION_UNSPECIFIED = 0; CONDITION_NEW = 1; CONDITION_LIKE_NEW = 2; }
message Amount { string currency_code = 1; int64 units = 2; int32 nanos = 3; }
message Card { string number = 1; int32 year = 2; }
message Offer {
  string id = 1;
  string seller_id = 2;
  Amount price = 3;
  Condition condition = 4;
  int64 stock = 5;
  repeated string tags = 6;
  map<string, int32> scores = 7;
  google.protobuf.Timestamp since = 8;
  google.protobuf.Duration handling = 9;
  google.protobuf.StringValue note = 10;
  optional int32 grade = 11;
  oneof payment { Card card = 12; string voucher = 13; google.protobuf.Empty cash = 14; }
  google.protobuf.Struct extra = 15;
  repeated sint32 deltas = 16;
  double rating = 17;
  bytes blob = 18;
  bool used = 19;
  Offer parent = 20;
  float share = 21;
  uint64 big = 22;
  map<int64, Amount> tiers = 23;
  repeated Condition conditions = 24;
}
message OffersRequest { string product = 1; string region = 2; int32 limit = 3; Page page = 4; Condition condition = 5; string path = 6; repeated string ids = 7; }
message Page { int32 size = 1; }
message OffersResponse { repeated Offer offers = 1; }
message LowestRequest { string product = 1; }
message LowestResponse { optional Amount price = 1; string source = 2; }
message BatchLowestRequest { repeated string products = 1; string region = 2; repeated LowestRequest requests = 3; }
message Priced { string product = 1; Amount price = 2; }
message BatchLowestResponse { repeated Priced prices = 1; map<string, Amount> by_product = 2; repeated int64 counts = 3; }
service Catalog {
  rpc Offers(OffersRequest) returns (OffersResponse);
  rpc Watch(OffersRequest) returns (stream OffersResponse);
  rpc Echo(Offer) returns (Offer);
}
service Pricing {
  rpc Lowest(LowestRequest) returns (LowestResponse);
  rpc BatchLowest(BatchLowestRequest) returns (BatchLowestResponse);
}
`

// shopTow has the types for it.
const shopTow = `
pub type Condition = New | LikeNew
pub type OfferId(String)
pub type Payment = Card(number: String, year: Int) | Voucher(String) | Cash
pub type Offer {
  id: OfferId
  @json("seller_id") seller: String
  price: Money
  condition: Condition? = None
  stock: Int
  tags: List<String>
  scores: Map<String, Int>
  since: Instant?
  handling: Duration?
  note: String?
  grade: Int?
  payment: Payment?
  extra: Json?
  deltas: List<Int>
  rating: Float
  blob: String
  used: Bool
  parent: Offer?
  share: Decimal
  big: Int
  tiers: Map<Int, Money>
}
pub type Short { id: OfferId
  price: Money }
`

// shop reads a .proto file's text.
func shop(t testing.TB, text string) (dir string, file protoreflect.FileDescriptor) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "shop.proto")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := protofile.Load(path, protofile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// operation declares a service with one operation, as "fn lowest(product: String)
// -> Money?".
func operation(t testing.TB, types, service, declaration string) source.Operation {
	t.Helper()
	params := declaration[strings.Index(declaration, "(")+1 : strings.Index(declaration, ") ->")]
	result := strings.TrimSpace(declaration[strings.Index(declaration, "->")+2:])
	name := strings.TrimSpace(strings.TrimPrefix(declaration[:strings.Index(declaration, "(")], "fn "))
	var names []string
	for _, p := range split(params) {
		name, _, _ := strings.Cut(p, ":")
		names = append(names, strings.TrimSpace(name))
	}
	text := fmt.Sprintf("%s\nservice %s {\n  %s\n}\nview ask(%s) -> %s { %s.%s(%s) }\n", types, service, declaration, params, result, service, name, strings.Join(names, ", "))
	res, err := compile.Build(fstest.MapFS{"a.tow": &fstest.MapFile{Data: []byte(text)}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatalf("%v\n%s", res.Diags.All[0], text)
	}
	return source.Operation{Meta: &res.Manifest.Operations[0], Schema: &res.Manifest.Schema}
}

// split splits at the commas that stand in no brackets.
func split(text string) (out []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '<', '(':
			depth++
		case '>', ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, text[from:i])
				from = i + 1
			}
		}
	}
	if strings.TrimSpace(text[from:]) != "" {
		out = append(out, text[from:])
	}
	return out
}

// open opens a source of a folder with shop.proto; more are further settings.
func open(t testing.TB, dir, url, more string, opts Options) *Source {
	t.Helper()
	file := settings.Parse("env.toml", []byte("url = \""+url+"\"\nproto = \"shop.proto\"\n"+more))
	s := Open(file.Root, dir, opts)
	file.Root.Done()
	if err := file.Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// bind binds an operation with its settings.
func bind(t testing.TB, s *Source, op source.Operation, text string) *caller {
	t.Helper()
	file := settings.Parse("env.toml", []byte(text))
	op.Settings = file.Root
	c := s.Bind(op)
	file.Root.Done()
	if err := file.Err(); err != nil {
		t.Fatal(err)
	}
	return c.(*caller)
}

// handler answers a method.
type handler func(ctx context.Context, request *dynamicpb.Message, header http.Header) (proto.Message, error)

// serve serves methods by all three protocols, with and without HTTP/2.
func serve(t testing.TB, file protoreflect.FileDescriptor, handlers map[string]handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(routes(file, handlers))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func routes(file protoreflect.FileDescriptor, handlers map[string]handler) http.Handler {
	mux := http.NewServeMux()
	for i := range file.Services().Len() {
		sd := file.Services().Get(i)
		for j := range sd.Methods().Len() {
			md := sd.Methods().Get(j)
			h := handlers[string(md.Name())]
			if h == nil {
				continue
			}
			path := "/" + string(sd.FullName()) + "/" + string(md.Name())
			mux.Handle(path, connect.NewUnaryHandler(path, func(ctx context.Context, r *connect.Request[dynamicpb.Message]) (*connect.Response[dynamicpb.Message], error) {
				answer, err := h(ctx, r.Msg, r.Header())
				if err != nil {
					return nil, err
				}
				return connect.NewResponse(answer.(*dynamicpb.Message)), nil
			}, connect.WithRequestInitializer(func(_ connect.Spec, message any) error {
				*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(md.Input())
				return nil
			})))
		}
	}
	return mux
}

// message makes a message from its JSON.
func message(t testing.TB, md protoreflect.MessageDescriptor, text string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(md)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func messageOf(file protoreflect.FileDescriptor, name string) protoreflect.MessageDescriptor {
	return file.Messages().ByName(protoreflect.Name(name))
}

// ask makes calls and gives what came of each, as text: the answer, or the kind of
// the error.
func ask(t testing.TB, c source.Caller, ctx context.Context, about source.About, args ...string) []string {
	t.Helper()
	b := &source.Batch{About: about}
	for _, a := range args {
		b.Args = append(b.Args, []byte(a))
	}
	var mu sync.Mutex
	out := make([]string, len(args))
	c.Call(ctx, b, func(i int, answer []byte, err error) {
		mu.Lock()
		defer mu.Unlock()
		if out[i] != "" {
			t.Errorf("call %d was answered twice", i)
		}
		if err != nil {
			out[i] = source.KindOf(err).String() + ": " + err.Error()[strings.Index(err.Error(), ": ")+2:]
			return
		}
		out[i] = string(answer)
	})
	for i := range out {
		if out[i] == "" {
			t.Errorf("call %d was not answered", i)
		}
	}
	return out
}

// unreachable is an address where nobody listens.
func unreachable(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
