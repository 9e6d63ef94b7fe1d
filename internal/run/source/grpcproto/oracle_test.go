package grpcproto

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"towpath.dev/internal/native"
)

// everyProto has every kind of field.
const everyProto = `edition = "2023";
package every;
import "google/protobuf/wrappers.proto";
enum Mood { MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; MOOD_BAD = -3; }
message Every {
  double a = 1; float b = 2; int32 c = 3 [features.field_presence = IMPLICIT]; int64 d = 4; uint32 e = 5 [features.field_presence = IMPLICIT]; uint64 f = 6;
  sint32 g = 7; sint64 h = 8 [features.field_presence = IMPLICIT]; fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12;
  bool m = 13; string n = 14 [features.field_presence = IMPLICIT]; bytes o = 15; Mood p = 16 [features.field_presence = IMPLICIT];
  Every q = 17; Every r = 18 [features.message_encoding = DELIMITED];
  repeated double ra = 21; repeated int32 rc = 22; repeated sint64 rh = 23 [features.repeated_field_encoding = EXPANDED];
  repeated string rn = 24; repeated bytes ro = 25; repeated Mood rp = 26; repeated Every rq = 27; repeated bool rm = 28; repeated fixed32 ri = 29;
  map<string, Every> mq = 31; map<sint32, string> mg = 32; map<uint64, Mood> mf = 33; map<bool, double> mm = 34;
  oneof choice { int32 one = 41; string two = 42; Every three = 43; Mood four = 44; }
  google.protobuf.StringValue wn = 51; google.protobuf.Int64Value wd = 52;
}
service Asking { rpc Ask(Every) returns (Every); }
`

// everyTow says the same in Tow; uint64 has only half its values there.
const everyTow = `
pub type Mood = Unspecified | Good | Bad
pub type Choice = One(Int) | Two(String) | Three(value: Every) | Four(Mood)
pub type Every {
  a: Float?
  b: Float?
  c: Int
  d: Int?
  e: Int
  f: Int?
  g: Int?
  h: Int
  i: Int?
  j: Int?
  k: Int?
  l: Int?
  m: Bool?
  n: String
  o: String?
  p: Mood
  q: Every?
  r: Every?
  ra: List<Float>
  rc: List<Int>
  rh: List<Int>
  rn: List<String>
  ro: List<String>
  rp: List<Mood>
  rq: List<Every>
  rm: List<Bool>
  ri: List<Int>
  mq: Map<String, Every>
  mg: Map<Int, String>
  mf: Map<Int, Mood>
  mm: Map<String, Float>
  choice: Choice?
  wn: String?
  wd: Int?
}
`

// every makes a message with random fields.
func every(r *rand.Rand, md protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(md)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if r.IntN(3) > 0 || fd.Message() != nil && depth == 0 && !isWrapper(fd.Message()) && !fd.IsMap() {
			continue
		}
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil && depth == 0 {
				continue
			}
			entries := m.Mutable(fd).Map()
			for range r.IntN(3) {
				entries.Set(scalar(r, fd.MapKey()).MapKey(), anyValue(r, fd.MapValue(), depth))
			}
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range r.IntN(4) {
				list.Append(anyValue(r, fd, depth))
			}
		default:
			m.Set(fd, anyValue(r, fd, depth))
		}
	}
	return m
}

func anyValue(r *rand.Rand, fd protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	if fd.Message() != nil {
		return protoreflect.ValueOfMessage(every(r, fd.Message(), max(depth-1, 0)))
	}
	return scalar(r, fd)
}

func scalar(r *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	n := []int64{0, 1, -1, 127, 128, -129, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}[r.IntN(10)]
	texts := []string{"", "a", "\"\\\n\x01", "é😀\u2028", "MOOD_GOOD"}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n&1 == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum([]protoreflect.EnumNumber{0, 1, -3}[r.IntN(3)])
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(n)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n) >> 1)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, 1.5, -0.1, math.MaxFloat32, math.SmallestNonzeroFloat32}[r.IntN(5)])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 1.5, -0.1, math.MaxFloat64, 1e21, 1e-7}[r.IntN(6)])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(texts[r.IntN(len(texts))])
	}
	return protoreflect.ValueOfBytes([]byte(texts[r.IntN(len(texts))]))
}

