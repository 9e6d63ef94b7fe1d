//go:build !solo

// tow kv: keys and values of the control plane.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"towpath.dev/client"
)

func kvCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "kv",
		Short: "Read, write and watch keys of the control plane",
		Long: `Keys and values that the control plane keeps: strongly consistent, with TTLs,
compare-and-swap, transactions and watches. Keys live in namespaces, which have
quotas; without -n it is the namespace "default".

docs/kv.md says what can be relied on, and the limits.`,
		Example: "  tow kv put flags/new-checkout on\n" +
			"  tow kv get flags/new-checkout\n" +
			"  tow kv watch flags/ --prefix",
	}
	c.AddCommand(kvGetCommand(u), kvPutCommand(u), kvCASCommand(u), kvDelCommand(u), kvListCommand(u), kvWatchCommand(u), kvTxnCommand(u), kvNSCommand(u))
	return c
}

// kvAsk is one tow kv.
type kvAsk struct {
	*ui
	at        controlAt
	namespace string
	json      bool
	repeat    string
}

// flags adds the flags that all of them have.
func (k *kvAsk) flags(c *cobra.Command) {
	c.Flags().StringVarP(&k.namespace, "namespace", "n", "default", "keys of the namespace `NAME`")
	k.plainFlags(c)
}

// plainFlags are those without the namespace.
func (k *kvAsk) plainFlags(c *cobra.Command) {
	c.Flags().BoolVar(&k.json, "json", false, "print JSON, as the API has it: values in base64")
	k.at.flags(c)
}

// writeFlags adds the flags of writes.
func (k *kvAsk) writeFlags(c *cobra.Command) {
	k.flags(c)
	c.Flags().StringVar(&k.repeat, "idempotency-key", "", "send it under this `KEY`: sent again within a day, it is not done again")
}

// write has a write asked, under its Idempotency-Key.
func (k *kvAsk) write(ctx context.Context, with func(context.Context, *client.Control) error) error {
	return k.at.ask(ctx, func(ctx context.Context, api *client.Control) error {
		if k.repeat != "" {
			var call connect.CallInfo
			ctx, call = connect.NewClientContext(ctx)
			call.RequestHeader().Set("Idempotency-Key", k.repeat)
		}
		return with(ctx, api)
	})
}

// value is what an argument says: "-" is what is read from standard input.
func (k *kvAsk) value(argument string) ([]byte, error) {
	if argument != "-" {
		return []byte(argument), nil
	}
	value, err := io.ReadAll(io.LimitReader(k.in, 1<<20)) // more than a value may have: the API says how many
	if err != nil {
		return nil, fmt.Errorf("the value, from standard input: %w", err)
	}
	return value, nil
}

// wrote prints what a write answered: its revision, or JSON.
func (k *kvAsk) wrote(response proto.Message, revision int64) error {
	if k.json {
		return k.print(response)
	}
	_, err := fmt.Fprintln(k.out, revision)
	return err
}

// print prints a message as one line of JSON.
func (k *kvAsk) print(m proto.Message) error {
	text, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil { // protojson puts spaces at random
		return err
	}
	line.WriteByte('\n')
	_, err = k.out.Write(line.Bytes())
	return err
}

// wholeSeconds is a TTL in seconds; 0 is for ever.
func wholeSeconds(ttl time.Duration) (int64, error) {
	if ttl < 0 || ttl%time.Second != 0 {
		return 0, usage{fmt.Errorf("--ttl %s: expected whole seconds, as in 90s or 12h", ttl), ""}
	}
	return int64(ttl / time.Second), nil
}

// valueLine is a value on one line, as it is where that leaves no doubt.
func valueLine(value []byte) string {
	text := string(value)
	quoted := fmt.Sprintf("%q", text)
	if text != "" && quoted[1:len(quoted)-1] == text && !strings.HasPrefix(text, " ") && !strings.HasSuffix(text, " ") {
		return text
	}
	return quoted
}
