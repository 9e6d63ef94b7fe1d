package backup

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// A place is where one generation of a cluster has its objects.
type place struct {
	cluster    string
	generation uint64
}

func (p place) root() string { return fmt.Sprintf("%s/%06d/", p.cluster, p.generation) }

// identity says which cluster of etcd a place is of.
func (p place) identity(store blob.Store) record {
	return record{store, p.root() + "cluster", p.root() + "copy/cluster"}
}

// A log object's name is the revision that it starts at, in the folder of its level.
func (p place) log(level catalog.Level, start int64) string {
	return p.level(level) + fmt.Sprintf("%020d", start)
}
func (p place) level(level catalog.Level) string { return p.root() + "log/" + level.String() + "/" }

// Dictionaries stand among the log, so that who lists that has them too.
func (p place) dictionary(name string) string { return p.root() + "log/" + dictionaries + "/" + name }

const dictionaries = "dictionary"

// aside is where what is damaged is kept when something else takes its name.
func (p place) aside(name string, object []byte) string {
	return p.root() + "damaged/" + strings.ReplaceAll(strings.TrimPrefix(name, p.root()), "/", ".") + fmt.Sprintf(".%x", sha256.Sum256(object))[:17]
}

// A base has a folder, whose name begins with its revision. Others of the same revision may
// be other bases, as users, roles and recipients change without: so there is something behind it.
// Older bases have the revision alone.
func (p place) bases() string                   { return p.root() + "base/" }
func (p place) base(folder string) string       { return p.bases() + folder + "/" }
func (p place) manifest(folder string) string   { return p.base(folder) + "manifest" }
func (p place) chunk(folder, sum string) string { return p.base(folder) + sum }

func newFolder(revision int64) string {
	return fmt.Sprintf("%020d-%s", revision, strings.ToLower(rand.Text()[:12]))
}

// manifestOf is the folder of a base's object, "" if the object is of no base, and whether it is
// the manifest.
func (p place) manifestOf(name string) (folder string, isManifest bool) {
	folder, rest, _ := strings.Cut(strings.TrimPrefix(name, p.bases()), "/")
	if _, err := folderRevision(folder); err != nil {
		return "", false
	}
	return folder, rest == "manifest"
}

// folderRevision is the revision of a base's folder.
func folderRevision(folder string) (int64, error) {
	digits, _, _ := strings.Cut(folder, "-")
	return number(digits, "")
}

// The generations of a cluster are outside them.
func claimsOf(cluster string) string      { return cluster + "/generation/" }
func claimCopiesOf(cluster string) string { return claimsOf(cluster) + "copy/" }
func marksOf(cluster string) string       { return cluster + "/mark/" }

// number reads the revision that a name ends with.
func number(name, prefix string) (int64, error) {
	text := strings.TrimPrefix(name, prefix)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) != 20 {
		return 0, fmt.Errorf("the object %s: expected a revision of 20 digits behind %s", name, prefix)
	}
	return n, nil
}

func (p place) restores() string { return p.root() + "restore/" }
func (p place) proofs() string   { return p.root() + "verified/" }
func (p place) stamps() string   { return p.root() + "time/" }

// Packs of an uploader that several clusters share are outside them too, numbered one after
// the other. That a generation has some is said by an object of the uploader's name.
func (p place) shares() string                 { return p.root() + "shared/" }
func packsOf(uploader string) string           { return sharedRoot + uploader + "/" }
func packName(uploader string, n int64) string { return packsOf(uploader) + fmt.Sprintf("%020d", n) }

// sharedRoot is where packs are; no cluster may have its name.
const sharedRoot = "shared/"

// isMinute says whether an object was uploaded as it is, to be merged soon.
func isMinute(name string) bool {
	return strings.HasPrefix(name, sharedRoot) || strings.Contains(name, "/log/"+catalog.Minute.String()+"/")
}
