package deploy

import (
	"strings"
	"testing"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// TestFreezeOfTheUnknown: a freeze is refused that would hold nothing up, and what there is is
// named to who may see it.
func TestFreezeOfTheUnknown(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	service := &Service{Store: store}
	for program, environment := range map[string]string{"shop": "prod", "fees": "prod", "stock": "test"} {
		if _, err := service.Create(t.Context(), Plan{Program: program, Environment: environment, Release: digest("one"), Request: program, Pipeline: DefaultPipeline()}); err != nil {
			t.Fatal(err)
		}
	}
	status := (&fleet.Status{Cell: "c"}).Encode()
	if _, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(fleet.StatusKey("nodes-only", "n1"), status, 0)}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		environment, program string
		bound                bool
		want                 string // "": it is taken
	}{
		{"", "", false, ""}, {"prod", "", false, ""}, {"nodes-only", "", false, ""}, {"prod", "shop", false, ""}, {"", "stock", false, ""}, {"prod", "shop", true, ""},
		{"prd", "", false, `nothing is known of an environment "prd" (there is nodes-only, prod, test), and`},
		{"prd", "shop", true, `nothing is known of an environment "prd", and`},
		{"prod", "shpo", false, `nothing is known of a program "shpo" in prod (there is fees, shop), and`},
		{"prod", "stock", false, `"stock" in prod (there is fees, shop), and`},
		{"nodes-only", "shop", false, `"shop" in nodes-only (there is none yet), and`},
		{"", "shpo", false, `"shpo" in any environment (there is fees, shop, stock), and`},
	} {
		err := service.Known(t.Context(), Freeze{Environment: c.environment, Program: c.program}, !c.bound)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("a freeze of %q in %q: %v; expected %q", c.program, c.environment, err, c.want)
		}
	}
}
