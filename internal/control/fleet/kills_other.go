//go:build !linux

package fleet

import "io/fs"

// fileNumber is not known here, where there are no cgroups.
func fileNumber(fs.FileInfo) uint64 { return 0 }
