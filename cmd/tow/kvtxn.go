//go:build !solo

// tow kv txn: several reads and writes as one step.

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvTxnCommand(u *ui) *cobra.Command {
	k := &kvAsk{ui: u}
	c := &cobra.Command{
		Use:   "txn FILE",
		Short: "Read and write several keys as one step",
		Long: `Run the transaction in FILE, "-" for standard input: if all comparisons of "if" hold,
the operations of "then", otherwise those of "else"; and print the answer as JSON. It
exits with 1 when "else" ran. FILE holds JSON, with values in base64:

  {
    "if": [{"key": "stock", "field": "FIELD_MODIFIED", "number": 118}],
    "then": [
      {"put": {"key": "stock", "value": "NDE="}},
      {"put": {"key": "orders/7", "value": "e30=", "ttlSeconds": 3600}},
      {"delete": {"key": "carts/7"}}
    ],
    "else": [{"get": {"key": "stock"}}]
  }

A comparison's field is FIELD_VALUE (with "value"), FIELD_CREATED, FIELD_MODIFIED or
FIELD_VERSION (with "number", 0 for an absent key); its relation is equal unless it is
RELATION_NOT_EQUAL, RELATION_LESS or RELATION_GREATER. The gets of a branch find what
was there before its writes.`,
		Example: "  tow kv txn order.json\n" +
			"  tow kv txn -n shop - < order.json",
		Args: exactly("a file"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := k.readTxn(args[0])
			if err != nil {
				return err
			}
			if r.Namespace == "" || c.Flags().Changed("namespace") {
				r.Namespace = k.namespace
			}
			var answer *towpathv1.TxnResponse
			err = k.write(c.Context(), func(ctx context.Context, api *client.Control) (err error) {
				answer, err = api.KV.Txn(ctx, r)
				return err
			})
			if err != nil {
				return err
			}
			if err := k.print(answer); err != nil {
				return err
			}
			if !answer.Succeeded {
				return errWrong
			}
			return nil
		},
	}
	k.writeFlags(c)
	return c
}

func (k *kvAsk) readTxn(file string) (*towpathv1.TxnRequest, error) {
	text, err := []byte(nil), error(nil)
	if file == "-" {
		file = "standard input"
		text, err = io.ReadAll(k.in)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	r := &towpathv1.TxnRequest{}
	if err := protojson.Unmarshal(text, r); err != nil {
		fault := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0") // which of the spaces is at random
		return nil, wrong{fmt.Errorf("%s is no transaction: %s; \"tow kv txn --help\" shows one", file, fault)}
	}
	return r, nil
}
