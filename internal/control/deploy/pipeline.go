package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/settings"
)

// ReadPipeline reads a deploy.toml; name is how its mistakes call it. What it does not say is
// as in [DefaultPipeline].
//
//	windows = ["Mon-Fri 08:00-17:00 Europe/Berlin"]
//
//	[onebox]
//	share = 0.1
//	bake  = "15m"
//
//	[[wave]]
//	name    = "first"
//	regions = ["eu"]
//	share   = 0.05
//
//	[[wave]]
//	share = 1
func ReadPipeline(name string, text []byte) (Pipeline, error) {
	f := settings.Parse(name, text)
	root := f.Root
	p := Pipeline{
		Alpha:        root.Float("alpha", 0, 0, 0.5),
		Unavailable:  root.Float("unavailable", 0, 0, 1),
		Concurrency:  Concurrency(root.Choice("concurrency", "", string(Queue), string(Supersede), string(Cancel))),
		After:        root.Texts("after"),
		Irreversible: root.Text("irreversible", ""),
	}
	p.Metrics = readMetrics(root)
	p.Windows = readWindows(root)
	if slices.Contains(p.After, "") {
		root.Errorf("after", "`after` has an empty name in it; expected names of programs")
	}
	usual := DefaultPipeline().Stages
	if !root.Off("onebox") {
		p.Stages = append(p.Stages, readOnebox(root, usual[0]))
	}
	if root.Has("wave") {
		p.Stages = append(p.Stages, readWaves(root)...)
	} else {
		p.Stages = append(p.Stages, usual[1:]...)
	}
	root.Done()
	if err := f.Err(); err != nil {
		return Pipeline{}, err
	}
	if err := p.Validate(); err != nil { // of what has no place, or needs two
		return Pipeline{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// readMetrics are those that the verdict looks at; nil is all.
func readMetrics(root *settings.Table) []string {
	names := root.Texts("metrics")
	for i, name := range names {
		switch {
		case !slices.Contains(metrics, name):
			root.Errorf("metrics", "`metrics` has %q in it; there is %s", name, strings.Join(metrics, ", "))
		case slices.Contains(names[:i], name):
			root.Errorf("metrics", "`metrics` has %q in it twice", name)
		}
	}
	if root.Has("metrics") && len(names) == 0 {
		root.Errorf("metrics", "`metrics` is empty, so that nothing would be looked at; leave it out for all: %s", strings.Join(metrics, ", "))
	}
	return names
}

func readWindows(root *settings.Table) []Window {
	var all []Window
	for _, text := range root.Texts("windows") {
		if _, err := Window(text).parse(); err != nil {
			root.Errorf("windows", "%v", err)
		}
		all = append(all, Window(text))
	}
	if root.Has("windows") && len(all) == 0 {
		root.Errorf("windows", "`windows` is empty, so that no stage could ever begin; leave it out for always")
	}
	return all
}

// readOnebox is the onebox; what is not said is as usual.
func readOnebox(root *settings.Table, usual Stage) Stage {
	t := root.Table("onebox")
	s := usual
	s.Share = t.Float("share", s.Share, 0, 0.5)
	s.Node = t.Text("node", "")
	s.read(t)
	t.Done()
	return s
}

// usualBake is for how long a wave bakes that does not say it.
const usualBake = 10 * time.Minute

// readWaves are the waves. The last one has to reach all.
func readWaves(root *settings.Table) []Stage {
	var all []Stage
	tables := root.Tables("wave")
	names := map[string]bool{"onebox": true}
	for i, t := range tables {
		s := Stage{Name: t.Text("name", fmt.Sprintf("wave %d", i+1)), Kind: Wave, Bake: usualBake}
		if s.Name == "" || len(s.Name) > 60 || names[s.Name] {
			t.Errorf("name", "the wave is called %q; expected a name of its own, of 1 to 60 letters, and other than onebox", s.Name)
		}
		names[s.Name] = true
		s.read(t)
		s.Share = t.Float("share", 1, 0, 1)
		some := len(s.Cells)+len(s.Regions) > 0
		switch last := i == len(tables)-1; {
		case last && t.Has("share") && s.Share != 1 || last && some:
			t.Errorf("", "the last wave, %s, does not reach all nodes; add one behind it that does:\n\n    [[wave]]\n    share = 1\n", s.Name)
		case !last && !some && !t.Has("share"):
			t.Errorf("", "the wave %s says neither which share of the nodes it reaches, such as share = 0.25, nor which cells or regions", s.Name)
		}
		t.Done()
		all = append(all, s)
	}
	if len(tables) == 0 {
		root.Errorf("wave", "`wave` is empty; leave it out for the usual waves, or add one: [[wave]] with share = 1")
	}
	return all
}

// read reads what oneboxes and waves have in common.
func (s *Stage) read(t *settings.Table) {
	s.Requests = t.Int("requests", s.Requests, 0, 1e12)
	s.Cells, s.Regions = t.Texts("cells"), t.Texts("regions")
	s.Approval = t.Bool("approval", false)
	if slices.Contains(s.Cells, "") || slices.Contains(s.Regions, "") {
		t.Errorf("cells", "there is an empty name among the cells or regions; expected names such as \"eu-1\" or \"eu-*\"")
	}
	text := t.Text("bake", s.Bake.String())
	bake, err := time.ParseDuration(text)
	if err != nil || bake < 0 {
		t.Errorf("bake", "`bake` is %q; expected a duration such as \"10m\" or \"1h30m\", or \"0s\"", text)
		return
	}
	s.Bake = bake
}
