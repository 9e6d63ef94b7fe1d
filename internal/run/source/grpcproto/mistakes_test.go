package grpcproto

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/settings"
)

// TestMistakesOfSources are all found at their places.
func TestMistakesOfSources(t *testing.T) {
	dir, _ := shop(t, shopProto)
	for name, text := range map[string]string{
		"broken.proto": "syntax = \"proto3\";\nmessage A { string a = 1; int32 a = 2; }\nmessage B { C c = 1; }\n",
		"orphan.proto": "syntax = \"proto3\";\nimport \"nowhere/x.proto\";\n",
		"empty.proto":  "syntax = \"proto3\";\nmessage A {}\n",
		"junk.pem":     "nothing",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{`proto = "shop.proto"`, "env.toml: `` is missing its `url`"},
		{"url = \"localhost:90\"\nproto = \"shop.proto\"", "env.toml:1:1: `url` is no URL; expected one as"},
		{"url = \"http://me:secret@host\"\nproto = \"shop.proto\"", "env.toml:1:1: `url` holds a name or password"},
		{"url = \"http://host\"\nproto = \"none.proto\"", "env.toml:2:1: `proto`: " + filepath.Join(dir, "none.proto") + ": no such file"},
		{"url = \"http://host\"\nproto = \"broken.proto\"", "broken.proto:2:33:"},
		{"url = \"http://host\"\nproto = \"orphan.proto\"", "add the folder that holds it to `include`"},
		{"url = \"http://host\"\nproto = \"empty.proto\"", "declares no service"},
		{"url = \"http://host\"\nproto = \"shop.proto\"\nca = \"junk.pem\"", "env.toml:3:1: `ca` is for TLS, but `url` begins with http:"},
		{"url = \"https://host\"\nproto = \"shop.proto\"\nca = \"junk.pem\"", "env.toml:3:1: `ca`: junk.pem holds no certificate"},
		{"url = \"https://host\"\nproto = \"shop.proto\"\ncert = \"a.pem\"", "env.toml:3:1: `cert` needs its `key`"},
		{"url = \"http://host\"\nproto = \"shop.proto\"\nprotocol = \"soap\"", "env.toml:3:1: `protocol` is \"soap\"; expected one of grpc, grpcweb, connect"},
		{"url = \"http://host\"\nproto = \"shop.proto\"\nheaders = { grpc-timeout = \"1s\" }", "env.toml:3:13: the header grpc-timeout is written by the protocol"},
		{"url = \"http://host\"\nproto = \"shop.proto\"\nheaders = { \"a b\" = \"1s\" }", "\"a b\" cannot name a header"},
	} {
		file := settings.Parse("env.toml", []byte(c.text))
		s := Open(file.Root, dir, Options{})
		op := operation(t, "", "Pricing", "fn lowest(product: String) -> Json")
		op.Settings = file.Root.Table("none")
		if s.file == nil && op.Settings == nil && s.Bind(op) != nil {
			t.Errorf("%s: a caller of nothing", c.text)
		}
		s.Close()
		if err := file.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestMistakesOfOperations are those of settings, and of types that do not fit.
func TestMistakesOfOperations(t *testing.T) {
	dir, _ := shop(t, shopProto)
	s := open(t, dir, "http://localhost", "", Options{})
	const types = `
pub type Full { id: String
  colour: String
  stock: String
  price: Decimal
  condition: Colour }
pub type Colour = Red | New
pub type Pay = Card(number: String) | Check
`
	for _, c := range []struct{ service, declaration, text, want string }{
		{"Pricing", "fn lowst(product: String) -> Json", ``, "`Pricing.lowst`: there is no method `Lowst`"},
		{"Catalog", "fn watch(product: String) -> Json", ``, "`Catalog.watch`: the method shop.v1.Catalog.Watch streams; expected one with one request"},
		{"Catalog", "fn echo(id: Int) -> Json", ``, "id is Int, but the field shop.v1.Offer.id is string; expected String, or another type whose JSON is a text"},
		{"Catalog", "fn echo(colour: Int) -> Json", ``, "colour (Int) has no field of that name in shop.v1.Offer; expected one of id, seller_id,"},
		{"Catalog", "fn echo() -> Full", ``, "echo().colour (String) has no field of that name in shop.v1.Offer"},
		{"Catalog", "fn echo() -> Full", ``, "echo().stock is String, but the field shop.v1.Offer.stock is int64; expected Int"},
		{"Catalog", "fn echo() -> Full", ``, "echo().price is Decimal, but the field shop.v1.Offer.price is shop.v1.Amount; expected Money"},
		{"Catalog", "fn echo() -> Full", ``, "echo().condition is Colour, which has no alternative for CONDITION_LIKE_NEW of the enum shop.v1.Condition; expected one called LikeNew, or an Option"},
		{"Catalog", "fn echo(condition: Colour) -> Json", ``, "condition is Colour, whose alternative Red is no value of the enum shop.v1.Condition"},
		{"Catalog", "fn echo(payment: Pay) -> Json", ``, "payment.Check has no field of the oneof shop.v1.Offer.payment"},
		{"Catalog", "fn echo(tags: List<String?>) -> Json", ``, "tags[] is String?, but the elements of the field shop.v1.Offer.tags cannot be left out"},
		{"Catalog", "fn echo() -> Int", ``, "the result is Int, but the response is shop.v1.Offer; expected a record"},
		{"Catalog", "fn offers() -> Int", ``, "offers() is Int, but the field shop.v1.OffersResponse.offers is repeated shop.v1.Offer; expected a List"},
		{"Catalog", "fn echo() -> Int", `answer = "stock"`, "expected a JSON Pointer as \"/price\""},
		{"Catalog", "fn echo() -> Int", `answer = "/stok"`, "env.toml:1:1: `Catalog.echo`: `answer`: there is no field `stok`; did you mean `stock`?"},
		{"Catalog", "fn echo() -> Int", `answer = "/tags/0"`, "`answer` goes into the field shop.v1.Offer.tags, which is repeated string; expected a single message there"},
		{"Catalog", "fn echo() -> Int", "answer = \"/stock\"\nnone = [\"not_found\"]", "env.toml:2:1: `Catalog.echo`: `none` gives null, but the operation's result is Int"},
		{"Catalog", "fn echo() -> Int?", "answer = \"/stock\"\nnone = [\"404\"]", "`none` has \"404\"; expected codes as not_found"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { product = "{y}" }`, "there is no parameter `y`"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { produkt = "{x}" }`, "there is no field `produkt`; did you mean `product`?"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { region = "EU" }`, "the parameter `x` is not sent"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { product = "{x}", limit = "seven" }`, "\"seven\" is no value of the field shop.v1.OffersRequest.limit, which is int32"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { limit = "a{x}" }`, "puts a text together, but the field shop.v1.OffersRequest.limit is int32"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { product = "{x" }`, "has a { without its }"},
		{"Catalog", "fn offers(x: String) -> Json", `request = { "product.a" = "{x}" }`, "expected a single message before the dot"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { }`, "has several repeated fields"},
		{"Pricing", "fn cheap(product: String) -> Json", `batch = { method = "BatchLowest", answer = "/prices" }`, "`batch` needs its `request`"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { region = "{product}" }, answer = "/prices" }`, "no field is given by all calls; write a parameter of them as field = \"{product[]}\""},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { region = "{product[]}" }, answer = "/prices" }`, "is a list of all calls, but the field shop.v1.BatchLowestRequest.region is string"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { products = "{product[]}" } }`, "has several repeated fields"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { products = "{product[]}" }, answer = "/prices", key = "/produkt" }`, "there is no field `produkt`"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { products = "{product[]}" }, answer = "/prices", of = "product" }`, "`of` says what a `key` is of, and there is none"},
		{"Pricing", "fn lowest(product: String) -> Json", `batch = { method = "BatchLowest", request = { products = "{product[]}" }, answer = "/prices", kye = "/product" }`, "there is no setting `kye`"},
		{"Pricing", "fn lowest(product: String) -> Int", `batch = { method = "BatchLowest", request = { products = "{product[]}" }, answer = "/prices", key = "/product" }`, "lowest() is Int, but the field shop.v1.Priced.price is shop.v1.Amount; expected Money"},
	} {
		op := operation(t, types, c.service, c.declaration)
		file := settings.Parse("env.toml", []byte(c.text))
		op.Settings = file.Root
		caller := s.Bind(op)
		if err := file.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s\n got %v\nwant %s", c.declaration, c.text, err, c.want)
		}
		if caller != nil && !strings.Contains(c.want, "no setting") {
			t.Errorf("%s with %s: a caller in spite of mistakes", c.declaration, c.text)
		}
	}
}
