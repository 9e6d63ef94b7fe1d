// Command etcd is etcd of one release, for tests of what Towpath does for clusters that are not
// of its own.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
