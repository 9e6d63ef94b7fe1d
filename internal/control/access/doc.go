// Package access says who may do what at the control API.
//
// A cluster has a certificate authority of its own, [CA]. A principal has a name, a
// [Role] and perhaps an environment that it is bound to; it shows a certificate of the
// CA's or a bearer token. [Registry] keeps the principals in the store, and knows them
// by heart: it follows the store, so that one that is revoked is refused at once, and
// refuses everybody when it has not heard of the store for a while. Nodes join with a
// [JoinToken], which is good for one node. [Audit] is a file with a line for each call.
//
//	trust, _ := access.InitTrust(dir, access.TrustOptions{Hosts: []string{"10.0.0.1"}})
//	registry := access.NewRegistry(store, trust.CA, log)
//	go registry.Run(ctx)
//	who, err := registry.Authenticate(chain, r.Header.Get("Authorization"))
//	err = access.Permit(who.Principal, procedure)
//
// Errors that callers of the API hear are connect's, with the code that they hear.
package access
