// A status in the store.

package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"towpath.dev/election"
)

// RunsPrefix is where it is in the store what nodes run of many programs: below it
// ENVIRONMENT/NODE/PAGE.
const RunsPrefix = Prefix + "runs/"

// RunsKeys begin the keys of a node's pages; of node "" those of all nodes of the environment.
func RunsKeys(environment, node string) string {
	if node == "" {
		return RunsPrefix + environment + "/"
	}
	return RunsPrefix + environment + "/" + node + "/"
}

// MaxStatus bounds each value of a status in the store, in bytes.
const MaxStatus = 4 << 10

const (
	mostInHead = 8  // programs that are in the status's own key, where they find room there
	mostInPage = 12 // programs of a page, where they find room there
	// roomInPage is for what is new on a page, in bytes: what is there grows as it is on trial.
	roomInPage = MaxStatus * 3 / 4
)

// A Filed is a node's status as it is in the store: a head, which says what the node is, and what
// it runs of few programs, and pages, which say what it runs of many. So no value is too
// large, and what does not change is not written. A program stays on its page as long as that has
// room for it. All is written at once, under the condition that the head is as it was.
//
// The zero value is that nothing is there.
type Filed struct {
	head  *Status
	pages map[int]*page
}

// page is what is on one.
type page struct {
	Programs map[string]Running `json:"programs"`
	text     []byte             // in the store
}

// Take takes over a key of the node's, if it is one: what is removed has no value.
func (f *Filed) Take(key string, value []byte) error {
	if _, _, ok := ParseStatusKey(key); ok {
		f.head = nil
		if value == nil {
			return nil
		}
		s, err := DecodeStatus(key, value)
		if err == nil {
			f.head = s
		}
		return err
	}
	_, _, number, ok := parsePageKey(key)
	if !ok {
		return nil
	}
	delete(f.pages, number)
	if value == nil {
		return nil
	}
	p := &page{text: value}
	if f.pages == nil {
		f.pages = map[int]*page{}
	}
	f.pages[number] = p // also one that is not understood, so that it is written anew
	if err := json.Unmarshal(value, p); err != nil {
		p.Programs = nil
		return fmt.Errorf("%s in the store: %w", key, err)
	}
	return nil
}

// Empty reports whether nothing is there.
func (f *Filed) Empty() bool { return f.head == nil && len(f.pages) == 0 }

// Status is the whole of it; nil where there is none.
func (f *Filed) Status() *Status {
	if f == nil || f.head == nil {
		return nil
	}
	s := *f.head
	if len(f.pages) > 0 {
		s.Programs = maps.Clone(s.Programs)
		if s.Programs == nil {
			s.Programs = map[string]Running{}
		}
		for _, p := range f.pages {
			maps.Copy(s.Programs, p.Programs)
		}
	}
	return &s
}

// Next is what is to be written so that another status is there: the head, and of the pages what
// changes. Texts are cut where there is too much of them.
func (f *Filed) Next(environment, node string, s *Status) []election.Op {
	head := *s
	pages := map[int]map[string]Running{}
	if !fitsHead(s) {
		head.Programs = nil
		pages = f.arrange(s.Programs)
	}
	ops := []election.Op{election.Put(StatusKey(environment, node), fitted(func(room int) any { return head.cut(room) }), 0)}
	for _, number := range slices.Sorted(maps.Keys(f.pages)) {
		if pages[number] == nil {
			ops = append(ops, election.Delete(election.Key(pageKey(environment, node, number))))
		}
	}
	for _, number := range slices.Sorted(maps.Keys(pages)) {
		text := fitted(func(room int) any { return &page{Programs: cutPrograms(pages[number], room)} })
		if was := f.pages[number]; was == nil || !bytes.Equal(was.text, text) {
			ops = append(ops, election.Put(pageKey(environment, node, number), text, 0))
		}
	}
	return ops
}

// fitsHead reports whether the head has room for what a node runs.
func fitsHead(s *Status) bool {
	return len(s.Programs) <= mostInHead && len(encode(s.cut(leastRoom))) <= MaxStatus
}

// arrange puts programs on pages: where they are, if there is room, or on the first page with
// room for what is new.
func (f *Filed) arrange(programs map[string]Running) map[int]map[string]Running {
	pages, sizes := map[int]map[string]Running{}, map[int]int{}
	put := func(number int, name string, most int) bool {
		r := programs[name]
		size := len(name) + len(encode(r.cut(leastRoom))) + len(`"":,`)
		if len(pages[number]) == mostInPage || sizes[number]+size > most && len(pages[number]) > 0 {
			return false
		}
		if pages[number] == nil {
			pages[number] = map[string]Running{}
		}
		pages[number][name] = r
		sizes[number] += size
		return true
	}
	places := map[string]int{}
	for number, p := range f.pages {
		for name := range p.Programs {
			places[name] = number
		}
	}
	var left []string
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		if number, known := places[name]; !known || !put(number, name, MaxStatus-len(`{"programs":{}}`)) {
			left = append(left, name)
		}
	}
	for _, name := range left {
		for number := 0; !put(number, name, roomInPage); number++ {
		}
	}
	return pages
}

// leastRoom is that for texts where there is too much of everything, in bytes.
const leastRoom = 5

// fitted is a value with as much of its texts as there is room for: those are cut and older losses
// of readiness left out; then references, as what is missing is told as trouble too; then all
// losses.
func fitted(cut func(room int) any) []byte {
	room := 2 * maxTrouble // which is enough for all
	text := encode(cut(room))
	for len(text) > MaxStatus && room > leastRoom {
		room = max(room/2, leastRoom)
		text = encode(cut(room))
	}
	return text
}

func pageKey(environment, node string, number int) string {
	return fmt.Sprintf("%s%03d", RunsKeys(environment, node), number)
}

func parsePageKey(key string) (environment, node string, number int, ok bool) {
	rest, ok := strings.CutPrefix(key, RunsPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", "", 0, false
	}
	number, err := strconv.Atoi(parts[2])
	return parts[0], parts[1], number, err == nil && number >= 0
}

// ParseNodeKey is which node's status a key of the store is of, or a part of it.
func ParseNodeKey(key string) (environment, node string, ok bool) {
	if environment, node, ok = ParseStatusKey(key); !ok {
		environment, node, _, ok = parsePageKey(key)
	}
	return environment, node, ok
}

// Statuses are those that keys of the store have, by environment and node.
func Statuses(entries []election.Entry) (map[[2]string]*Status, error) {
	filed := map[[2]string]*Filed{}
	for _, e := range entries {
		environment, node, ok := ParseNodeKey(e.Key)
		if !ok {
			continue
		}
		f := filed[[2]string{environment, node}]
		if f == nil {
			f = &Filed{}
			filed[[2]string{environment, node}] = f
		}
		if err := f.Take(e.Key, e.Value); err != nil {
			return nil, err
		}
	}
	all := map[[2]string]*Status{}
	for of, f := range filed {
		if s := f.Status(); s != nil {
			all[of] = s
		}
	}
	return all, nil
}
