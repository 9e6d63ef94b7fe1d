package cost

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Text is a comparison for people: a table of a line for each item of the bills and a column
// for each of them, and what they are.
func (c Comparison) Text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "A month of %s; prices of %s (%s)\n\n", c.Sheet.Name, c.Sheet.Date, c.Sheet.Source)
	s.WriteString(Table(c.Sheet.Currency, c.Bills))
	s.WriteByte('\n')
	for _, b := range c.Bills {
		fmt.Fprintf(&s, "%s: restores to %s.", b.Name, b.Restores)
		if b.Note != "" {
			s.WriteString(" " + b.Note)
		}
		s.WriteByte('\n')
	}
	if c.Shape.Clusters > 1 {
		fmt.Fprintf(&s, "\nThat is for each of %d clusters that share an uploader.\n", c.Shape.Clusters)
	}
	fmt.Fprintf(&s, "\nVerification reads each stored byte %.2f times a month. With that, %s.\n", c.Schedule.Reads, c.classes())
	return s.String()
}

// classes says what the choice of classes is worth.
func (c Comparison) classes() string {
	switch saved := c.AllStandard - c.Bills[0].Total; {
	case c.Schedule.Standard:
		return "the class Infrequent was not asked for"
	case saved < c.AllStandard/1000:
		return "the class Infrequent saves nothing worth mentioning"
	default:
		return fmt.Sprintf("the class Infrequent saves %s of %s", money(c.Sheet.Currency, saved), money(c.Sheet.Currency, c.AllStandard))
	}
}

// Table is bills side by side. The first one is what the others are compared with. Items that
// are nothing in all of them are left out.
func Table(currency string, bills []Bill) string {
	if len(bills) == 0 {
		return ""
	}
	first, second, loses, total, ratio := []string{""}, []string{""}, []string{"loses at most"}, []string{"total"}, []string{"× as much as " + bills[0].Name}
	timed := false
	for i, b := range bills {
		name, kind, _ := strings.Cut(b.Name, ", ")
		first, second = append(first, name), append(second, kind)
		loses, timed = append(loses, b.Loses), timed || b.Loses != ""
		total = append(total, money(currency, b.Total))
		if i == 0 {
			ratio = append(ratio, "")
		} else {
			ratio = append(ratio, times(b.Total/bills[0].Total))
		}
	}
	rows := [][]string{first, second}
	if timed {
		rows = append(rows, loses)
	}
	for i, item := range bills[0].Lines {
		row, used := []string{item.Item}, false
		for _, b := range bills {
			row = append(row, money(currency, b.Lines[i].Cost))
			used = used || b.Lines[i].Cost > 0
		}
		if used {
			rows = append(rows, row)
		}
	}
	return align(append(rows, total, ratio))
}

// money writes an amount with the digits that matter: two of small ones, none behind the point
// of large ones.
func money(currency string, amount float64) string {
	switch {
	case amount == 0:
		return "–"
	case amount >= 100:
		return fmt.Sprintf("%s%.0f", currency, amount)
	case amount >= 0.995:
		return fmt.Sprintf("%s%.2f", currency, amount)
	case amount < 0.0001:
		return "<" + currency + "0.0001"
	}
	digits := 1 - int(math.Floor(math.Log10(amount)))
	return fmt.Sprintf("%s%.*f", currency, digits, amount)
}

// times writes a ratio by two digits.
func times(ratio float64) string {
	switch {
	case math.IsNaN(ratio) || math.IsInf(ratio, 0):
		return ""
	case ratio >= 9.95:
		return fmt.Sprintf("%.0f", ratio)
	case ratio >= 0.995:
		return fmt.Sprintf("%.1f", ratio)
	}
	return fmt.Sprintf("%.2g", ratio)
}

// align puts the first column left and the others right.
func align(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var s strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		s.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return s.String()
}
