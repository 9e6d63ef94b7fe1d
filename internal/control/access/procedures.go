package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"

	rpc "towpath.dev/api/towpathv1/towpathv1connect"
)

// A Need says who may call a procedure.
type Need struct {
	// Anyone may, without saying who it is.
	Anyone bool
	// Roles that may; of [Reader], [Deployer] and [Admin], those above too.
	Roles []Role
	// Changes says that the call changes something.
	Changes bool
	// Everywhere says that who is bound to an environment may not.
	Everywhere bool
}

var (
	anyone   = Need{Anyone: true, Changes: true}
	everyone = Need{Roles: []Role{Reader, Node, Control}}
	reads    = Need{Roles: []Role{Reader}}
	deploys  = Need{Roles: []Role{Deployer}, Changes: true}
	rules    = Need{Roles: []Role{Admin}, Changes: true}
	looks    = Need{Roles: []Role{Admin}}
	audits   = Need{Roles: []Role{Admin}, Everywhere: true}
	attaches = Need{Roles: []Role{Node}, Changes: true}
)

// procedures are who may call what. What is not here nobody may.
var procedures = map[string]Need{
	rpc.AccessServiceJoinProcedure:             anyone,
	rpc.AccessServiceWhoAmIProcedure:           everyone,
	rpc.AccessServiceRenewCertificateProcedure: attaches,
	rpc.AccessServiceCreateJoinTokenProcedure:  rules,
	rpc.AccessServiceListJoinTokensProcedure:   looks,
	rpc.AccessServiceRevokeJoinTokenProcedure:  rules,
	rpc.AccessServiceCreatePrincipalProcedure:  rules,
	rpc.AccessServiceListPrincipalsProcedure:   looks,
	rpc.AccessServiceRevokePrincipalProcedure:  rules,
	rpc.AccessServiceListAuditProcedure:        audits,

	rpc.NodeServiceAttachProcedure:    attaches,
	rpc.NodeServiceListNodesProcedure: reads,

	rpc.NodeServiceReportStatusProcedure:   attaches,
	rpc.NodeServiceReportCountersProcedure: attaches,

	rpc.DeployServiceCreateDeploymentProcedure:     deploys,
	rpc.DeployServiceGetDeploymentProcedure:        reads,
	rpc.DeployServiceListDeploymentsProcedure:      reads,
	rpc.DeployServiceWatchDeploymentProcedure:      reads,
	rpc.DeployServiceListDeploymentEventsProcedure: reads,
	rpc.DeployServiceAskDeploymentProcedure:        deploys,
	rpc.DeployServiceSetFreezeProcedure:            deploys,
	rpc.DeployServiceLiftFreezeProcedure:           deploys,
	rpc.DeployServiceListFreezesProcedure:          reads,
	rpc.DeployServiceGetFleetProcedure:             reads,
	rpc.DeployServiceForgetNodeProcedure:           deploys,
	rpc.DeployServiceRemoveProgramProcedure:        deploys,
	rpc.DeployServiceGetObjectProcedure:            everyone,
	rpc.DeployServicePutObjectProcedure:            deploys,
	rpc.DeployServiceSetPolicyProcedure:            rules,
	rpc.DeployServiceGetPolicyProcedure:            everyone,
	rpc.DeployServiceGetCountersProcedure:          {Roles: []Role{Reader, Control}},

	rpc.KeyValueServiceGetProcedure:             reads,
	rpc.KeyValueServiceListProcedure:            reads,
	rpc.KeyValueServicePutProcedure:             deploys,
	rpc.KeyValueServiceDeleteProcedure:          deploys,
	rpc.KeyValueServiceTxnProcedure:             deploys,
	rpc.KeyValueServiceWatchProcedure:           reads,
	rpc.KeyValueServiceListNamespacesProcedure:  reads,
	rpc.KeyValueServiceSetNamespaceProcedure:    deploys,
	rpc.KeyValueServiceDeleteNamespaceProcedure: deploys,

	rpc.ElectionServiceOpenSessionProcedure:     deploys,
	rpc.ElectionServiceRenewSessionProcedure:    deploys,
	rpc.ElectionServiceCloseSessionProcedure:    deploys,
	rpc.ElectionServiceSessionEventsProcedure:   deploys,
	rpc.ElectionServiceCampaignProcedure:        deploys,
	rpc.ElectionServiceResignProcedure:          deploys,
	rpc.ElectionServiceGetGroupProcedure:        reads,
	rpc.ElectionServiceListGroupsProcedure:      reads,
	rpc.ElectionServiceObserveProcedure:         reads,
	rpc.ElectionServiceSetGroupProcedure:        deploys,
	rpc.ElectionServiceDrainProcedure:           deploys,
	rpc.ElectionServiceMoveProcedure:            deploys,
	rpc.ElectionServiceBeginGenerationProcedure: rules,
}

// NeedOf says who may call a procedure; false if there is none.
func NeedOf(procedure string) (Need, bool) {
	n, ok := procedures[procedure]
	return n, ok
}

// above is the order of roles.
var above = []Role{Reader, Deployer, Admin}

// Permit refuses a principal that may not call a procedure.
func Permit(p Principal, procedure string) error {
	need, ok := procedures[procedure]
	if !ok {
		return connect.NewError(connect.CodePermissionDenied, errors.New("nobody may call this"))
	}
	allowed := need.Anyone || slices.ContainsFunc(need.Roles, func(least Role) bool {
		mine, theirs := slices.Index(above, p.Role), slices.Index(above, least)
		return p.Role == least || mine >= 0 && theirs >= 0 && mine >= theirs
	})
	call := procedure[strings.LastIndex(procedure, "/")+1:]
	if !allowed {
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s is %s, and %s needs %s", p.Name, p.Role, call, need.least()))
	}
	if need.Everywhere && p.Environment != "" {
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s is bound to the environment %s, and %s is about all of them", p.Name, p.Environment, call))
	}
	return nil
}

func (n Need) least() string {
	names := make([]string, len(n.Roles))
	for i, r := range n.Roles {
		names[i] = string(r)
	}
	return strings.Join(names, " or ")
}

// EnvironmentOf is the environment that a namespace or a group belongs to: its name up
// to the first "." or "/". So prod, prod.fees and prod/fees are all of prod.
func EnvironmentOf(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 {
		return name[:i]
	}
	return name
}

// PermitIn refuses a principal that is bound to another environment.
func PermitIn(p Principal, environment string) error {
	if p.Environment == "" || p.Environment == environment {
		return nil
	}
	return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s is bound to the environment %s, and this is of %q", p.Name, p.Environment, shorten(environment)))
}
