// Where a node says that it is.

package fleet

import "fmt"

// CheckTold says what is wrong with the place that a node tells of. It is a wider rule than [CheckPlace],
// which is of who begins with a name: nodes have others from before that rule, and who refuses one lets it
// run on as it is, and hear of nothing.
func CheckTold(cell, region string) error {
	if !Keyed(cell) {
		return fmt.Errorf("%.80q cannot name a cell: it becomes a part of keys; expected 1 to %d bytes of UTF-8 without a slash", cell, mostCell)
	}
	if len(region) > mostCell {
		return fmt.Errorf("%.40q… cannot name a region: it has %d bytes; expected %d at most", region, len(region), mostCell)
	}
	return nil
}

// At reports whether the memory is of a node that was at a place, as far as it says where: those of earlier
// versions do not.
func (m *Memory) At(cell, region string) bool {
	return m.Cell == "" || m.Cell == cell && m.Region == region
}

// JoinedKey is where it stands which node came to a cell of an environment last: who takes a cell out that
// has no nodes sees by it that none has come meanwhile.
func JoinedKey(environment string) string { return Prefix + "joined/" + environment }
