package admit

import "fmt"

// Class says how much it matters that a request is answered. More critical ones
// are less.
type Class int8

// The classes. Capacity is given to them in this order.
const (
	Critical  Class = iota - 1 // somebody pays for a refusal
	Default                    // the zero value
	Sheddable                  // somebody notices one
	Bulk                       // comes again by itself

	classes = 4
)

var classNames = [classes]string{"critical", "default", "sheddable", "bulk"}

// ParseClass reads a class as the header Towpath-Criticality has it; "" is Default.
func ParseClass(text string) (Class, error) {
	for i, name := range classNames {
		if text == name {
			return Class(i - 1), nil
		}
	}
	if text == "" {
		return Default, nil
	}
	return Default, fmt.Errorf("criticality %q: expected critical, default, sheddable or bulk", text)
}

// String is the class as in the header.
func (c Class) String() string { return classNames[c.index()] }

func (c Class) index() int { return int(min(max(c, Critical), Bulk) - Critical) }
