// Package elected is a process's part in elections, for as long as one session lasts.
//
//	for ctx.Err() == nil {
//		err := elected.Once(ctx, store, election.Options{}, func(s *election.Session) error { … })
//		// and again, after a while
//	}
package elected

import (
	"context"
	"time"

	"towpath.dev/election"
)

// openTime bounds opening a session.
const openTime = 10 * time.Second

// Once opens a session, has part take part by it, and closes it, which hands on what it
// held. It gives why it could not be opened, or why part ended.
func Once(ctx context.Context, store election.Store, o election.Options, part func(*election.Session) error) error {
	opening, cancel := context.WithTimeout(ctx, openTime)
	session, err := election.Open(opening, store, o)
	cancel()
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.TTL())
		defer cancel()
		if err := session.Close(closing); err != nil && o.Log != nil {
			o.Log.Debug("a session ends by its lease", "cause", err)
		}
	}()
	return part(session)
}
