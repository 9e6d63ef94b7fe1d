package deploy

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const wholePipeline = `alpha = 0.01
unavailable = 0.2
concurrency = "cancel"
windows = ["Mon-Fri 08:00-17:00 Europe/Berlin", "Sat 10:00-12:00"]
after = ["pricing"]
irreversible = "writes orders"
metrics = ["error", "timeout", "service"]

[onebox]
share = 0.25
bake = "30m"
requests = 5000
node = "eu-1-a"
cells = ["eu-*"]
approval = true

[[wave]]
name = "first"
cells = ["eu-1"]
bake = "0s"

[[wave]]
regions = ["eu"]
share = 0.5
requests = 100

[[wave]]
name = "all"
approval = true
`

func TestReadPipeline(t *testing.T) {
	got, err := ReadPipeline("deploy.toml", []byte(wholePipeline))
	if err != nil {
		t.Fatal(err)
	}
	want := Pipeline{
		Alpha: 0.01, Unavailable: 0.2, Concurrency: Cancel,
		Windows: []Window{"Mon-Fri 08:00-17:00 Europe/Berlin", "Sat 10:00-12:00"},
		After:   []string{"pricing"}, Irreversible: "writes orders", Metrics: []string{"error", "timeout", "service"},
		Stages: []Stage{
			{Name: "onebox", Kind: Onebox, Share: 0.25, Bake: 30 * time.Minute, Requests: 5000, Node: "eu-1-a", Cells: []string{"eu-*"}, Approval: true},
			{Name: "first", Kind: Wave, Share: 1, Cells: []string{"eu-1"}},
			{Name: "wave 2", Kind: Wave, Share: 0.5, Regions: []string{"eu"}, Bake: 10 * time.Minute, Requests: 100},
			{Name: "all", Kind: Wave, Share: 1, Bake: 10 * time.Minute, Approval: true},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read:\n%+v\nwant:\n%+v", got, want)
	}
}

// TestUsualPipeline: what a file does not say is as without one.
func TestUsualPipeline(t *testing.T) {
	usual := DefaultPipeline()
	for _, text := range []string{"", "# nothing\n", "[onebox]\n", "[onebox]\nshare = 0.1\n"} {
		if got, err := ReadPipeline("deploy.toml", []byte(text)); err != nil || !reflect.DeepEqual(got, usual) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, usual)
		}
	}
	got, err := ReadPipeline("deploy.toml", []byte("onebox = false\n"))
	if usual.Stages = usual.Stages[1:]; err != nil || !reflect.DeepEqual(got, usual) {
		t.Errorf("without an onebox: %+v, %v; want %+v", got, err, usual)
	}
	if got, err := ReadPipeline("deploy.toml", []byte("[[wave]]\n")); err != nil || len(got.Stages) != 2 || got.Stages[1].Share != 1 {
		t.Errorf("one wave: %+v, %v", got, err)
	}
}

func TestPipelineMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"alpha = 1", "deploy.toml:1:1: `alpha` is 1; expected a number above 0, and at most 0.5"},
		{"unavailable = 0", "deploy.toml:1:1: `unavailable` is 0; expected a number above 0, and at most 1"},
		{"concurrency = \"none\"", "deploy.toml:1:1: `concurrency` is \"none\"; expected one of queue, supersede, cancel"},
		{"a = 1\nwindows = [\"Mo 8-9\"]", "deploy.toml:2:1: the window \"Mo 8-9\" has no days in \"Mo\"; expected some of"},
		{"windows = []", "deploy.toml:1:1: `windows` is empty"},
		{"metrics = [\"errors\"]", "deploy.toml:1:1: `metrics` has \"errors\" in it; there is error, service, timeout"},
		{"metrics = [\"error\", \"error\"]", "deploy.toml:1:1: `metrics` has \"error\" in it twice"},
		{"metrics = []", "deploy.toml:1:1: `metrics` is empty"},
		{"after = [\"\"]", "deploy.toml:1:1: `after` has an empty name in it"},
		{"onebox = true", "deploy.toml:1:1: `onebox` is true or false; expected a table"},
		{"[onebox]\nshare = 0.6", "deploy.toml:2:1: `share` is 0.6; expected a number above 0, and at most 0.5"},
		{"[onebox]\nwait = \"1m\"", "deploy.toml:2:1: there is no setting `wait` in `onebox`; there is `approval`, `bake`,"},
		{"[onebox]\nbake = \"-1m\"", "deploy.toml:2:1: `bake` is \"-1m\"; expected a duration such as"},
		{"[onebox]\nbake = 15", "deploy.toml:2:1: `bake` is a whole number; expected a text in quotes"},
		{"wave = []", "deploy.toml:1:1: `wave` is empty"},
		{"[[wave]]\nname = \"a\"\n[[wave]]\nname = \"a\"", "deploy.toml:4:1: the wave is called \"a\"; expected a name of its own"},
		{"[[wave]]\n[[wave]]\nshare = 1", "deploy.toml:1:3: the wave wave 1 says neither which share"},
		{"[[wave]]\nshare = 0.05\n[[wave]]\nshare = 0.5", "deploy.toml:3:3: the last wave, wave 2, does not reach all nodes; add one behind it that does:\n\n    [[wave]]\n    share = 1"},
		{"[[wave]]\ncells = [\"eu-1\"]", "deploy.toml:1:3: the last wave, wave 1, does not reach all nodes"},
		{"[[wave]]\ncells = [\"\"]\n[[wave]]", "deploy.toml:2:1: there is an empty name among the cells"},
		{"stages = 1", "deploy.toml:1:1: there is no setting `stages` here; there is `after`, `alpha`"},
		{strings.Repeat("[[wave]]\nshare = 0.5\n", 55) + "[[wave]]", "deploy.toml: it has 57 stages; expected 1 to 50"},
	} {
		p, err := ReadPipeline("deploy.toml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n  %v\nwant %s", test.text, err, test.want)
		}
		if len(p.Stages) > 0 {
			t.Errorf("%s: a pipeline beside a mistake: %+v", test.text, p)
		}
	}
}

// TestPipelinesOfApps: those of the applications can be read.
func TestPipelinesOfApps(t *testing.T) {
	const name = "../../../apps/featured-offer/deploy.toml"
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		t.Skip("there is none yet")
	}
	if err == nil {
		_, err = ReadPipeline(name, text)
	}
	if err != nil {
		t.Error(err)
	}
}
