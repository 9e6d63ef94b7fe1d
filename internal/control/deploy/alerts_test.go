package deploy

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

// elsewhere are metrics in the rules that are not this package's: elections', the control
// node's, and those of package telemetry, whose own test looks at them.
var elsewhere = regexp.MustCompile(`^(election_seats_held|towpath_node_certificate_end_timestamp_seconds|towpath_deploy_export_\w+)$`)

// TestAlerts: the rules that are shipped can be read, ask for metrics and labels that there are,
// and send people to a part of the page that there is. The page names all metrics.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/alerts/deployments.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
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
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	there := metricLabels()
	seen, asked := map[string]bool{}, map[string]bool{}
	for _, r := range rules.Groups[0].Rules {
		if r.Alert == "" || seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%+v is told twice, or without a severity, a summary or a description", r)
		}
		seen[r.Alert] = true
		if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
			t.Errorf("%s: for %s: %v", r.Alert, r.For, err)
		}
		if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
			t.Errorf("%s: brackets of %s", r.Alert, r.Expr)
		}
		metrics := regexp.MustCompile(`(?:towpath|election)_\w+`).FindAllString(r.Expr, -1)
		if len(metrics) == 0 {
			t.Errorf("%s asks for no metric of ours", r.Alert)
		}
		var labels []string
		for _, metric := range metrics {
			asked[metric] = true
			if labels = append(labels, there[metric]...); there[metric] == nil && !elsewhere.MatchString(metric) {
				t.Errorf("%s asks for %s, and there are %v", r.Alert, metric, there)
			}
		}
		labels = append(labels, "instance", "sink", "group")
		for _, by := range regexp.MustCompile(`(?:by|on) \(([\w, ]+)\)|\{(\w+)[!=]|\$labels\.(\w+)`).FindAllStringSubmatch(r.Expr+r.Annotations["summary"]+r.Annotations["description"], -1) {
			for name := range strings.SplitSeq(by[1]+by[2]+by[3], ", ") {
				if !slices.Contains(labels, name) {
					t.Errorf("%s goes by the label %s, and there are %q", r.Alert, name, labels)
				}
			}
		}
		for _, part := range regexp.MustCompile(`docs/telemetry.md, "([^"]+)"`).FindAllStringSubmatch(r.Annotations["description"], -1) {
			if !strings.Contains(string(page), "\n## "+part[1]+"\n") {
				t.Errorf("%s sends people to %q, which docs/telemetry.md has not", r.Alert, part[1])
			}
		}
	}
	for _, metric := range []string{"towpath_deploy_overdue_seconds", "towpath_deploy_step_seconds", "towpath_deploy_stage_overdue_seconds", "election_seats_held", "towpath_deploy_outbox_events", "towpath_deploy_troubles_total", "towpath_node_certificate_end_timestamp_seconds"} {
		if !asked[metric] {
			t.Errorf("no rule asks for %s", metric)
		}
	}
	for metric := range there {
		if short := "`" + strings.TrimPrefix(metric, "towpath_deploy_") + "`"; !strings.Contains(string(page), short) {
			t.Errorf("docs/telemetry.md does not name %s", short)
		}
	}
}

// metricLabels are this package's metrics, with the names of their labels.
func metricLabels() map[string][]string {
	descriptions := make(chan *prometheus.Desc, 100)
	NewMetrics().Describe(descriptions)
	(&fleetGauges{}).Describe(descriptions)
	close(descriptions)
	form := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	all := map[string][]string{}
	for d := range descriptions {
		got := form.FindStringSubmatch(d.String())
		all[got[1]] = strings.Split(got[2], ",")
	}
	return all
}
