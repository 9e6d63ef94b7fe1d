package backup

import (
	"testing"

	"towpath.dev/internal/blob"
)

// TestMemberNames: any name of a member can be noted, and is read as it was.
func TestMemberNames(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"etcd-1", "Node1", "node1", "my member", "a/b", "0x4e6f646531", "0xzz", "", "größe"} {
		part := ofMember(name)
		if err := blob.CheckName("prod/000001/restore/" + part); err != nil || seen[part] {
			t.Errorf("%q is noted as %q: %v", name, part, err)
		}
		seen[part] = true
		if got := memberOf(part); got != name {
			t.Errorf("%q is read as %q", name, got)
		}
	}
	if got := ofMember("etcd-1"); got != "etcd-1" {
		t.Errorf("a plain name is noted as %q", got)
	}
}
