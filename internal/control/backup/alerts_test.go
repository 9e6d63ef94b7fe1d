package backup

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAlertsAndDocsNameMetrics: the rules that are shipped ask for metrics that there are, and
// the page names all of them.
func TestAlertsAndDocsNameMetrics(t *testing.T) {
	var there []string
	descriptions := make(chan *prometheus.Desc, 100)
	NewMetrics().Describe(descriptions)
	close(descriptions)
	name := regexp.MustCompile(`fqName: "(\w+)"`)
	for d := range descriptions {
		there = append(there, name.FindStringSubmatch(d.String())[1])
	}
	rules, err := os.ReadFile("../../../deploy/alerts/backup.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range regexp.MustCompile(`towpath_backup_\w+`).FindAllString(string(rules), -1) {
		if !slices.Contains(there, asked) {
			t.Errorf("deploy/alerts/backup.yml asks for %s, and there are %q", asked, there)
		}
	}
	page, err := os.ReadFile("../../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range there {
		if short := "`" + strings.TrimPrefix(metric, "towpath_backup_") + "`"; !strings.Contains(string(page), short) {
			t.Errorf("docs/backup.md does not name %s", short)
		}
	}
}
