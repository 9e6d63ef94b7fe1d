package blob_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/s3"
)

func TestOpen(t *testing.T) {
	s3.ClearEnvironment(t)
	dir := t.TempDir()
	for _, test := range []struct{ url, want string }{
		{dir, dir},
		{"file://" + dir, dir},
		{"file://localhost" + dir, dir},
		{"s3://bucket", "s3://bucket"},
		{"s3://bucket/", "s3://bucket"},
		{"s3://bucket/Backups/etcd_1.x/?region=eu-central-1", "s3://bucket/Backups/etcd_1.x"},
		{"S3://bucket/a?infrequent=&path-style=true", "s3://bucket/a"},
		{"s3://bucket/a?endpoint=http://127.0.0.1:9000&region=x", "s3://bucket/a?endpoint=http://127.0.0.1:9000"},
		{"s3://bucket?endpoint=https://minio.example.com:443/", "s3://bucket?endpoint=https://minio.example.com"},
		{"gs://bucket/a", "gs://bucket/a"},
		{"gs://under_score", "gs://under_score"},
	} {
		store, err := blob.Open(test.url, blob.Options{})
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
		} else if store.String() != test.want {
			t.Errorf("%s is %s; expected %s", test.url, store, test.want)
		}
	}
}

// TestOpenRefuses has the whole of each message, to be read.
func TestOpenRefuses(t *testing.T) {
	s3.ClearEnvironment(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ url, want string }{
		{"", "no store is named: expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, file:///PATH or a path"},
		{dir + "/none", "there is no folder " + dir + "/none to keep objects in: make it, or mount the disk that it is on"},
		{file, file + " is a file: expected a folder to keep objects in"},
		{"file://var/backups", `the store's URL file://var/backups: expected three slashes and a path, as in file:///var/backups, but "var" is where a machine's name would be`},
		{"file://" + dir + "?region=x", "the store's URL file://" + dir + ": region= is there: expected nothing behind the path of a folder"},
		{"azure://container", "there is no store of the kind azure://: expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, file:///PATH or a path"},
		{"s3://", "the store's URL s3://: there is no bucket: expected s3://BUCKET/PREFIX"},
		{"s3:///prefix", "the store's URL s3:///prefix: there is no bucket: expected s3://BUCKET/PREFIX"},
		{"s3://Bucket", `the store's URL s3://Bucket: the bucket "Bucket": expected 3 to 63 lower-case letters, digits, '-', '.' and '_'; an address and its port go into endpoint=`},
		{"s3://127.0.0.1:9000/bucket", `the store's URL s3://127.0.0.1:9000/bucket: the bucket "127.0.0.1:9000": expected 3 to 63 lower-case letters, digits, '-', '.' and '_'; an address and its port go into endpoint=`},
		{"s3://bucket/a//b", `the store's URL s3://bucket/a//b: the prefix "a//b": expected 255 letters, digits, '.', '_' and '-' at most, with slashes between, and a letter or a digit at the beginning of each part`},
		{"s3://bucket/a b", `the store's URL s3://bucket/a b: the prefix "a b": expected 255 letters, digits, '.', '_' and '-' at most, with slashes between, and a letter or a digit at the beginning of each part`},
		{"s3://bucket#x", "the store's URL s3://bucket: there is a #: expected none"},
		{"s3://bucket?regoin=x", "the store's URL s3://bucket: there is no regoin=; did you mean region=? There is endpoint=, region=, infrequent=, path-style="},
		{"s3://bucket?pathStyle=true", "the store's URL s3://bucket: there is no pathStyle=; did you mean path-style=? There is endpoint=, region=, infrequent=, path-style="},
		{"s3://bucket?acl=public", "the store's URL s3://bucket: there is no acl=. There is endpoint=, region=, infrequent=, path-style="},
		{"s3://bucket?region=a&region=b", "the store's URL s3://bucket: region= is there 2 times: expected it once"},
		{"s3://bucket?region=Frankfurt", `the store's URL s3://bucket: the region "Frankfurt": expected one such as eu-central-1`},
		{"s3://bucket?path-style=perhaps", `the store's URL s3://bucket: path-style=perhaps: expected true or false`},
		{"s3://bucket?endpoint=minio:9000", "the store's URL s3://bucket: the endpoint: expected http://HOST:PORT or https://HOST:PORT, without credentials and without a path; the bucket goes between s3:// and the prefix"},
		{"s3://bucket?%zz", "the store's URL s3://bucket: what is behind the question mark cannot be read: expected NAME=VALUE&NAME=VALUE"},
		{"gs://bucket?region=x", "the store's URL gs://bucket: there is no region=. There is endpoint=, infrequent="},
	} {
		_, err := blob.Open(test.url, blob.Options{})
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\n found    %v\n expected %s", test.url, err, test.want)
		}
		if !errors.Is(err, blob.ErrRefused) {
			t.Errorf("%s: is not ErrRefused", test.url)
		}
	}
}

// TestOpenKeepsSecrets has secrets in all places that people put them in.
func TestOpenKeepsSecrets(t *testing.T) {
	s3.ClearEnvironment(t)
	const secret = "hunter2/Wq+9"
	for _, url := range []string{
		"s3://AKIA:" + secret + "@bucket/prefix",
		"s3://AKIA:hunter2@bucket/prefix",
		"s3://AKIA:hunter2",
		"s3://bucket?secret-key=" + secret,
		"s3://bucket?AWS_SECRET_ACCESS_KEY=" + secret,
		"s3://bucket?access-key=hunter2",
		"s3://bucket?session-token=hunter2",
		"s3://bucket?endpoint=http://AKIA:hunter2@127.0.0.1:9000",
		"s3://bucket?endpoint=http://127.0.0.1:9000?key=hunter2",
		"s3://bucket?endpoint=127.0.0.1%00hunter2",
		"s3://bucket#hunter2",
		"s3://bucket?region=a;hunter2",
		"gs://GOOG:hunter2@bucket",
		"file://user:hunter2@host/path",
	} {
		_, err := blob.Open(url, blob.Options{})
		if err == nil {
			t.Errorf("%s: opened", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: repeats the secret: %v", url, err)
		}
	}
	for _, url := range []string{"s3://AKIA:hunter2@bucket", "s3://bucket?secret-key=hunter2"} {
		if _, err := blob.Open(url, blob.Options{}); !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
			t.Errorf("%s: says nothing of where the secret goes: %v", url, err)
		}
	}
}
