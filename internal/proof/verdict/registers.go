package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"towpath.dev/internal/proof/history"
)

// patience is for how long an order of one register's operations is looked for.
const patience = time.Minute

type cell struct {
	seat     string
	register uint32
}

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
	operations := map[cell][]porcupine.Operation{}
	clients := map[string]int{}
	for key, b := range batches {
		if b.call == nil || b.answer == nil && b.accepted == nil {
			continue
		}
		client, known := clients[key.who]
		if !known {
			client = len(clients)
			clients[key.who] = client
		}
		until := b.accepted
		if b.answer != nil {
			until = b.answer
		}
		reads := 0
		for _, op := range b.call.Ops {
			o := porcupine.Operation{ClientId: client, Input: op, Call: b.call.At, Return: until.At}
			if op.Value == 0 {
				if b.answer == nil {
					continue // nobody heard what it found
				}
				if reads >= len(b.answer.Values) {
					r.complain(LostWrite, "%s has an answer to its batch %d with %d values, expected more", key.who, key.number, len(b.answer.Values))
					break
				}
				o.Output = b.answer.Values[reads]
				reads++
			}
			at := cell{b.call.Seat, op.Register}
			operations[at] = append(operations[at], o)
		}
	}
	for at, list := range operations {
		slices.SortFunc(list, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		switch porcupine.CheckOperationsTimeout(model, list, patience) {
		case porcupine.Illegal:
			r.complain(NotLinearizable, "register %d of %s: no order explains its %d operations", at.register, at.seat, len(list))
		case porcupine.Unknown:
			r.complain(NotLinearizable, "register %d of %s: no order of its %d operations was found within %s, nor that there is none", at.register, at.seat, len(list), patience)
		}
	}
}
