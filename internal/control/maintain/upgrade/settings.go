package upgrade

import "strings"

// A setting is what etcd's command line is no longer, or not yet, told.
type setting struct{ flags, what, next string }

// What changes of settings between two minor releases, on the way up and on the way down.
// https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/, /v3.7/upgrades/upgrade_3_7/,
// /v3.6/downgrades/downgrade_3_6/ and /v3.7/downgrades/downgrade_3_7/.
var (
	up6 = []setting{
		{"--enable-v2, --experimental-enable-v2v3", "the v2 store is gone", "if one was ever set, see that \"etcdutl check v2store\" finds nothing, on each member's data, then leave it out; https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/ says how to get rid of what it finds"},
		{"--proxy, --proxy-*", "the v2 proxy is gone", "leave them out, or 3.6 does not start"},
		{"--experimental-*", "most have a name without it, or are in --feature-gates", "rename them when all run 3.6: 3.7 does not start with them"},
		{"--snapshot-count, --v2-deprecation, --discovery-fallback", "other defaults: 10000, write-only, exit", "set what you rely on"},
	}
	up7 = []setting{
		{"--experimental-*", "all are gone", "rename them, or name them in --feature-gates, while 3.6 runs: 3.7 does not start with them"},
		{"--enable-v2, --experimental-enable-v2v3", "the v2 store is gone, its snapshots are not read", "there is nothing to do for who comes from 3.6"},
	}
	down6 = []setting{
		{"--feature-gates, --log-format, --discovery-*", "3.5 does not know them", "leave them out, or 3.5 does not start"},
		{"--max-learners, --compaction-batch-limit, --corrupt-check-time and others without --experimental-", "3.5 has them with it", "rename them as https://etcd.io/docs/v3.6/downgrades/downgrade_3_6/ lists them"},
		{"--snapshot-count, --v2-deprecation, --discovery-fallback", "other defaults: 100000, not-yet, proxy", "set what you rely on"},
	}
)

// settings is what members are started with, which cannot be seen from outside.
func (l *checklist) settings() {
	const name = "settings"
	var all []setting
	switch {
	case l.Own:
		l.ok(name, "etcd comes with tow, which sets them: install the tow that has etcd %s on one control node after the other", l.target)
		return
	case l.way == Up && l.crosses(5, 6):
		all = up6
	case l.way == Up && l.crosses(6, 7):
		all = up7
	case l.way == Down && l.crosses(5, 6):
		all = down6
	case l.way == Down && l.crosses(6, 7):
		l.ok(name, "3.6 knows all that 3.7 does")
		return
	}
	if len(all) == 0 {
		l.ok(name, "nothing is known of that changes")
		return
	}
	for _, s := range all {
		l.note(name, s.flags+": "+s.what, "%s", strings.TrimSpace(s.next))
	}
}
