//go:build !solo

// tow backup verify: restored and compared.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/backup"
)

// backupVerify is one tow backup verify.
type backupVerify struct {
	*ui
	at      backupAt
	etcd    etcdFlags
	scratch string
	points  int
	json    bool
}

func backupVerifyCommand(u *ui) *cobra.Command {
	v := &backupVerify{ui: u}
	c := &cobra.Command{
		Use:   "verify",
		Short: "Restore what was kept, and compare it",
		Long: `Restore every base of a cluster's backup in a scratch folder, what the log leads to, the
revisions that earlier verifications proved, and the last one, and compare them: with
each other, with what was proved, and if the cluster is named, with its own HashKV.

"tow backup run" does as much every day with what is new.`,
		Example: "  tow backup verify --store s3://backups/etcd --cluster prod\n" +
			"  tow backup verify --store s3://backups/etcd --cluster prod --endpoints https://etcd-1:2379 --points -1",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return v.run(c.Context()) },
	}
	v.at.flags(c)
	v.at.identityFlag(c)
	f := c.Flags()
	f.StringVar(&v.scratch, "scratch", "", "restore in the folder `DIR` (default: the system's for temporary files)")
	f.IntVar(&v.points, "points", 3, "restore `N` of the revisions that were proved earlier; -1 is all")
	f.BoolVar(&v.json, "json", false, "print JSON, a line for each finding")
	v.etcd.flags(c)
	return c
}

var errNotVerified = errors.New("not all of the backup is what it should be")

func (v *backupVerify) run(ctx context.Context) error {
	if err := v.at.named(); err != nil {
		return err
	}
	o := backup.VerifyOptions{Cluster: v.at.cluster, Scratch: v.scratch, Points: v.points}
	var err error
	if o.Identities, err = readIdentities(v.at.identities); err != nil {
		return err
	}
	if o.Store, err = v.at.open(v.ui); err != nil {
		return err
	}
	if v.etcd.endpoints != "" || v.etcd.data != "" {
		client, err := v.etcd.open(ctx)
		if err != nil {
			return err
		}
		defer closed(client)
		o.Client = client
	}
	wrong := 0
	err = backup.Verify(ctx, o, func(f backup.Finding) {
		if f.Err != nil {
			wrong++
		}
		v.show(f)
	})
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%w: %s", errNotVerified, count(wrong, "finding"))
	}
	return err
}

func (v *backupVerify) show(f backup.Finding) {
	if v.json {
		text, _ := json.Marshal(f) // strings alone
		fmt.Fprintf(v.out, "%s\n", text)
		return
	}
	mark, style := "ok  ", green
	if f.Err != nil {
		mark, style = "BAD ", red
	}
	if v.unicode {
		mark = map[bool]string{true: "✓ ", false: "✗ "}[f.Err == nil]
	}
	fmt.Fprintf(v.out, "%s%s\n", paint(v.outColor, style, mark), f.What)
	if f.Err != nil {
		fmt.Fprintf(v.out, "    %s\n", f.Wrong)
	}
}
