package project

import (
	"os"
	"path/filepath"
	"regexp"

	"towpath.dev/internal/settings"
)

// Dev is what tow dev does beside serving the project: the table [dev] of a
// tow.toml.
//
//	[dev]
//	env = "dev"                      # env/dev.toml binds the services
//	listen = "127.0.0.1:7070"
//	try = { view = "featured.featured", input = "input.json" }
//
//	[dev.run.market]                 # before all else, unless market.db is there
//	command = "go run ./seed -o market.db"
//	makes = "market.db"
//
//	[dev.run.pricing]                # beside the server, as a Procfile's line
//	command = "go run ./pricing -listen 127.0.0.1:$PORT"
//	ready = "/healthz"
type Dev struct {
	Env    string // "dev" unless said
	Listen string // "127.0.0.1:7070" unless said
	// TryView and TryInput make the example that is printed; "" when none is said.
	TryView, TryInput string
	Run               []Process // in the order of the file
}

// Process is a command that tow dev starts, by a shell, in the project's folder.
// It finds a free port in PORT, and those of all processes in NAME_PORT, as the
// environment's files do.
type Process struct {
	Name    string
	Command string
	// Makes is a file: the command runs to its end when it is not there, and not at
	// all when it is. "" for commands that go on.
	Makes string
	// Ready is a path that answers 200 once the process is ready; "" when it is at once.
	Ready string
}

var processName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ReadDev reads the table [dev] of the project's file. The error holds all
// mistakes.
func (p *Project) ReadDev() (*Dev, error) {
	text, err := os.ReadFile(filepath.Join(p.Root, File))
	if err != nil {
		return nil, err
	}
	f := settings.Parse(File, text)
	t := f.Root.Table("dev")
	d := &Dev{Env: t.Text("env", "dev"), Listen: t.Text("listen", "127.0.0.1:7070")}
	if try := t.Table("try"); try != nil {
		d.TryView, d.TryInput = try.Required("view"), try.Text("input", "")
		try.Done()
	}
	run := t.Table("run")
	for _, name := range run.Keys() {
		of := run.Table(name)
		if of == nil {
			continue
		}
		if !processName.MatchString(name) {
			run.Errorf(name, "`%s` cannot name a process: expected small letters, digits and underscores", name)
		}
		d.Run = append(d.Run, Process{Name: name, Command: of.Required("command"), Makes: of.Text("makes", ""), Ready: of.Text("ready", "")})
		if of.Has("makes") && of.Has("ready") {
			of.Errorf("ready", "`ready` is for processes that go on; one that `makes` a file is ready when it ends")
		}
		of.Done()
	}
	t.Done()
	return d, f.Err()
}
