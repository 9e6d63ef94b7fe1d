package access

import (
	"fmt"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/internal/label"
)

// A Role is what a principal may do. Each of the first three may what the one before
// may; nodes may other things.
type Role string

// The roles.
const (
	Reader   Role = "reader"   // sees everything but secrets
	Deployer Role = "deployer" // moreover changes what runs, keys and groups
	Admin    Role = "admin"    // moreover says who may do what
	Node     Role = "node"     // a responder: attaches, and reports its own status
	Control  Role = "control"  // a control node: has the CA's key and a member of the store
)

// proto has the roles as the API names them. To it, a control node is a node.
var proto = map[Role]towpathv1.Role{
	Reader: towpathv1.Role_ROLE_READER, Deployer: towpathv1.Role_ROLE_DEPLOYER, Admin: towpathv1.Role_ROLE_ADMIN,
	Node: towpathv1.Role_ROLE_NODE, Control: towpathv1.Role_ROLE_NODE,
}

// personRole is the role of a person or a program that the API names.
func personRole(r towpathv1.Role) (Role, error) {
	for _, role := range []Role{Reader, Deployer, Admin} {
		if proto[role] == r {
			return role, nil
		}
	}
	return "", invalid("%s is no role of a principal with a token: expected reader, deployer or admin; nodes get theirs by joining", r)
}

// nodeRole is the role of a node that joins.
func nodeRole(r towpathv1.NodeRole) (Role, error) {
	switch r {
	case towpathv1.NodeRole_NODE_ROLE_RESPONDER:
		return Node, nil
	case towpathv1.NodeRole_NODE_ROLE_CONTROL:
		return Control, nil
	}
	return "", invalid("%s is no role of a node: expected responder or control", r)
}

// A Principal is who asks.
type Principal struct {
	Name        string
	Role        Role
	Environment string    // that it is bound to; "" is all
	Expires     time.Time // zero is never
}

// Proto is the principal as the API names it.
func (p Principal) Proto() *towpathv1.Principal {
	out := &towpathv1.Principal{Name: p.Name, Role: proto[p.Role], Environment: p.Environment}
	if !p.Expires.IsZero() {
		out.Expires = p.Expires.Unix()
	}
	return out
}

// ReadPrincipal reads a person or a program as the API names it.
func ReadPrincipal(p *towpathv1.Principal) (Principal, error) {
	role, err := personRole(p.GetRole())
	if err != nil {
		return Principal{}, err
	}
	out := Principal{Name: p.GetName(), Role: role, Environment: p.GetEnvironment()}
	if p.GetExpires() != 0 {
		out.Expires = time.Unix(p.GetExpires(), 0)
	}
	return out, nil
}

// CheckName refuses what cannot name a principal, a node, an environment, a cell or a cluster.
func CheckName(what, name string) error {
	if !label.Valid(name) {
		return invalid("%q cannot name %s: expected %s", shorten(name), what, label.Expected)
	}
	return nil
}

// shorten is a text as an error quotes it.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func invalid(format string, args ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}
