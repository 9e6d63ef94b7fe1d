package verdict

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// digits are those that a sum keeps when it is stored.
const digits = 9

// MarshalJSON writes the sums with nine digits, rounded down: who reads them has lost a little
// evidence, and made up none.
func (l Logs) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, down(v), 'g', digits, 64)
	}
	return append(b, ']'), nil
}

// down is the greatest number of few digits that is not above v; stored again it stays what it is.
func down(v float64) float64 {
	r := rounded(v)
	if r > v {
		unit := math.Pow(10, math.Floor(math.Log10(math.Abs(r)))+1-digits)
		r = rounded(r - unit)
	}
	return r
}

// rounded is the number of few digits that is next to v.
func rounded(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64) // a number was written
	return r
}

// MarshalJSON writes [candidate, control].
func (p Pair) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{p.Candidate, p.Control}) }

// UnmarshalJSON reads [candidate, control].
func (p *Pair) UnmarshalJSON(data []byte) error {
	var two []int64
	if err := json.Unmarshal(data, &two); err != nil {
		return err
	}
	if len(two) != 2 {
		return fmt.Errorf("%d numbers where two are expected, the candidate's and the control's", len(two))
	}
	p.Candidate, p.Control = two[0], two[1]
	return nil
}

// UnmarshalJSON reads a test that was stored. It fails if it is none.
func (t *Test) UnmarshalJSON(data []byte) error {
	type plain Test
	var read plain
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	if err := (*Test)(&read).valid(); err != nil {
		return fmt.Errorf("no test of a candidate: %w", err)
	}
	*t = Test(read)
	return nil
}
