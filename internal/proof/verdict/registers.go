package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"towpath.dev/internal/proof/history"
)

// patience is for how long an order of one register's operations is looked for.
const patience = time.Minute

// model is one register. States are what it holds, inputs are operations, and outputs
// are what a read found.
var model = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		if op := input.(history.Op); op.Value != 0 {
			return true, op.Value
		}
		return output.(uint64) == state.(uint64), state
	},
	DescribeOperation: func(input, output any) string {
		if op := input.(history.Op); op.Value != 0 {
			return fmt.Sprintf("write %x", op.Value)
		}
		return fmt.Sprintf("read %x", output)
	},
}

// checkRegisters looks for an order of the operations that explains what was read.
//
// A write whose answer was never heard may take effect at any time after its call, and a
// few of those make the search endless. The register's log helps: what it has was done
// by then, and what it has not was never done.
func (r *Report) checkRegisters(batches map[batchKey]*batch) {
	bySeat := map[string][]*batch{} // one seat after the other, as operations take a lot of memory
	for _, b := range batches {
		if b.call != nil && (b.answer != nil || b.accepted != nil) {
			bySeat[b.call.Seat] = append(bySeat[b.call.Seat], b)
		}
	}
	for seat, list := range bySeat {
		slices.SortFunc(list, func(a, b *batch) int { return cmp.Compare(a.call.At, b.call.At) })
		operations := map[uint32][]porcupine.Operation{}
		for _, b := range list {
			r.operationsOf(b, operations)
		}
		for register, list := range operations {
			switch porcupine.CheckOperationsTimeout(model, list, patience) {
			case porcupine.Illegal:
				r.complain(NotLinearizable, "register %d of %s: no order explains its %d operations", register, seat, len(list))
			case porcupine.Unknown:
				r.complain(NotLinearizable, "register %d of %s: no order of its %d operations was found within %s, nor that there is none", register, seat, len(list), patience)
			}
		}
	}
}

// operationsOf adds a batch's operations to those of their registers.
func (r *Report) operationsOf(b *batch, operations map[uint32][]porcupine.Operation) {
	until := b.accepted
	var found []uint64
	if b.answer != nil {
		until, found = b.answer, b.answer.Values
	}
	for _, op := range b.call.Ops {
		o := porcupine.Operation{Input: op, Call: b.call.At, Return: until.At}
		if op.Value == 0 {
			if b.answer == nil {
				continue // nobody heard what it found
			}
			if len(found) == 0 {
				r.complain(LostWrite, "%s heard of its batch %d what fewer reads found than it has", b.call.Who, b.call.Batch)
				return
			}
			o.Output, found = found[0], found[1:]
		}
		operations[op.Register] = append(operations[op.Register], o)
	}
}
