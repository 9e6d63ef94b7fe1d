//go:build !solo

// The file that says what is backed up where: of tow backup run --config, and of
// tow serve --backup.

package main

import (
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/settings"
)

// A backupConfig is such a file.
type backupConfig struct {
	options  backup.Options // what all clusters have in common
	metrics  string
	shared   string // the shared uploader's name, "" for one each
	clusters []backupCluster
}

// A backupCluster is a cluster in the file.
type backupCluster struct {
	name string
	etcd etcdFlags
}

// readBackupConfig reads a file such as
//
//	store      = "s3://backups/etcd?region=eu-central-1"
//	every      = "1m"
//	keep       = "any minute for 2 days, hours for 2 weeks, days for 3 months"
//	recipients = ["age1…"]                    # who can read it
//	identities = ["/etc/towpath/verifier.key"] # which merges and verifies it
//
//	[cluster.prod]
//	endpoints = ["https://etcd-1:2379"]
//	cacert    = "ca.pem"
func readBackupConfig(path string) (*backupConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := settings.Parse(path, text)
	root := f.Root
	c := &backupConfig{metrics: root.Text("metrics", ""), shared: root.Text("shared", "")}
	o := &c.options
	o.Every = root.Duration("every", time.Minute)
	if o.Every < time.Second {
		root.Errorf("every", "expected a second at least, found %s", o.Every)
	}
	if o.Keep, err = catalog.Parse(root.Text("keep", backup.DefaultKeep)); err != nil {
		root.Errorf("keep", "%v", err)
	}
	o.Scratch = root.Text("scratch", "")
	if o.Recipients, err = readRecipients("recipients", root.Texts("recipients")); err != nil {
		root.Errorf("recipients", "%v", err)
	}
	if o.Dropped, err = readRecipients("dropped", root.Texts("dropped")); err != nil {
		root.Errorf("dropped", "%v", err)
	}
	if o.Identities, err = readIdentities(root.Texts("identities")); err != nil {
		root.Errorf("identities", "%v", err)
	}
	o.Plain = root.Bool("plain", false)
	if url := root.Required("store"); url != "" {
		if o.Store, err = blob.Open(url, blob.Options{}); err != nil {
			root.Errorf("store", "%v", err)
		}
	}
	c.readClusters(root)
	root.Done()
	return c, f.Err()
}

func (c *backupConfig) readClusters(root *settings.Table) {
	all := root.Table("cluster")
	if all == nil {
		root.Errorf("", "it names no cluster: expected a table [cluster.NAME] of each")
		return
	}
	for _, name := range all.Keys() {
		if err := backup.CheckCluster(name); err != nil {
			all.Errorf(name, "%v", err)
		}
		t := all.Table(name)
		if t == nil {
			continue
		}
		e := etcdFlags{
			ca: t.Text("cacert", ""), cert: t.Text("cert", ""), key: t.Text("key", ""),
			user: t.Text("user", ""), passwordFile: t.Text("password-file", ""), data: t.Text("data", ""),
		}
		for i, endpoint := range t.Texts("endpoints") {
			if i > 0 {
				e.endpoints += ","
			}
			e.endpoints += endpoint
		}
		t.Done()
		c.clusters = append(c.clusters, backupCluster{name, e})
	}
	if len(c.clusters) > 1 && c.shared == "" {
		root.Errorf("shared", "%d clusters are kept by one uploader, whose minutes are one request: name it, as shared = \"fleet\"", len(c.clusters))
	}
}

// one is the only cluster of a file that has to have one.
func (c *backupConfig) one(path string) (backupCluster, error) {
	if len(c.clusters) != 1 {
		return backupCluster{}, fmt.Errorf("%s: expected one cluster, this node's own, found %d", path, len(c.clusters))
	}
	return c.clusters[0], nil
}
