package evalcase

import (
	"io/fs"
	"testing"

	"towpath.dev/internal/abi"
)

const archive = `What it shows.
-- main.tow --
view main(n: Int) -> Int { n }
-- options.json --
{"now": "1970-01-01T00:00:01Z", "seed": 7, "gas": 1000, "depth": 10}
-- answers.json --
{"S.f": [{"args": [1, "a"], "answer": {"b": 2}}, {"args": [2], "fails": "lost"}]}
-- verdicts.json --
{"12": "shed"}
-- input.json --
{"n": 3}
-- want.json --
[1, 2]
-- other.fault --
overflow main.tow:3:9
`

func TestParse(t *testing.T) {
	c, err := Parse("x", archive)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(c.Files, "main.tow"); err != nil || len(text) == 0 {
		t.Errorf("main.tow: %q, %v", text, err)
	}
	if c.Now != 1e9 || c.Seed != 7 || c.Gas != 1000 || c.Depth != 10 || c.Verdicts[12] != abi.Shed {
		t.Errorf("read as %+v", c)
	}
	if len(c.Runs) != 2 {
		t.Fatalf("%d runs", len(c.Runs))
	}
	main, other := c.Runs[0], c.Runs[1]
	if main.View != "main" || string(main.Want) != "[1,2]" || string(main.Input) != "{\"n\": 3}\n" {
		t.Errorf("main: %+v", main)
	}
	if other.View != "other" || other.Fault != "overflow main.tow:3:9" || string(other.Input) != "{}" {
		t.Errorf("other: %+v", other)
	}
	if text, err := c.Answer("S.f", []byte(`[1,"a"]`)); string(text) != `{"b": 2}` || err != nil {
		t.Errorf("S.f(1, a) = %s, %v", text, err)
	}
	for _, args := range []string{"[2]", "[3]"} {
		if text, err := c.Answer("S.f", []byte(args)); err == nil {
			t.Errorf("S.f%s = %s", args, text)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"-- what --\n", "-- want.json --\n{\n", "-- input.json --\n{}\n", "-- verdicts.json --\n{\"x\": \"shed\"}\n",
		"-- verdicts.json --\n{\"1\": \"live\"}\n", "-- options.json --\n{\"now\": 1}\n", "-- answers.json --\n[]\n",
	} {
		if c, err := Parse("x", text); err == nil {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}
