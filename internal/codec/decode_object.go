package codec

import "strconv"

// record reads an object as a record.
func (d *Decoder) record(n *node, pos uint) (uint64, uint) {
	if d.mem.u8(pos) != '{' {
		if pos = d.space(pos); d.mem.u8(pos) != '{' {
			return d.fail(pos, n.name)
		}
	}
	o := &n.object
	at := d.alloc(max(o.size, 8))
	if at == 0 || !d.enter(pos) {
		return 0, 0
	}
	pos = d.members(o, at, pos+1, false)
	d.depth++
	return uint64(at), pos
}

// members reads an object's members from pos on, just after its brace or a
// comma, into the fields at. typeSeen says that a variant's "type" came before.
//
// The member that comes is guessed: the one declared next, or else the one that
// followed the member before in the last object of the kind. Then a comparison
// of its name, quotes and colon is all that it takes.
func (d *Decoder) members(o *object, at, pos uint, typeSeen bool) uint {
	m := d.mem
	var seen uint64
	more := len(d.values) // from there on, bits for the fields beyond the first 64
	for i := 64; i < o.count; i += 64 {
		d.values = append(d.values, 0)
	}
	for i := 0; ; i++ {
		f := &o.fields[i]
		if f.stands(m, pos) && (f.tail == "" || d.follows(pos+16, f.tail)) {
			pos += f.length
		} else {
			if i, pos, typeSeen = d.otherMember(o, i, pos, typeSeen); i < 0 {
				break
			}
			f = &o.fields[i]
		}
		bit := uint64(1) << i
		if seen&bit != 0 || i >= 64 && d.marked(more, i) {
			d.values = d.values[:more]
			return d.failTwice(pos, f.name)
		}
		seen |= bit
		var v uint64
		switch f.op {
		case opString:
			v, pos = d.string(pos)
		case opInt:
			v, pos = d.integer(pos)
		default:
			v, pos = d.value(f.node, pos)
		}
		if pos == 0 {
			d.values = d.values[:more]
			d.inMember(f.name)
			return 0
		}
		if f.wide {
			m.put64(at+uint(f.offset), v)
		} else {
			m.put32(at+uint(f.offset), uint32(v))
		}
		c := m.u8(pos)
		if c <= ' ' {
			pos = d.space(pos)
			c = m.u8(pos)
		}
		pos++
		if c == ',' {
			continue
		}
		if c != '}' {
			pos = d.failPos(pos-1, "`,` or `}`")
		}
		break
	}
	if pos != 0 && (seen != o.all || o.count > 64) {
		pos = d.absent(o, at, pos, seen, more)
	}
	d.values = d.values[:more]
	return pos
}

// otherMember reads a member's name and colon when it is not that of the field
// i, which was guessed. It gives the field's index, or -1 at the object's end.
func (d *Decoder) otherMember(o *object, i int, pos uint, typeSeen bool) (int, uint, bool) {
	pos = d.space(pos)
	next := &d.next[o.guesses+i]
	for _, guess := range [...]int{int(*next), i} {
		if f := &o.fields[guess]; f.stands(d.mem, pos) && (f.tail == "" || d.follows(pos+16, f.tail)) {
			return guess, pos + f.length, typeSeen
		}
	}
	found, pos, typeSeen := d.member(o, i, pos, i == 0 && !typeSeen, typeSeen)
	if found >= 0 {
		*next = int32(found)
	}
	return found, pos, typeSeen
}

