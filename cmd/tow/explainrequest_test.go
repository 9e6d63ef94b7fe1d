package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

const ms = int64(time.Millisecond)

// page is a request whose calls go out in two rounds, with all that can be said of
// them.
var page = serve.Story{
	Total: 40 * ms,
	Passes: []serve.StoryPass{
		{Begin: 1 * ms, End: 2 * ms, Asked: 2, Pending: 2}, {Begin: 6 * ms, End: 8 * ms, Asked: 22, Pending: 21},
		{Begin: 12 * ms, End: 13 * ms, Asked: 22, Pending: 1}, {Begin: 38 * ms, End: 39 * ms, Asked: 22},
	},
	Asks: []serve.StoryAsk{ // in the order of their ends
		{Operation: "market/services.Catalog.offers", Begin: 2 * ms, End: 6 * ms, Calls: 1},
		{Operation: "market/services.Merchants.profile", Begin: 8 * ms, End: 12 * ms, Calls: 20, Hits: 3, Joined: 2, Failed: 1, Error: "unavailable:\x1b[2J\nclosed"},
		{Operation: "market/services.Pricing.lowest", Begin: 2 * ms, End: 38 * ms, Calls: 1, Retried: 1},
	},
	Verdicts: []serve.StoryVerdict{{At: 2 * ms, Shed: true, File: "featured.tow", Line: 78}},
}

func TestExplainRequest(t *testing.T) {
	late := serve.Story{
		Total:    30 * ms,
		Passes:   []serve.StoryPass{{Begin: 0, End: 1 * ms, Asked: 1, Pending: 1}, {Begin: 21 * ms, End: 22 * ms, Asked: 2, Pending: 1}},
		Asks:     []serve.StoryAsk{{Operation: "shop.Late.one", Begin: 1 * ms, End: 21 * ms, Calls: 1, Failed: 1, Error: "expired"}},
		Verdicts: []serve.StoryVerdict{{At: 21 * ms, File: "shop.tow", Line: 3}, {At: 30 * ms}},
	}
	for _, c := range []struct {
		name  string
		story serve.Story
		want  string
	}{
		{"page", page, `
                                                   at, ms      took
├─ pass 1                  2 calls, 2 open            1.0       1.0  ▕██                              ▏
│  ├─ Catalog.offers       1 call                     2.0       4.0  ▕ ░░░░                           ▏
│  ├─ Pricing.lowest       1 call                     2.0      36.0  ▕ ██████████████████████████████ ▏  retried
│  └─ featured.tow:78                                 2.0            ▕ ◆                              ▏  this optional scope was left out under load
├─ pass 2                  22 calls, 21 open          6.0       2.0  ▕    ░░░                         ▏
│  └─ Merchants.profile    20 calls                   8.0       4.0  ▕      ░░░░                      ▏  3 from the cache, 2 shared, 1 failed: unavailable: [2J closed
├─ pass 3                  22 calls, 1 open          12.0       1.0  ▕         ░░                     ▏
└─ pass 4                  22 calls, 0 open          38.0       1.0  ▕                              ██▏

Of 40.0 ms: Pricing.lowest 36.0, running 2.0, the rest 2.0.
█ is what the answer waited for, ░ ran beside it.
`},
		{"late", late, `
                                             at, ms      took
├─ pass 1           1 call, 1 open              0.0       1.0  ▕██                              ▏
│  └─ Late.one      1 call                      1.0      20.0  ▕ ██████████████████████         ▏  failed: expired
└─ pass 2           2 calls, 1 open            21.0       1.0  ▕                      ██        ▏
   ├─ shop.tow:3                               21.0            ▕                      ◆         ▏  the time of this scope was up; its else stood in
   └─ the view                                 30.0            ▕                               ◆▏  its time was up

Of 30.0 ms: Late.one 20.0, calls that came too late 8.0, running 2.0.
`},
	} {
		var out bytes.Buffer
		p := plot{ui: &ui{out: &out, unicode: true}, story: &c.story, answered: true}
		p.build()
		p.draw()
		if squeeze(out.String()) != squeeze(c.want) {
			t.Errorf("%s is\n%s", c.name, &out)
		}
		sum := int64(0)
		for _, s := range p.spent {
			sum += s.took
		}
		if sum != c.story.Total {
			t.Errorf("%s: the parts are %s, the total %s", c.name, time.Duration(sum), time.Duration(c.story.Total))
		}
	}
}

// squeeze makes the width of columns not matter, but of bars.
func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		before, bar, ok := strings.Cut(line, "▕")
		if before = strings.Join(strings.Fields(before), " "); ok {
			before += "▕" + bar
		}
		lines = append(lines, strings.TrimSpace(before))
	}
	return strings.Join(lines, "\n")
}

// TestExplainOddStories: whatever a file says, it is shown.
func TestExplainOddStories(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, s := range []serve.Story{
		{}, {Total: 1}, {Passes: page.Passes}, {Total: -5, Passes: page.Passes, Asks: page.Asks, Verdicts: page.Verdicts},
		{Total: 1, Passes: []serve.StoryPass{{Begin: 5, End: 3}, {Begin: 5, End: 3}, {Begin: 1, End: 9}}, Asks: page.Asks, Verdicts: []serve.StoryVerdict{{At: 4, File: "a"}, {At: 4, File: "b"}, {At: 1 << 62}}},
		{Total: 10, Passes: []serve.StoryPass{{Begin: -1 << 62, End: 1 << 62}}, Asks: []serve.StoryAsk{{Begin: -3, End: 1 << 62, Calls: -1}}},
	} {
		trace, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(record.Entry{ID: "r1", Trace: trace, Record: engine.Record{View: "a.b", Artifact: "00", Input: json.RawMessage("{}")}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(".", "odd.json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := run([]string{"explain-request", "odd.json"}, &ui{out: &out, err: &errs}); code != exitFine {
			t.Errorf("%s: exit code %d, %s", trace, code, &errs)
		}
	}
}

func TestUTF8Locales(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{{"", "", "de_DE.UTF-8", true}, {"", "", "en_US.utf8", true}, {"C", "", "de_DE.UTF-8", false}, {"", "C.UTF-8", "C", true}, {"", "", "de_DE@euro", false}} {
		if got := isUTF8(c.all, c.ctype, c.lang); got != c.want {
			t.Errorf("LC_ALL=%s LC_CTYPE=%s LANG=%s: %t", c.all, c.ctype, c.lang, got)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 5 * time.Second: "5 s ago", 90 * time.Second: "1 min ago", 47 * time.Hour: "47 h ago", 100 * time.Hour: "4 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