// oracle is a message's JSON as this package promises it, by reflection.
func oracle(m protoreflect.Message) any {
	if isWrapper(m.Descriptor()) {
		fd := m.Descriptor().Fields().Get(0)
		return oracleOne(m.Get(fd), fd)
	}
	out := map[string]any{}
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		if fd.HasPresence() && !m.Has(fd) {
			continue
		}
		v := m.Get(fd)
		switch {
		case fd.IsMap():
			entries := map[string]any{}
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				entries[k.String()] = oracleOne(v, fd.MapValue())
				return true
			})
			out[fd.JSONName()] = entries
		case fd.IsList():
			list := []any{}
			for i := range v.List().Len() {
				list = append(list, oracleOne(v.List().Get(i), fd))
			}
			out[fd.JSONName()] = list
		default:
			out[fd.JSONName()] = oracleOne(v, fd)
		}
	}
	return out
}

func oracleOne(v protoreflect.Value, fd protoreflect.FieldDescriptor) any {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return oracle(v.Message())
	case protoreflect.EnumKind:
		if d := fd.Enum().Values().ByNumber(v.Enum()); d != nil {
			return string(d.Name())
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.DoubleKind:
		return json.Number(strconv.FormatFloat(v.Float(), 'e', -1, 64))
	case protoreflect.FloatKind:
		return json.Number(strconv.FormatFloat(v.Float(), 'e', -1, 32))
	}
	return json.Number(fmt.Sprint(v.Interface()))
}

// equalJSON compares a text with a value, numbers as they are meant.
func equalJSON(text []byte, want any) bool {
	var got any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&got) != nil {
		return false
	}
	var same func(a, b any) bool
	same = func(a, b any) bool {
		switch x := a.(type) {
		case map[string]any:
			y, ok := b.(map[string]any)
			if !ok || len(x) != len(y) {
				return false
			}
			for k := range x {
				if other, ok := y[k]; !ok || !same(x[k], other) {
					return false
				}
			}
			return true
		case []any:
			y, ok := b.([]any)
			if !ok || len(x) != len(y) {
				return false
			}
			for i := range x {
				if !same(x[i], y[i]) {
					return false
				}
			}
			return true
		case json.Number:
			y, ok := b.(json.Number)
			if !ok {
				return false
			}
			f, err := strconv.ParseFloat(string(x), 64)
			g, err2 := strconv.ParseFloat(string(y), 64)
			if _, whole := strconv.ParseInt(string(y), 10, 64); whole == nil {
				return x == y || f == g && len(x) != len(y)
			}
			return err == nil && err2 == nil && f == g
		}
		return a == b
	}
	return same(got, want)
}

// TestOracle reads random messages, in pieces and out of order, and compares with
// what reflection says; then it writes what was read, and compares the messages.
func TestOracle(t *testing.T) {
	dir, file := shop(t, everyProto)
	md := messageOf(file, "Every")
	s := open(t, dir, "http://localhost", "", Options{})
	loose := bind(t, s, operation(t, "", "Asking", "fn ask() -> Json"), "")
	typed := bind(t, s, operation(t, everyTow, "Asking", "fn ask(every: Every) -> Every"), "")
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := every(r, md, 2)
		data, err := proto.MarshalOptions{Deterministic: seed%2 == 0}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(2) == 0 { // merges: what comes later wins, lists grow
			more, err := proto.Marshal(every(r, md, 1))
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, more...)
			if err := proto.Unmarshal(data, m); err != nil {
				t.Fatal(err)
			}
		}
		got, err := loose.single.answer.json(data, 1<<20)
		if err != nil || !native.IsJSON(string(got)) || !equalJSON(got, oracle(m)) {
			want, _ := protojson.Marshal(m)
			t.Fatalf("seed %d:\n got %s, %v\nwant %s", seed, got, err, want)
		}
		text, err := typed.single.answer.json(data, 1<<20)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		wire, err := typed.single.request.append(nil, [][]json.RawMessage{{text}})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again := dynamicpb.NewMessage(md)
		if err := proto.Unmarshal(wire, again); err != nil || !proto.Equal(m, again) {
			a, _ := protojson.Marshal(m)
			b, _ := protojson.Marshal(again)
			t.Fatalf("seed %d: %v\nbefore %s\nthen %s\nafter %s", seed, err, a, text, b)
		}
	}
}

