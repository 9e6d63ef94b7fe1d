package bind

import (
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
)

// shapeIn is the shape of the operation offers in a program with some types.
func shapeIn(t *testing.T, types, result string) string {
	t.Helper()
	text := types + "\npub service Catalog {\n  fn offers(product: String) -> " + result + "\n}\nview all(product: String) -> " + result + " { Catalog.offers(product) }\n"
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatalf("%v in\n%s", res.Diags.All[0], text)
	}
	op := &res.Manifest.Operations[0]
	return string(shapeOf(&res.Manifest.Schema, op.Args, op.Result))
}

// TestShapeIsWhatJSONShows: a release whose types read more of an answer, or other
// things, must not get one that was made for others.
func TestShapeIsWhatJSONShows(t *testing.T) {
	const offer = "pub type Offer {\n  id: String\n  parent: Offer?\n}\n"
	alike := map[string][]string{
		"a record": {
			shapeIn(t, offer, "List<Offer>"),
			shapeIn(t, "pub type Deal {\n  id: String\n  parent: Deal?\n}\n", "List<Deal>"),
			shapeIn(t, "//// A program.\n\npub type Unused = A | B\n\n/// What is to be had.\n"+offer, "List<Offer>"),
		},
		"with a field more":   {shapeIn(t, "pub type Offer {\n  id: String\n  parent: Offer?\n  note: String?\n}\n", "List<Offer>")},
		"with another name":   {shapeIn(t, "pub type Offer {\n  @json(\"ID\") id: String\n  parent: Offer?\n}\n", "List<Offer>")},
		"with a default":      {shapeIn(t, "pub type Offer {\n  id: String = \"x\"\n  parent: Offer?\n}\n", "List<Offer>")},
		"an option":           {shapeIn(t, offer, "Offer?")},
		"a set":               {shapeIn(t, "", "Set<String>")},
		"a map":               {shapeIn(t, "", "Map<String, Int>")},
		"another map":         {shapeIn(t, "", "Map<String, String>")},
		"alternatives":        {shapeIn(t, "pub type Grade = New | Used\n", "Grade")},
		"other alternatives":  {shapeIn(t, "pub type Grade = New | Old\n", "Grade")},
		"one with its fields": {shapeIn(t, "pub type Grade = New | Used(grade: Int)\n", "Grade")},
	}
	seen := map[string]string{}
	for name, shapes := range alike {
		for _, s := range shapes {
			if s != shapes[0] {
				t.Errorf("%s is\n%s\nand\n%s", name, s, shapes[0])
			}
		}
		if other, same := seen[shapes[0]]; same {
			t.Errorf("%s and %s have one shape: %s", name, other, shapes[0])
		}
		seen[shapes[0]] = name
	}
}
