package backup

import (
	"context"
	"time"
)

// leaveTime is for how long an uploader that is told to stop goes on, to upload what it has gathered:
// who takes the cluster away next does not lose its last minute.
const leaveTime = 3 * time.Second

// outliving is a context that ends a while after another one.
func outliving(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() { stop(); cancel() }
}

// leave says what came of the last upload of one that stops.
func (u *Uploader) leave(err error) {
	if err != nil {
		u.o.Log.Warn("backup: stopped, and the last changes are not uploaded; the cluster has them, and the next uploader begins there", "cluster", u.o.Cluster, "durable", u.Durable(), "error", err)
	}
}
