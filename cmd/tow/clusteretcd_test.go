//go:build !solo

package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

// clusterPrograms are those that scripts of clusters have beside tow: etcd, as it is without
// Towpath.
var clusterPrograms = map[string]func(){"etcd": func() { etcdmain.Main(os.Args) }}
