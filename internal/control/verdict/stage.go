package verdict

// Stage begins another stage: what the bettors of a metric have is shared out evenly among its rates, so that
// those who lost on a long healthy stage can see what is only wrong in the next. E stays what
// it is, and α is not spent anew.
func (t *Test) Stage() {
	for i := range t.Metrics {
		m := &t.Metrics[i]
		have := m.For.mean()
		for j := range m.For {
			m.For[j] = have
		}
	}
}
