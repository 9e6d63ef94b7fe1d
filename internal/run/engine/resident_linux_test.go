package engine_test

import (
	"syscall"
	"testing"
	"unsafe"

	"towpath.dev/internal/run/engine"
)

// TestResident holds an idle instance to 64 KiB of memory, after requests small
// and large.
func TestResident(t *testing.T) {
	p := load(t, secretView, engine.Options{})
	for _, input := range []string{`{"text":"x","n":1}`, `{"text":"x","n":1000}`, `{"text":"x","n":50000}`} {
		answer(t, p, "many", input)
		for _, mem := range engine.WholeIdleMemory(p) {
			pages := make([]byte, (len(mem)+4095)/4096)
			if _, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
				t.Skip("mincore: ", errno)
			}
			resident := 0
			for _, p := range pages {
				resident += int(p & 1)
			}
			if resident > 16 {
				t.Errorf("%s: %d KiB are resident", input, resident*4)
			}
		}
	}
}
