//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Lab is the bridge, and the hosts on it. One goroutine may use it.
type Lab struct {
	origin netns.NsHandle
	bridge *netlink.Bridge
	hosts  []*Host
	thread chan func()
}

// A Host is a network namespace with one address.
type Host struct {
	Name string
	IP   netip.Addr

	lab   *Lab
	space netns.NsHandle
	net   *netlink.Handle
	near  netlink.Link // its end of the cable
	far   netlink.Link // the bridge's end
}

// New makes a lab of the network namespace that this process is in, which Enter has
// made for it alone.
func New() (*Lab, error) {
	l := &Lab{thread: make(chan func())}
	go func() {
		// Namespaces are the threads': this one goes to and fro, and never ends, as
		// processes that it starts would with it.
		runtime.LockOSThread()
		for f := range l.thread {
			f()
		}
	}()
	var err error
	if l.origin, err = netns.GetFromPath(current); err != nil {
		return nil, err
	}
	if err := up("lo"); err != nil {
		return nil, err
	}
	l.bridge = &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "lab", HardwareAddr: mac(1)}}
	if err := netlink.LinkAdd(l.bridge); err != nil {
		return nil, fmt.Errorf("the lab's bridge: %w", err)
	}
	if err := netlink.AddrAdd(l.bridge, address(1)); err != nil {
		return nil, fmt.Errorf("the lab's address: %w", err)
	}
	return l, up(l.bridge.Name)
}

// current is the network namespace of the thread that opens it. Names with a process's id
// would be wrong, as the lab's processes count them anew.
const current = "/proc/thread-self/ns/net"

func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("the link %s: %w", name, err)
	}
	return netlink.LinkSetUp(link)
}

// in runs f on the lab's thread, in a namespace.
func (l *Lab) in(space netns.NsHandle, f func() error) error {
	done := make(chan error)
	l.thread <- func() {
		err := netns.Set(space)
		if err == nil {
			err = f()
		}
		if back := netns.Set(l.origin); err == nil {
			err = back
		}
		done <- err
	}
	return <-done
}

// Addresses are 10.77.0.N. N is also in the hardware's, so that hosts need not ask for it.
func ip(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(n)}) }
func mac(n int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0, 0, 0, 0, byte(n)}
}
func address(n int) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: ip(n).AsSlice(), Mask: net.CIDRMask(24, 32)}}
}

// Host makes a host.
func (l *Lab) Host(name string) (*Host, error) {
	n := len(l.hosts) + 2
	h := &Host{Name: name, IP: ip(n), lab: l}
	err := l.in(l.origin, func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		h.space, err = netns.GetFromPath(current)
		return err
	})
	if err == nil {
		err = h.connect(n)
	}
	if err != nil {
		return nil, fmt.Errorf("the host %s: %w", name, err)
	}
	for _, other := range l.hosts {
		if err := errors.Join(h.know(other, mac(number(other.IP))), other.know(h, mac(n))); err != nil {
			return nil, fmt.Errorf("the hosts %s and %s: %w", name, other.Name, err)
		}
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

func number(a netip.Addr) int { return int(a.As4()[3]) }

// connect lays a cable from the host to the bridge.
func (h *Host) connect(n int) (err error) {
	if h.net, err = netlink.NewHandleAtFrom(h.space, h.lab.origin); err != nil {
		return err
	}
	far := fmt.Sprint("port", n)
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: far, MasterIndex: h.lab.bridge.Index},
		PeerName:  "eth0", PeerHardwareAddr: mac(n), PeerNamespace: netlink.NsFd(h.space),
	}
	if err := netlink.LinkAdd(cable); err != nil {
		return err
	}
	if h.far, err = netlink.LinkByName(far); err != nil {
		return err
	}
	if h.near, err = h.net.LinkByName("eth0"); err != nil {
		return err
	}
	lo, err := h.net.LinkByName("lo")
	if err != nil {
		return err
	}
	return errors.Join(h.net.AddrAdd(h.near, address(n)), h.net.LinkSetUp(lo), h.net.LinkSetUp(h.near), netlink.LinkSetUp(h.far))
}

// know tells a host the hardware address of another.
func (h *Host) know(other *Host, at net.HardwareAddr) error {
	return h.net.NeighSet(&netlink.Neigh{LinkIndex: h.near.Attrs().Index, State: netlink.NUD_PERMANENT, IP: other.IP.AsSlice(), HardwareAddr: at})
}

// Unplug cuts a host off from all others, both ways. Nothing tells it: what it sends is lost.
func (h *Host) Unplug() error { return netlink.LinkSetDown(h.far) }

// Plug ends an Unplug.
func (h *Host) Plug() error { return netlink.LinkSetUp(h.far) }

// Mute loses all that a host sends to another, and nothing that comes back: it sends to
// hardware that is not there.
func (h *Host) Mute(to *Host) error { return h.know(to, mac(0xff)) }

// Unmute ends a Mute.
func (h *Host) Unmute(to *Host) error { return h.know(to, mac(number(to.IP))) }
