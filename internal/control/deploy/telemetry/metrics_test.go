package telemetry

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAlertsAndDocsNameMetrics: the rules that are shipped ask for metrics that there are, and
// the page names all of them.
func TestAlertsAndDocsNameMetrics(t *testing.T) {
	there := map[string]bool{}
	descriptions := make(chan *prometheus.Desc, 100)
	NewMetrics().Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		there[regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	rules, err := os.ReadFile("../../../../deploy/alerts/deployments.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range regexp.MustCompile(`towpath_deploy_export_\w+`).FindAllString(string(rules), -1) {
		if !there[asked] {
			t.Errorf("deploy/alerts/deployments.yml asks for %s, and there are %v", asked, there)
		}
	}
	page, err := os.ReadFile("../../../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	for metric := range there {
		if short := "`" + strings.TrimPrefix(metric, "towpath_deploy_") + "`"; !strings.Contains(string(page), short) {
			t.Errorf("docs/telemetry.md does not name %s", short)
		}
	}
}
