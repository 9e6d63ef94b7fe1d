// What requests may hold.

package kv

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"towpath.dev/api/towpathv1"
)

// The limits, which docs/kv.md tells users.
const (
	maxKey        = 1 << 10   // bytes
	maxValue      = 512 << 10 // bytes
	maxTxn        = 1 << 20   // bytes of a transaction's request
	maxOps        = 100       // comparisons and operations of a transaction
	maxTTL        = 365 * 24 * 60 * 60
	maxNamespaces = 1000
	maxList       = 1000    // entries of a page
	maxListBytes  = 4 << 20 // and bytes, or one entry
	standardList  = 100
	maxRepeatKey  = 128     // bytes of an Idempotency-Key
	maxRepeats    = 100_000 // Idempotency-Keys of a caller in a day
	maxAnswer     = 256 << 10
)

// DefaultNamespace is there from the beginning and stays.
const DefaultNamespace = "default"

func invalid(field, limit, found, next string) error {
	return refuse(connect.CodeInvalidArgument, "%s: expected %s, found %s; %s", field, limit, found, next)
}

// checkNamespace checks a namespace's name, and puts the default's where it is empty.
func checkNamespace(field string, name *string) error {
	if *name == "" {
		*name = DefaultNamespace
	}
	n := *name
	ok := len(n) <= 63 && n[0] != '-' && n[len(n)-1] != '-'
	for _, c := range []byte(n) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return invalid(field, "a DNS label (1 to 63 of a-z, 0-9 and -, not - at an end)", short(n), "name it so")
	}
	return nil
}

func checkKey(field, key string) error {
	if key == "" {
		return invalid(field, "1 to 1024 bytes", "none", "name a key")
	}
	return checkPrefix(field, key)
}

func checkPrefix(field, key string) error {
	switch {
	case len(key) > maxKey:
		return invalid(field, fmt.Sprintf("at most %d bytes", maxKey), fmt.Sprintf("%d, %s", len(key), short(key)), "shorten it, or put a part of it into the value")
	case !utf8.ValidString(key):
		return invalid(field, "UTF-8", short(key), "encode it, for example in base64")
	case strings.ContainsFunc(key, unicode.IsControl):
		return invalid(field, "no control characters", short(key), "leave them out, or encode the key")
	}
	return nil
}

func checkValue(field string, value []byte) error {
	if len(value) > maxValue {
		return invalid(field, fmt.Sprintf("at most %d bytes", maxValue), fmt.Sprint(len(value)), "keep large values elsewhere, and their address here")
	}
	return nil
}

func checkTTL(field string, ttl int64) error {
	if ttl < 0 || ttl > maxTTL {
		return invalid(field, fmt.Sprintf("1 to %d seconds, or 0 for ever", int64(maxTTL)), fmt.Sprint(ttl), "choose one of these")
	}
	return nil
}

func checkRevision(field string, revision int64) error {
	if revision < 0 {
		return invalid(field, "a revision that a response had, or 0", fmt.Sprint(revision), "name one")
	}
	return nil
}

func checkTxn(r *towpathv1.TxnRequest) error {
	if err := checkNamespace("namespace", &r.Namespace); err != nil {
		return err
	}
	if n := len(r.If) + len(r.Then) + len(r.Else); n > maxOps {
		return invalid("if, then and else", fmt.Sprintf("at most %d comparisons and operations together", maxOps), fmt.Sprint(n), "split the transaction")
	}
	if n := proto.Size(r); n > maxTxn {
		return invalid("the transaction", fmt.Sprintf("at most %d bytes", maxTxn), fmt.Sprint(n), "split it, or keep large values elsewhere")
	}
	for i, c := range r.If {
		if err := checkComparison(fmt.Sprintf("if[%d]", i), c); err != nil {
			return err
		}
	}
	if err := checkBranch("then", r.Then); err != nil {
		return err
	}
	return checkBranch("else", r.Else)
}

func checkComparison(field string, c *towpathv1.Comparison) error {
	if err := checkKey(field+".key", c.GetKey()); err != nil {
		return err
	}
	if _, ok := towpathv1.Comparison_Field_name[int32(c.Field)]; !ok || c.Field == towpathv1.Comparison_FIELD_UNSPECIFIED {
		return invalid(field+".field", "FIELD_VALUE, FIELD_CREATED, FIELD_MODIFIED or FIELD_VERSION", c.Field.String(), "say what is compared")
	}
	if _, ok := towpathv1.Comparison_Relation_name[int32(c.Relation)]; !ok {
		return invalid(field+".relation", "RELATION_NOT_EQUAL, RELATION_LESS, RELATION_GREATER, or none for equal", c.Relation.String(), "choose one of these")
	}
	if c.Field == towpathv1.Comparison_FIELD_VALUE && c.Number != 0 {
		return invalid(field+".number", "none with FIELD_VALUE", fmt.Sprint(c.Number), "use value")
	}
	if c.Field != towpathv1.Comparison_FIELD_VALUE && len(c.Value) > 0 {
		return invalid(field+".value", "none without FIELD_VALUE", fmt.Sprintf("%d bytes", len(c.Value)), "use number")
	}
	return checkValue(field+".value", c.Value)
}

// checkBranch checks the operations of one branch. A key is written once at most: the
// store knows one value of a key at one revision.
func checkBranch(branch string, ops []*towpathv1.Operation) error {
	writes := map[string]int{}
	for i, op := range ops {
		field := fmt.Sprintf("%s[%d]", branch, i)
		key, write := "", true
		var err error
		switch o := op.GetOperation().(type) {
		case *towpathv1.Operation_Put_:
			key, field = o.Put.GetKey(), field+".put"
			if err = checkValue(field+".value", o.Put.GetValue()); err == nil {
				err = checkTTL(field+".ttl_seconds", o.Put.GetTtlSeconds())
			}
		case *towpathv1.Operation_Delete_:
			key, field = o.Delete.GetKey(), field+".delete"
		case *towpathv1.Operation_Get_:
			key, field, write = o.Get.GetKey(), field+".get", false
		default:
			err = invalid(field, "put, delete or get", "none of them", "say what is to be done")
		}
		if err == nil {
			err = checkKey(field+".key", key)
		}
		if err != nil {
			return err
		}
		if first, twice := writes[key]; write && twice {
			return invalid(field+".key", "each key written once at most", fmt.Sprintf("%s written by %s[%d] too", short(key), branch, first), "leave one out")
		}
		if write {
			writes[key] = i
		}
	}
	return nil
}

// short quotes what was found, so that a message stays readable.
func short(text string) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
