package admit

// What is thought of a view of which nothing is known: it takes 10 ms, and a tenth
// of a core. In ms.
const firstCost, firstBase = 1, 10

// View is what is known of one kind of request. Its Limiter's mutex guards it.
type View struct {
	name string
	full form // with its optional scopes
	shed form // without
}

func newView(name string) *View {
	v := &View{name: name}
	v.full.set(firstCost, firstBase)
	return v
}

// lean is the form without optional scopes: as the full one is, until it has been
// seen.
func (v *View) lean() *form {
	if !v.shed.settled {
		v.shed.set(v.full.cost, v.full.base)
	}
	return &v.shed
}

// form is a way in which a view runs.
type form struct {
	cost, base, weight float64 // ms, ms, cores

	settled               bool    // cost and base are of enough calm requests
	memory                int     // how many, at most mostMemory
	calm                  int     // requests since
	rough                 int     // requests of others, before there were any calm ones
	costs, tooks, squares float64 // of the calm ones, added up; squares of the time
}

func (f *form) set(cost, base float64) {
	f.cost, f.base, f.weight = cost, base, cost/max(base, patience)
}

// patience is the latency in ms that requests may take whatever their baseline. Ones
// that take less weigh as if they took it, so that more of them may be in flight:
// nobody is helped when a request of 10 µs is refused since three others run.
const patience = 5

// enoughCalm is how many calm requests say something of a form, mostMemory how many
// earlier ones they are weighed against.
const enoughCalm, mostMemory = 8, 32

// sample notes what a request cost and took, and reports whether it counts. Only
// calm ones do: in the time of others are waits, and in their CPU as well, where
// that is measured by a clock. Others are better than nothing.
func (f *form) sample(cost, took float64, calm, first, settle bool) bool {
	if !calm {
		if first && !f.settled && f.calm == 0 {
			f.rough++
			f.set(f.cost+(cost-f.cost)/float64(f.rough), f.base+(took-f.base)/float64(f.rough))
		}
		return false
	}
	if f.settled {
		// One that hung must not make a thousand others seem slow.
		cost, took = min(cost, longest*f.cost), min(took, longest*f.base)
	}
	f.costs += cost
	f.tooks += took
	f.squares += took * took
	if f.calm++; !f.settled {
		if first {
			f.set(f.costs/float64(f.calm), f.tooks/float64(f.calm))
		}
		if settle {
			f.settle()
		}
	}
	return true
}

// settle takes the means of the calm requests since the last time. Where they are
// as earlier ones, within what chance does to means, those count too. It reports
// whether they are not.
func (f *form) settle() (changed bool) {
	if f.calm < enoughCalm {
		return false
	}
	n := float64(f.calm)
	cost, base := f.costs/n, f.tooks/n
	if scatter := max(f.squares/n-base*base, f.base*f.base/4) / n; (base-f.base)*(base-f.base) > chance*chance*scatter {
		f.memory, changed = 0, f.settled
	}
	old := float64(f.memory)
	f.set((old*f.cost+n*cost)/(old+n), (old*f.base+n*base)/(old+n))
	f.settled, f.memory = true, min(f.memory+f.calm, mostMemory)
	f.calm, f.costs, f.tooks, f.squares = 0, 0, 0, 0
	return changed
}

// chance is how many standard errors a mean is off by chance.
const chance = 2.5
