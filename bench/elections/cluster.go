// Package elections measures leader election beside etcd's own package concurrency,
// where that can do the job, on three members in processes of their own that write to
// disk. See cmd/elections.
package elections

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"towpath.dev/bench/members"
	"towpath.dev/bench/serving"
)

// RunRole is one of the processes that the command starts.
func RunRole(role string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch role {
	case "member":
		return members.Run(ctx, args)
	case "holder":
		return runHolder(ctx, args)
	case "responder":
		return serving.RunServer("tow-burn")
	case "crowd":
		return runCrowd(ctx, args)
	}
	return fmt.Errorf("there is no role %q", role)
}