// member reads a member's name and colon, when it is not one guessed, and
// skips members that are not known. opened says that it may as well be the end
// of an empty object. It gives the field's index, or -1 at the object's end.
func (d *Decoder) member(o *object, guess int, pos uint, opened, typeSeen bool) (int, uint, bool) {
	for {
		if pos = d.space(pos); d.mem.u8(pos) != '"' {
			if d.mem.u8(pos) == '}' && opened {
				return -1, pos + 1, typeSeen
			}
			return -1, d.failPos(pos, "a member's name"), typeSeen
		}
		opened = false
		if i := d.known(o, guess, pos); i >= 0 {
			return i, pos + o.fields[i].length, typeSeen
		}
		start := pos
		i, pos1 := d.name(o, guess, pos)
		if pos = pos1; pos == 0 {
			return -1, 0, typeSeen
		}
		if pos = d.space(pos); d.mem.u8(pos) != ':' {
			return -1, d.failPos(pos, "`:`"), typeSeen
		}
		pos++
		switch {
		case i >= 0:
			return i, pos, typeSeen
		case i == nameOfType:
			if typeSeen {
				return -1, d.failTwice(start, "type"), typeSeen
			}
			typeSeen = true
		case d.Strict:
			d.failAs(start, "a member of "+o.owner, d.found(start)[len("string "):])
			return -1, 0, typeSeen
		}
		if pos = d.skip(pos); pos == 0 {
			return -1, 0, typeSeen
		}
		if pos = d.space(pos); d.mem.u8(pos) == '}' {
			return -1, pos + 1, typeSeen
		}
		if d.mem.u8(pos) != ',' {
			return -1, d.failPos(pos, "`,` or `}`"), typeSeen
		}
		pos++
	}
}

// known finds the field whose name stands at pos with its quotes and colon, as
// the field's literal has them; -1 where that is not so.
func (d *Decoder) known(o *object, guess int, pos uint) int {
	if o.byName != nil {
		return -1 // too many to try
	}
	for range o.count {
		if guess >= o.count {
			guess = 0
		}
		if f := &o.fields[guess]; f.stands(d.mem, pos) && (f.tail == "" || d.follows(pos+16, f.tail)) {
			return guess
		}
		guess++
	}
	return -1
}

// What name gives for a name that is no field's.
const (
	nameUnknown = -1
	nameOfType  = -2
)

// name reads a member's name, from its quote on, and finds the field.
func (d *Decoder) name(o *object, guess int, pos uint) (int, uint) {
	m := d.mem
	heap := d.heap
	text, end := d.string(pos)
	d.heap = heap // an unescaped name is not kept
	if end == 0 {
		return nameUnknown, 0
	}
	key := m.bytes(uint(text>>32), uint(uint32(text)))
	if o.tagged && string(key) == "type" {
		return nameOfType, end
	}
	if o.byName != nil {
		if i, ok := o.byName[string(key)]; ok {
			return i, end
		}
		return nameUnknown, end
	}
	for range o.count {
		if guess >= o.count {
			guess = 0
		}
		if o.fields[guess].name == string(key) {
			return guess, end
		}
		guess++
	}
	return nameUnknown, end
}

// follows reports whether s stands at pos.
func (d *Decoder) follows(pos uint, s string) bool {
	return pos+uint(len(s)) <= d.end && string(d.mem.bytes(pos, uint(len(s)))) == s
}

// marked marks the field i ≥ 64 as seen, and reports whether it was.
func (d *Decoder) marked(more, i int) bool {
	word, bit := &d.values[more+i/64-1], uint64(1)<<(i%64)
	was := *word&bit != 0
	*word |= bit
	return was
}

func (d *Decoder) failTwice(pos uint, name string) uint {
	d.failAs(pos, "one member "+strconv.Quote(name), "a second")
	return 0
}

// absent fills the fields that were not seen. pos, after the object, is what it
// gives.
func (d *Decoder) absent(o *object, at, pos uint, seen uint64, more int) uint {
	for i := range o.count {
		if i < 64 && seen>>i&1 != 0 || i >= 64 && d.values[more+i/64-1]>>(i%64)&1 != 0 {
			continue
		}
		f := &o.fields[i]
		v := f.bits
		switch f.absent {
		case absentRefused:
			d.failAs(pos-1, f.node.name, "no such member")
			d.inMember(f.name)
			return 0
		case absentText:
			var ok bool
			if v, ok = d.defaultValue(f); !ok {
				return 0
			}
		}
		d.put(at+uint(f.offset), v, f.wide)
	}
	return pos
}

// defaultValue reads a default's text, from the heap.
func (d *Decoder) defaultValue(f *field) (uint64, bool) {
	text := d.alloc(Room(len(f.text)))
	if text == 0 {
		return 0, false
	}
	copy(d.mem.bytes(text, uint(len(f.text))), f.text)
	end := d.end
	d.end = text + uint(len(f.text))
	d.mem.put8(d.end, 0)
	v, pos := d.value(f.node, text)
	d.end = end
	if pos == 0 && !d.err.memory { // New has read the same text
		d.err.at = end
	}
	return v, pos != 0
}

