package blob_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/testkit/s3"
)

func TestProbe(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	for _, store := range []blob.Store{
		blobtest.NewMemory(), folder(t, t.TempDir()), open(t, server.URL("bucket/probed")),
		blob.Retry(blobtest.Faulty(blobtest.NewMemory(), blobtest.Random(1, 0.2, 0.2)), hasty),
	} {
		if err := blob.Probe(t.Context(), store); err != nil {
			t.Errorf("%s: %v", store, err)
		}
		for info, err := range store.List(t.Context(), "", "") {
			t.Errorf("%s: the probe has left %s, %v", store, info.Name, err)
		}
	}
}

// bent is a store that does one thing wrong.
type bent struct {
	blob.Store
	create func(name string, data []byte) error
	get    func(name string) ([]byte, error)
	list   iter.Seq2[blob.Info, error]
	delete error
}

func (b *bent) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if b.create != nil {
		return b.create(name, data)
	}
	return b.Store.Create(ctx, name, data, class)
}

func (b *bent) Get(ctx context.Context, name string) ([]byte, error) {
	if b.get != nil {
		return b.get(name)
	}
	return b.Store.Get(ctx, name)
}

func (b *bent) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	if b.list != nil {
		return b.list
	}
	return b.Store.List(ctx, prefix, after)
}

func (b *bent) Delete(ctx context.Context, name string) error {
	if b.delete != nil {
		return b.delete
	}
	return b.Store.Delete(ctx, name)
}

func TestProbeFinds(t *testing.T) {
	fault := errors.New("not allowed")
	var memory blob.Store
	for _, test := range []struct {
		what string
		bent bent
		want string
	}{
		{"no right to write", bent{create: func(string, []byte) error { return fault }}, "nothing can be written: not allowed"},
		{"overwriting", bent{create: func(name string, data []byte) error {
			if err := memory.Delete(t.Context(), name); err != nil {
				return err
			}
			return memory.Create(t.Context(), name, data, blob.Standard)
		}}, "this store overwrites: "},
		{"a cache", bent{get: func(string) ([]byte, error) { return bytes.Repeat([]byte("x"), 26), nil }}, "what is read is not what was written: "},
		{"no right to list", bent{list: func(yield func(blob.Info, error) bool) { yield(blob.Info{}, fault) }}, "what is there cannot be listed: not allowed"},
		{"a list that is behind", bent{list: func(func(blob.Info, error) bool) {}}, "what was written is not listed: "},
		{"no right to delete", bent{delete: fault}, "what was written cannot be deleted, so that what is too old would stay: not allowed"},
	} {
		memory = blobtest.NewMemory()
		test.bent.Store = memory
		err := blob.Probe(t.Context(), &test.bent)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.what, err)
		}
		if test.bent.delete != nil {
			continue
		}
		for info, err := range memory.List(t.Context(), "", "") {
			t.Errorf("%s: the probe has left %s, %v", test.what, info.Name, err)
		}
	}
}
