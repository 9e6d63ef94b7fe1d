package fleet

import "testing"

// TestReportsAreNumbered: each report of a process has a higher number than the one before it.
func TestReportsAreNumbered(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		for range 2 { // processes
			m.set(func() { m.reports = nil })
			_, stop := m.start()
			m.intend(&Intent{Deployment: "d1", Release: one})
			m.runs(one, "")
			m.intend(&Intent{Deployment: "d2", Release: two})
			m.runs(two, "")
			stop()
			if len(m.reports) < 2 {
				t.Errorf("it reported %d times", len(m.reports))
			}
			last := int64(0)
			for _, s := range m.reports {
				if s.Number <= last {
					t.Errorf("a report has the number %d behind %d", s.Number, last)
				}
				last = s.Number
			}
		}
	})
}