// alternative finds the alternative whose name, in quotes, stands at pos, and
// where it ends; -1 when none does.
func (d *Decoder) alternative(n *node, pos uint) (int, uint) {
	m := d.mem
	if n.byName == nil {
		for i := range n.alts {
			a := &n.alts[i]
			if a.stands(m, pos) && (a.tail == "" || d.follows(pos+16, a.tail)) {
				return i, pos + a.length
			}
		}
	}
	if m.u8(pos) != '"' {
		d.fail(pos, n.alternatives())
		return -1, 0
	}
	heap := d.heap
	text, end := d.string(pos)
	d.heap = heap
	if end == 0 {
		return -1, 0
	}
	key := m.bytes(uint(text>>32), uint(uint32(text)))
	if i, ok := n.byName[string(key)]; ok {
		return i, end
	}
	for i := range n.alts {
		if n.byName == nil && n.alts[i].name == string(key) {
			return i, end
		}
	}
	d.fail(pos, n.alternatives())
	return -1, 0
}

// alternatives is the names, for a message.
func (n *node) alternatives() string {
	s := n.name + ":"
	for i := range n.alts {
		switch {
		case i == 8:
			return s + ", …"
		case i > 0:
			s += ","
		}
		s += " " + n.alts[i].quoted
	}
	return s
}

func (d *Decoder) enum(n *node, pos uint) (uint64, uint) {
	if d.mem.u8(pos) <= ' ' {
		pos = d.space(pos)
	}
	i, pos := d.alternative(n, pos)
	return uint64(i), pos
}

// variant reads {"type": "Used", "grade": 3}, the type at any place but fastest
// as the first.
func (d *Decoder) variant(n *node, pos uint) (uint64, uint) {
	m := d.mem
	if pos = d.space(pos); m.u8(pos) != '{' {
		return d.fail(pos, n.name)
	}
	if !d.enter(pos) {
		return 0, 0
	}
	open := pos
	first, at := d.typeOf(n, pos+1)
	if at == 0 {
		return 0, 0
	}
	tag, end := d.alternative(n, d.space(at))
	if end == 0 {
		d.inMember("type")
		return 0, 0
	}
	a := &n.alts[tag]
	cell := uint(a.static)
	if a.object.count > 0 || cell == 0 {
		if cell = d.alloc(max(a.object.size, 8)); cell == 0 {
			return 0, 0
		}
		d.mem.put32(cell, uint32(tag))
	}
	pos = open + 1
	if first {
		if pos = d.space(end) + 1; m.u8(pos-1) == '}' {
			if a.object.count > 0 {
				pos = d.absent(&a.object, cell, pos, 0, len(d.values))
			}
			d.depth++
			return uint64(cell), pos
		}
		if m.u8(pos-1) != ',' {
			return d.fail(pos-1, "`,` or `}`")
		}
	}
	pos = d.members(&a.object, cell, pos, first)
	d.depth++
	return uint64(cell), pos
}

// typeOf finds a variant's member "type" among those from pos on. It gives
// where its value stands, and whether it is the first.
func (d *Decoder) typeOf(n *node, pos uint) (first bool, value uint) {
	if w, _ := word(`"type":`); d.mem.u64(pos)&(1<<56-1) == w {
		return true, pos + 7
	}
	if pos = d.space(pos); d.mem.u8(pos) == '}' {
		d.failAs(pos, n.alternatives(), "no such member")
		d.inMember("type")
		return false, 0
	}
	none := object{tagged: true}
	for first = true; ; first = false {
		if pos = d.space(pos); d.mem.u8(pos) != '"' {
			return false, d.failPos(pos, "a member's name")
		}
		i, end := d.name(&none, 0, pos)
		if end == 0 {
			return false, 0
		}
		if pos = d.space(end); d.mem.u8(pos) != ':' {
			return false, d.failPos(pos, "`:`")
		}
		if i == nameOfType {
			return first, pos + 1
		}
		if pos = d.skip(pos + 1); pos == 0 {
			return false, 0
		}
		if pos = d.space(pos); d.mem.u8(pos) != ',' {
			if d.mem.u8(pos) != '}' {
				return false, d.failPos(pos, "`,` or `}`")
			}
			d.failAs(pos, n.alternatives(), "no such member")
			d.inMember("type")
			return false, 0
		}
		pos++
	}
}
