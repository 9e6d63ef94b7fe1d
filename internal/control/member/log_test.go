package member

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// TestLog: what etcd logs has its level, its fields and no noise.
func TestLog(t *testing.T) {
	for verbose, want := range map[bool]string{
		false: "level=WARN msg=\"etcd: slow\" n=1\nlevel=ERROR msg=\"etcd: failed\" a=1 c=true error=why\n",
		true:  "level=INFO msg=\"etcd: started\"\nlevel=WARN msg=\"etcd: slow\" n=1\nlevel=ERROR msg=\"etcd: failed\" a=1 c=true error=why\n",
	} {
		var out bytes.Buffer
		handler := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		log := logger(slog.New(handler), verbose, new(life))
		log.Debug("never")
		log.Info("started")
		log.Warn(singlePort + ". This is not recommended for production.")
		log.Warn("slow", zap.Int("n", 1))
		log.With(zap.Int("a", 1)).Error("failed", zap.Bool("c", true), zap.Error(errors.New("why")))
		if out.String() != want {
			t.Errorf("verbose is %v: found\n%s\nexpected\n%s", verbose, &out, want)
		}
	}
}

// TestFatal: while etcd starts, what would end the process is a panic that says why.
func TestFatal(t *testing.T) {
	var now life
	now.starts.Store(true)
	log := logger(slog.New(slog.DiscardHandler), false, &now)
	for _, end := range []func(string, ...zap.Field){log.Fatal, log.Panic} {
		func() {
			defer func() {
				if f, ok := recover().(fatal); !ok || !strings.Contains(f.Error(), "no disk: full") {
					t.Errorf("found %v", f)
				}
			}()
			end("no disk", zap.Error(errors.New("full")))
			t.Error("it goes on")
		}()
	}
}
