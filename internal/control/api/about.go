package api

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
)

// standardNamespace is the namespace of who names none.
const standardNamespace = "default"

// Requests that name a namespace or a group are of its environment.
type inNamespace interface{ GetNamespace() string }
type inGroup interface{ GetGroup() string }

// Requests that name an environment, or a deployment, are of it.
type inEnvironment interface {
	GetEnvironment() string
	GetProgram() string
}
type ofDeployment interface {
	GetId() string
	ProtoReflect() protoreflect.Message
}

// aboutDeployment is of the environment that the name of a deployment has in it.
func aboutDeployment(m ofDeployment) about {
	if !strings.Contains(string(m.ProtoReflect().Descriptor().Name()), "Deployment") {
		return about{}
	}
	_, environment, _, _ := deploy.ParseID(m.GetId())
	return about{subject: access.Subject("deployment", m.GetId()), environment: environment, named: true}
}

// aboutOf says what a request is about, for the audit log and for who is bound to an
// environment. It names keys and never values.
func aboutOf(message any) about {
	switch m := message.(type) {
	case *v1.JoinRequest:
		id := ""
		if t, err := access.ParseJoinToken(m.GetToken()); err == nil {
			id = t.ID
		}
		return about{subject: access.Subject("node", m.GetName(), "token", id)}
	case *v1.CreateJoinTokenRequest:
		return about{subject: access.Subject("environment", m.GetEnvironment()), environment: m.GetEnvironment(), named: true}
	case *v1.RevokeJoinTokenRequest:
		return about{subject: access.Subject("token", m.GetId())}
	case *v1.GetFleetRequest:
		return about{subject: access.Subject("environment", m.GetEnvironment()), environment: m.GetEnvironment(), named: true}
	case *v1.RemoveProgramRequest:
		return about{subject: access.Subject("program", m.GetProgram(), m.GetEnvironment()), environment: m.GetEnvironment(), named: true}
	case *v1.ForgetNodeRequest:
		return about{subject: access.Subject("node", m.GetEnvironment(), m.GetNode()), environment: m.GetEnvironment(), named: true}
	case *v1.CreatePrincipalRequest:
		p := m.GetPrincipal()
		return about{subject: access.Subject("principal", p.GetName(), p.GetRole().String()), environment: p.GetEnvironment(), named: true}
	case *v1.RevokePrincipalRequest:
		return about{subject: access.Subject("principal", m.GetName())}
	case *v1.CreateDeploymentRequest:
		return about{subject: access.Subject("program", m.GetProgram(), m.GetEnvironment(), m.GetRelease()), environment: m.GetEnvironment(), named: true}
	case *v1.SetFreezeRequest:
		f := m.GetFreeze()
		return about{subject: access.Subject("freeze", f.GetEnvironment(), f.GetProgram()), environment: f.GetEnvironment(), named: true}
	case *v1.LiftFreezeRequest:
		return about{subject: access.Subject("freeze", m.GetEnvironment(), m.GetProgram()), environment: m.GetEnvironment(), named: true}
	case *v1.PutObjectRequest:
		return about{subject: access.Subject(m.GetKind(), m.GetDigest())}
	case *v1.GetPolicyRequest:
		return about{environment: m.GetEnvironment(), named: m.GetEnvironment() != ""}
	case inEnvironment:
		return about{subject: access.Subject("environment", m.GetEnvironment()), environment: m.GetEnvironment(), named: true}
	case ofDeployment:
		return aboutDeployment(m)
	case *v1.AttachRequest:
		return about{subject: access.Subject("version", m.GetVersion(), m.GetAddress())}
	case *v1.SetNamespaceRequest:
		return ofNamespace(m.GetName())
	case *v1.DeleteNamespaceRequest:
		return ofNamespace(m.GetName())
	case *v1.GetRequest:
		return ofNamespace(m.GetNamespace(), m.GetKey())
	case *v1.PutRequest:
		return ofNamespace(m.GetNamespace(), m.GetKey())
	case *v1.DeleteRequest:
		return ofNamespace(m.GetNamespace(), m.GetKey())
	case *v1.WatchRequest:
		return ofNamespace(m.GetNamespace(), m.GetKey())
	case *v1.ListRequest:
		return ofNamespace(m.GetNamespace(), m.GetPrefix())
	case *v1.TxnRequest:
		return ofNamespace(m.GetNamespace(), txnKeys(m)...)
	case *v1.ResignRequest:
		return ofGroup(m.GetGroup(), "seat", m.GetSeat())
	case *v1.MoveRequest:
		return ofGroup(m.GetGroup(), "seat", m.GetSeat(), "to", m.GetTo())
	case *v1.DrainRequest:
		return ofGroup(m.GetGroup(), "candidate", m.GetCandidate())
	case *v1.OpenSessionRequest:
		return about{subject: access.Subject("session of", m.GetName())}
	case inGroup:
		return ofGroup(m.GetGroup())
	case inNamespace:
		return ofNamespace(m.GetNamespace())
	}
	return about{}
}

func ofNamespace(name string, keys ...string) about {
	if name == "" {
		name = standardNamespace
	}
	return about{access.Subject(append([]string{"namespace", name}, keys...)...), access.EnvironmentOf(name), true}
}

func ofGroup(name string, rest ...string) about {
	return about{access.Subject(append([]string{"group", name}, rest...)...), access.EnvironmentOf(name), true}
}

// txnKeys is the keys that a transaction names, the first of them.
func txnKeys(m *v1.TxnRequest) []string {
	const most = 8
	var keys []string
	for _, c := range m.GetIf() {
		keys = append(keys, c.GetKey())
	}
	for _, op := range append(slices.Clone(m.GetThen()), m.GetElse()...) {
		for _, key := range []string{op.GetPut().GetKey(), op.GetDelete().GetKey(), op.GetGet().GetKey()} {
			if key != "" {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) > most {
		keys = append(keys[:most], "and "+strconv.Itoa(len(keys)-most)+" more")
	}
	return keys
}

// narrow leaves of an answer that lists things what the caller's environment has.
func narrow(p access.Principal, answer any) {
	if p.Environment == "" {
		return
	}
	other := func(environment string) bool { return environment != p.Environment }
	switch m := answer.(type) {
	case *v1.ListNamespacesResponse:
		m.Namespaces = slices.DeleteFunc(m.Namespaces, func(n *v1.Namespace) bool { return other(access.EnvironmentOf(n.GetName())) })
	case *v1.ListGroupsResponse:
		m.Groups = slices.DeleteFunc(m.Groups, func(g string) bool { return other(access.EnvironmentOf(g)) })
	case *v1.ListNodesResponse:
		m.Nodes = slices.DeleteFunc(m.Nodes, func(n *v1.Node) bool { return other(n.GetEnvironment()) })
	case *v1.ListFreezesResponse: // those of all environments are of this one too
		m.Freezes = slices.DeleteFunc(m.Freezes, func(f *v1.Freeze) bool { return f.GetEnvironment() != "" && other(f.GetEnvironment()) })
	case *v1.ListPrincipalsResponse:
		m.Principals = slices.DeleteFunc(m.Principals, func(q *v1.Principal) bool { return other(q.GetEnvironment()) })
	}
}
