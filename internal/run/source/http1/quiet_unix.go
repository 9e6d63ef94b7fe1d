//go:build unix

package http1

import (
	"net"
	"syscall"
)

// ear hears whether something has come on an idle connection: its end, or bytes
// that nobody asked for, which the next request would take for its answer.
type ear struct {
	raw  syscall.RawConn // nil where nobody can tell
	look func(fd uintptr) bool
	err  error
	one  [1]byte
}

func (e *ear) open(nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return // it is closed, as the first write will tell
	}
	e.raw = raw
	e.look = func(fd uintptr) bool { // sockets do not block here
		_, _, e.err = syscall.Recvfrom(int(fd), e.one[:], syscall.MSG_PEEK)
		return true
	}
}

// quiet reports whether nothing has come.
func (e *ear) quiet() bool {
	if e.raw == nil {
		return true
	}
	err := e.raw.Read(e.look)
	return err == nil && (e.err == syscall.EAGAIN || e.err == syscall.EWOULDBLOCK)
}
