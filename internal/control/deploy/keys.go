package deploy

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"towpath.dev/internal/control/fleet"
)

// Where deployments are in the store.
const (
	Prefix       = fleet.Prefix      // with the fleet's own, so that one watch tells all in order
	planPrefix   = Prefix + "plan/"  // ID
	statePrefix  = Prefix + "state/" // ID
	headPrefix   = Prefix + "head/"  // ENVIRONMENT/PROGRAM
	askPrefix    = Prefix + "ask/"   // ID/KIND
	EventPrefix  = Prefix + "event/" // ID/SEQ, or ID/node/NODE/SEQ
	freezeKey    = Prefix + "freeze"
	MaxPlan      = 256 << 10 // bytes
	MaxState     = 64 << 10
	maxQueue     = 20 // deployments that wait for one program
	keptRequests = 16 // whose answers are known when they come again
)

func planKey(id string) string                   { return planPrefix + id }
func stateKey(id string) string                  { return statePrefix + id }
func headKey(environment, program string) string { return headPrefix + environment + "/" + program }
func askKey(id string, kind AskKind) string      { return askPrefix + id + "/" + string(kind) }
func eventKey(id string, seq int64) string       { return fmt.Sprintf("%s%s/%012d", EventPrefix, id, seq) }
func idOf(program, environment string, n int64) string {
	return program + "." + environment + "." + strconv.FormatInt(n, 10)
}

// NodeEventKey is where an event is that a node's status tells of.
func NodeEventKey(id, node string, seq int64) string {
	return fmt.Sprintf("%s%s/node/%s/%012d", EventPrefix, id, node, seq)
}

// ParseID is what the name of a deployment says: PROGRAM.ENVIRONMENT.NUMBER.
func ParseID(id string) (program, environment string, n int64, err error) {
	first, last := strings.Index(id, "."), strings.LastIndex(id, ".")
	if first > 0 && last > first+1 {
		if n, err = strconv.ParseInt(id[last+1:], 10, 64); err == nil && n > 0 {
			return id[:first], id[first+1 : last], n, nil
		}
	}
	return "", "", 0, fmt.Errorf("%.80q is no deployment: expected PROGRAM.ENVIRONMENT.NUMBER, such as shop.prod.17; \"tow deploy list\" shows which there are", id)
}

// partitions are what the work of controllers is divided into.
const partitionCount = 8

// Partitions are their names.
func Partitions() []string {
	all := make([]string, partitionCount)
	for i := range all {
		all[i] = fmt.Sprintf("p%d", i)
	}
	return all
}

// partitionOf is the partition of a program's deployments.
func partitionOf(environment, program string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(environment + "/" + program))
	return fmt.Sprintf("p%d", h.Sum32()%partitionCount)
}

// encode is a value of this package's own types, which all can be encoded.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func decode[T any](key string, value []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(value, v); err != nil {
		return nil, fmt.Errorf("%s in the store: %w", key, err)
	}
	return v, nil
}
