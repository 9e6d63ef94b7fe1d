package access

import "context"

type callerKey struct{}

// WithCaller is a context of a call by a principal.
func WithCaller(ctx context.Context, who *Known) context.Context {
	return context.WithValue(ctx, callerKey{}, who)
}

// Caller is who made the call that a context is of; the zero value where nobody had to
// say who it is.
func Caller(ctx context.Context) Principal {
	if who, ok := ctx.Value(callerKey{}).(*Known); ok {
		return who.Principal
	}
	return Principal{}
}
