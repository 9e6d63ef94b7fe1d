package maintain

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"
)

// rulesFile is a file of Prometheus's rules, as far as ours go.
type rulesFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []struct {
			Alert       string            `json:"alert"`
			Expr        string            `json:"expr"`
			For         string            `json:"for"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"rules"`
	} `json:"groups"`
}

// TestAlerts: the rules that are shipped can be read, ask for metrics and reasons that there
// are, and send people to a part of the page that there is. The page names all metrics.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/alerts/maintenance.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules rulesFile
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/maintenance.md")
	if err != nil {
		t.Fatal(err)
	}
	there := metricNames()
	var code strings.Builder
	for _, name := range []string{"decide.go", "mend.go", "maintainer.go"} {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(part)
	}
	seen := map[string]bool{}
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if r.Alert == "" || seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %+v is told twice, or without a severity, a summary or a description", group.Name, r)
			}
			seen[r.Alert] = true
			if _, err := time.ParseDuration(strings.Replace(r.For, "1d", "24h", 1)); r.For != "" && err != nil {
				t.Errorf("%s: for %s: %v", r.Alert, r.For, err)
			}
			if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
				t.Errorf("%s: brackets of %s", r.Alert, r.Expr)
			}
			asked := regexp.MustCompile(`towpath_\w+`).FindAllString(r.Expr, -1)
			for _, metric := range asked {
				if !slices.Contains(there, metric) && metric != "towpath_node_certificate_end_timestamp_seconds" {
					t.Errorf("%s asks for %s, and there are %q", r.Alert, metric, there)
				}
			}
			if len(asked) == 0 {
				t.Errorf("%s asks for no metric of ours", r.Alert)
			}
			for _, about := range regexp.MustCompile(`about="(\w+)"`).FindAllStringSubmatch(r.Expr, -1) {
				if !strings.Contains(code.String(), `("`+about[1]+`", `) {
					t.Errorf("%s is about %q, which is never told", r.Alert, about[1])
				}
			}
			for _, part := range regexp.MustCompile(`docs/maintenance.md, "([^"]+)"`).FindAllStringSubmatch(r.Annotations["description"], -1) {
				if !strings.Contains(string(page), "\n## "+part[1]+"\n") {
					t.Errorf("%s sends people to %q, which docs/maintenance.md has not", r.Alert, part[1])
				}
			}
		}
	}
	for _, metric := range there {
		if short := "`" + strings.TrimPrefix(metric, "towpath_maintain_") + "`"; !strings.Contains(string(page), short) {
			t.Errorf("docs/maintenance.md does not name %s", short)
		}
	}
}

func metricNames() []string {
	descriptions := make(chan *prometheus.Desc, 100)
	NewMetrics().Describe(descriptions)
	close(descriptions)
	var names []string
	for d := range descriptions {
		names = append(names, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1])
	}
	return names
}
