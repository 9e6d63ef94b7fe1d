package fleet

import (
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestDeathsAreCountedOnce: a node that died of a candidate has nothing against the release
// that ran with it, and does not forget it when it dies of something else.
func TestDeathsAreCountedOnce(t *testing.T) {
	const program, deployment = "shop", "shop.prod.2"
	one, two := release.DigestOf([]byte("one")), release.DigestOf([]byte("two"))
	m := newMemory()
	m.Intents[program] = &Intent{Deployment: deployment, Release: one, Candidate: two, Onebox: "n"}
	now := time.Now()
	for life := 1; life <= MostDeaths; life++ {
		m.try(program, deployment, one, now)
		m.try(program, deployment, two, now) // at once, by a coarse clock
		against := m.died(program, "")
		if against[two] == nil || against[two].Deaths != life || against[one] != nil {
			t.Fatalf("after %d deaths of the candidate there is %v against releases", life, against)
		}
	}
	m.try(program, deployment, one, now) // alone, as the node has given up on the other
	against := m.died(program, "")
	if against[two] == nil || against[two].Deaths != MostDeaths {
		t.Errorf("that it died of the candidate is forgotten: %v", against)
	}
	if against[one] == nil || against[one].Deaths != 1 {
		t.Errorf("one death of another kind is %v against the release that ran", against[one])
	}
	// Another deployment may try the candidate again.
	m.Intents[program].Deployment = "shop.prod.3"
	if against := m.died(program, ""); len(against) > 0 {
		t.Errorf("there is %v against releases of a deployment that has not begun them", against)
	}
}