// FuzzAnswer reads any bytes: what is read is JSON, and nothing is read that the
// library takes for broken.
func FuzzAnswer(f *testing.F) {
	dir, file := shop(f, everyProto)
	md := messageOf(file, "Every")
	s := open(f, dir, "http://localhost", "", Options{})
	c := bind(f, s, operation(f, "", "Asking", "fn ask() -> Json"), "")
	for seed := range uint64(20) {
		data, err := proto.Marshal(every(rand.New(rand.NewPCG(seed, 2)), md, 1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := c.single.answer.json(data, 1<<16)
		if err != nil {
			return
		}
		if !native.IsJSON(string(text)) || !utf8.Valid(text) {
			t.Fatalf("%q", text)
		}
		m := dynamicpb.NewMessage(md)
		if err := unmarshal(data, m); err != nil {
			return // in a part that nobody reads, as an entry that another replaces
		}
		if !equalJSON(text, oracle(m)) {
			want, _ := protojson.Marshal(m)
			t.Fatalf("got %s\nwant %s", text, want)
		}
	})
}

// unmarshal is proto.Unmarshal, which panics when it meets a map's key of another
// wire type in a dynamic message (v1.36.12).
func unmarshal(data []byte, m proto.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return proto.Unmarshal(data, m)
}

// FuzzArguments writes any JSON.
func FuzzArguments(f *testing.F) {
	dir, file := shop(f, everyProto)
	md := messageOf(file, "Every")
	s := open(f, dir, "http://localhost", "", Options{})
	c := bind(f, s, operation(f, everyTow, "Asking", "fn ask(every: Every) -> Json"), "")
	f.Add([]byte(`{"a":1.5,"rc":[1,2],"choice":{"type":"Three","value":{"n":"x"}},"mq":{"k":{}},"p":"Good"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		wire, err := c.single.request.append(nil, [][]json.RawMessage{{text}})
		if err != nil || !json.Valid(text) {
			return
		}
		if err := proto.Unmarshal(wire, dynamicpb.NewMessage(md)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

// The figures of what the plans spare: a message of an offer, each way.

func BenchmarkAnswer(b *testing.B) {
	dir, file := shop(b, shopProto)
	s := open(b, dir, "http://localhost", "", Options{})
	c := bind(b, s, operation(b, shopTow, "Catalog", "fn echo() -> Offer"), "")
	data, err := proto.Marshal(message(b, messageOf(file, "Offer"), fullOffer))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.single.answer.json(data, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("dynamicpb+protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := dynamicpb.NewMessage(messageOf(file, "Offer"))
			if err := proto.Unmarshal(data, m); err != nil {
				b.Fatal(err)
			}
			if _, err := protojson.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkArguments(b *testing.B) {
	dir, file := shop(b, shopProto)
	s := open(b, dir, "http://localhost", "", Options{})
	c := bind(b, s, operation(b, "", "Catalog", "fn offers(product: String, region: String, limit: Int, ids: List<String>) -> Json"), "")
	args := []json.RawMessage{[]byte(`"p1234"`), []byte(`"EU"`), []byte(`50`), []byte(`["a","b","c"]`)}
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.single.request.append(nil, [][]json.RawMessage{args}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protojson+dynamicpb", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text := []byte(`{"product":` + string(args[0]) + `,"region":` + string(args[1]) + `,"limit":` + string(args[2]) + `,"ids":` + string(args[3]) + `}`)
			m := dynamicpb.NewMessage(messageOf(file, "OffersRequest"))
			if err := protojson.Unmarshal(text, m); err != nil {
				b.Fatal(err)
			}
			if _, err := proto.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
